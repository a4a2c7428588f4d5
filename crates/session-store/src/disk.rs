//! The calls of a file system that write: all that can fail while a session is recorded.
//!
//! They are a trait so that tests can let each of them fail at each byte. Reading is not here: what cannot be read
//! fails a reader and no session.

use rustix::fs::FallocateFlags;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Recordings are for whoever runs the gateway; keys decide who reads them.
const FILE_MODE: u32 = 0o600;

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// Makes a file that was not there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that is there, to append to it.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes what was created, renamed or removed in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Bytes that can still be written below a folder.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;
}

/// A file that is written front to back.
pub trait DiskFile: Debug + Send {
    /// Appends some of the bytes; how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes sure that the file can grow to this length. Where a file system cannot promise it, nothing happens.
    fn reserve(&mut self, length: u64) -> io::Result<()>;

    /// Cuts the file off, and gives back what was reserved behind.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)?;
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl DiskFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::KEEP_SIZE, 0, length) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Appends all of the bytes.
pub(crate) fn write_all(file: &mut dyn DiskFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a small file that is there whole or not at all, and durable.
pub(crate) fn write_whole(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let unfinished = path.with_added_extension("new");
    if fs::exists(&unfinished)? {
        disk.remove(&unfinished)?;
    }
    let mut file = disk.create(&unfinished)?;
    write_all(file.as_mut(), bytes)?;
    file.sync()?;
    disk.rename(&unfinished, path)?;
    disk.sync_folder(folder)
}
