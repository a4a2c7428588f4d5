//! The lab's folder: all that a dead lab leaves.
//!
//! `lock` is held by the lab process as long as it lives, `socket` is where it is asked. A folder whose
//! lock is free is of a dead lab, and whoever comes by removes it.

use crate::LabError;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Where labs are, unless told.
pub fn default_parent() -> PathBuf {
    PathBuf::from("/run/weir/lab")
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    parent: PathBuf,
    name: String,
}

/// The lock of a living lab; free when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: Folder,
    file: File,
}

impl Lock {
    /// The lab is over, and nobody may come by who would remove its folder.
    pub(crate) fn remove_folder(self) -> Result<(), LabError> {
        self.folder.remove_held(&self.file)
    }
}

impl Folder {
    /// A name is part of a path, so it must not lead anywhere else.
    pub fn new(parent: &Path, name: &str) -> Result<Self, LabError> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || name.len() > 40 || !name.chars().all(is_fine) {
            return Err(LabError::Name(name.to_owned()));
        }
        // The lab's process works in another folder.
        let parent = std::path::absolute(parent)
            .map_err(|source| LabError::Folder { path: parent.to_owned(), source })?;
        Ok(Self { parent, name: name.to_owned() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn parent(&self) -> &Path {
        &self.parent
    }

    pub fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("socket")
    }

    fn lock_path(&self) -> PathBuf {
        self.path().join("lock")
    }

    /// Makes the folder and holds it. Another process may be removing it at the same time, so what was
    /// locked must still be what is there.
    pub(crate) fn lock(&self) -> Result<Lock, LabError> {
        loop {
            let mut dirs = DirBuilder::new();
            dirs.recursive(true).mode(0o700);
            dirs.create(self.path()).map_err(|e| self.failed(e))?;
            let mut options = OpenOptions::new();
            let file = match options.create(true).truncate(false).write(true).open(self.lock_path())
            {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(|e| self.failed(e))?,
            };
            match file.try_lock() {
                Ok(()) if self.is_current(&file)? => {
                    remove_file(&self.socket()).map_err(|e| self.failed(e))?;
                    return Ok(Lock { folder: self.clone(), file });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LabError::Exists { name: self.name.clone() });
                }
                Err(TryLockError::Error(error)) => return Err(self.failed(error)),
            }
        }
    }

    fn is_current(&self, file: &File) -> Result<bool, LabError> {
        let held = file.metadata().map_err(|e| self.failed(e))?;
        match fs::metadata(self.lock_path()) {
            Ok(there) => Ok(held.ino() == there.ino() && held.dev() == there.dev()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Removes the folder if its lab is dead, and the folders above if they are empty; answers whether the
    /// lab is dead.
    pub(crate) fn remove_if_dead(&self) -> Result<bool, LabError> {
        let file = match OpenOptions::new().write(true).open(self.lock_path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.remove_folders();
                return Ok(true);
            }
            Err(error) => return Err(self.failed(error)),
        };
        match file.try_lock() {
            Ok(()) => self.remove_held(&file).map(|()| true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(self.failed(error)),
        }
    }

    fn remove_held(&self, file: &File) -> Result<(), LabError> {
        if self.is_current(file)? {
            remove_file(&self.socket()).map_err(|e| self.failed(e))?;
            remove_file(&self.lock_path()).map_err(|e| self.failed(e))?;
            self.remove_folders();
        }
        Ok(())
    }

    /// Those that hold something else stay: that is no failure.
    fn remove_folders(&self) {
        let above = [Some(&*self.parent), self.parent.parent()];
        let is_ours = |path: &&Path| path.starts_with("/run/weir");
        if fs::remove_dir(self.path()).is_ok() {
            for path in above.into_iter().flatten().filter(is_ours) {
                drop(fs::remove_dir(path));
            }
        }
    }

    fn failed(&self, source: io::Error) -> LabError {
        LabError::Folder { path: self.path(), source }
    }

    /// Removes what dead labs left below `parent`, and names the living ones.
    pub fn sweep(parent: &Path) -> Result<Vec<Self>, LabError> {
        let entries = match fs::read_dir(parent) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(LabError::Folder { path: parent.to_owned(), source }),
        };
        let mut living = Vec::new();
        for entry in entries {
            let entry =
                entry.map_err(|source| LabError::Folder { path: parent.to_owned(), source })?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(folder) = Self::new(parent, &name) else { continue };
            if !folder.remove_if_dead()? {
                living.push(folder);
            }
        }
        living.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(living)
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
