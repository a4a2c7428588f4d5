//! A lock of a folder among all processes of a machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// Held until it is dropped. It is given back by name, because a process that is just being started holds copies of all
/// files for a moment (`flock(2)`: the lock goes with the last copy).
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Waits until nobody has it.
    ///
    /// # Errors
    /// When the file at `path` cannot be made or locked.
    pub fn wait_for(path: &Path) -> io::Result<Self> {
        let file = opened(path)?;
        file.lock()?;
        Ok(Self(file))
    }

    /// None while somebody has it.
    ///
    /// # Errors
    /// When the file at `path` cannot be made or locked.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = opened(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The lock goes with the file otherwise.
        drop(self.0.unlock());
    }
}

fn opened(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_folder::TestFolder;

    #[test]
    fn one_has_it_at_a_time() {
        let folder = TestFolder::new();
        let path = folder.path().join("lock");
        let lock = FolderLock::take(&path).unwrap().unwrap();
        assert!(FolderLock::take(&path).unwrap().is_none());
        drop(lock);
        drop(FolderLock::wait_for(&path).unwrap());
        assert!(FolderLock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_copy_of_its_file_does_not_keep_it() {
        let folder = TestFolder::new();
        let path = folder.path().join("lock");
        let lock = FolderLock::take(&path).unwrap().unwrap();
        let copy = lock.0.try_clone().unwrap();
        drop(lock);
        assert!(FolderLock::take(&path).unwrap().is_some());
        drop(copy);
    }
}
