//! A lock of a folder of recordings, among all processes of a machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// Held until it is dropped. It is given back by name, because a process that is just being started holds copies of all
/// files for a moment.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

impl FolderLock {
    /// Waits until nobody has it.
    pub(crate) fn wait_for(path: &Path) -> io::Result<Self> {
        let file = opened(path)?;
        file.lock()?;
        Ok(Self(file))
    }

    /// None while somebody has it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
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
