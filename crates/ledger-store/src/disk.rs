//! Every change that is made to a ledger's files goes through here, so that a test can see each one, let it fail,
//! and build the disk that a loss of power at that moment would have left.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What changes files. Whoever watches it is asked before each change.
#[derive(Clone, Default)]
pub struct Disk {
    watch: Option<Arc<Watch>>,
}

/// Asked before each change; a [`Fault`] is what happens instead.
pub type Watch = dyn Fn(&Change<'_>) -> Option<Fault> + Send + Sync;

/// One change to the files of a ledger, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    CreateFolder(&'a Path),
    /// The file is new, or empty from now on.
    CreateFile(&'a Path),
    Write {
        file: &'a Path,
        offset: u64,
        bytes: &'a [u8],
    },
    /// What was written to the file is to survive a loss of power.
    SyncFile(&'a Path),
    /// The names in the folder are to survive a loss of power.
    SyncFolder(&'a Path),
    /// Everything on the disk of this folder is.
    SyncDisk(&'a Path),
    Rename {
        from: &'a Path,
        to: &'a Path,
    },
    Remove(&'a Path),
}

/// What a disk does that is full or broken.
#[derive(Debug)]
pub struct Fault {
    /// How much of a write still gets done.
    pub written: usize,
    pub error: io::Error,
}

/// A file that is written.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: File,
    path: PathBuf,
}

/// The moment from which errors of the disk are reported by [`Disk::sync_disk`]: the kernel tells those that came
/// while the folder was open.
#[derive(Debug)]
pub(crate) struct SyncPoint {
    folder: File,
    path: PathBuf,
}

impl SyncPoint {
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: File::open(folder)?, path: folder.to_owned() })
    }
}

impl Disk {
    /// A disk on which `watch` is asked before each change.
    #[must_use]
    pub fn watched(watch: Arc<Watch>) -> Self {
        Self { watch: Some(watch) }
    }

    fn ask(&self, change: &Change<'_>) -> io::Result<()> {
        self.fault(change).map_or(Ok(()), |fault| Err(fault.error))
    }

    fn fault(&self, change: &Change<'_>) -> Option<Fault> {
        self.watch.as_ref().and_then(|watch| watch(change))
    }

    /// Makes a folder that only its owner reads, unless it is there.
    pub(crate) fn create_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        self.ask(&Change::CreateFolder(folder))?;
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)
    }

    /// A new file that only its owner reads, in place of one of that name.
    pub(crate) fn create_file(&self, path: &Path) -> io::Result<OpenFile> {
        self.ask(&Change::CreateFile(path))?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(OpenFile { file, path: path.to_owned() })
    }

    pub(crate) fn write_at(&self, to: &OpenFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(fault) = self.fault(&Change::Write { file: &to.path, offset, bytes }) else {
            return to.file.write_all_at(bytes, offset);
        };
        to.file.write_all_at(bytes.get(..fault.written).unwrap_or(bytes), offset)?;
        Err(fault.error)
    }

    pub(crate) fn sync(&self, file: &OpenFile) -> io::Result<()> {
        self.ask(&Change::SyncFile(&file.path))?;
        file.file.sync_data()
    }

    pub(crate) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.ask(&Change::SyncFolder(folder))?;
        File::open(folder)?.sync_all()
    }

    /// Syncs all that was written on the disk of a folder since [`SyncPoint`] was taken: for many files, each of
    /// which would cost as much as this.
    pub(crate) fn sync_disk(&self, since: &SyncPoint) -> io::Result<()> {
        self.ask(&Change::SyncDisk(&since.path))?;
        Ok(rustix::fs::syncfs(&since.folder)?)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(&Change::Rename { from, to })?;
        fs::rename(from, to)
    }

    /// Removes a file or a folder with what is in it, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(&Change::Remove(path))?;
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Writes a whole new file.
    pub(crate) fn write_unsynced(&self, path: &Path, bytes: &[u8]) -> io::Result<OpenFile> {
        let file = self.create_file(path)?;
        self.write_at(&file, 0, bytes)?;
        Ok(file)
    }

    /// Writes a whole new file and syncs it, but not its folder.
    pub(crate) fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.write_unsynced(path, bytes)?;
        self.sync(&file)
    }
}

impl OpenFile {
    /// The same file, which was given another name.
    pub(crate) fn renamed(self, path: PathBuf) -> Self {
        Self { file: self.file, path }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Disk").field("watched", &self.watch.is_some()).finish()
    }
}
