//! A disk that fails where a test wants it to. What reaches the real one is what a real one would have kept.

use session_store::{Disk, DiskFile, RealDisk};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// From there on there is no room.
    Full(After),
    /// As above, and what is reserved is promised although there is no room: like a disk that is full all the same.
    LyingFull(After),
    /// From there on writing fails.
    WriteError(After),
    /// The nth sync fails, and with it every later one.
    SyncErrorFrom(u32),
    /// The nth sync fails, and no other.
    SyncErrorAt(u32),
    /// Every write takes no more than this.
    ShortWrites(usize),
    /// Every write and every sync takes this long.
    Slow(Duration),
    /// Syncing waits until the test lets it go on.
    Hang,
}

/// Where something begins to go wrong, counting all files together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Bytes(u64),
    /// In the nth write, of which so many bytes are taken. A recording is written a chunk at a time.
    Write {
        nth: u32,
        takes: u64,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct FaultyDisk {
    real: RealDisk,
    fault: Fault,
    state: Arc<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    counted: Mutex<Counted>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct Counted {
    /// Nothing fails before.
    armed: bool,
    written: u64,
    n_writes: u32,
    /// What was written when the write began in which something goes wrong.
    before: Option<u64>,
    n_syncs: u32,
    released: bool,
    /// The ballast gives its bytes back.
    regained: u64,
}

#[derive(Debug)]
struct FaultyFile {
    real: Box<dyn DiskFile>,
    fault: Fault,
    state: Arc<State>,
    reserved: u64,
    written: u64,
}

impl FaultyDisk {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { real: RealDisk, fault, state: Arc::default() }
    }

    /// From here on the disk fails as it was told, counting from 0.
    pub(crate) fn arm(&self) {
        *self.state.counted.lock().expect("no panic") =
            Counted { armed: true, ..Counted::default() };
    }

    /// What was written since then, in bytes, and in how many writes.
    pub(crate) fn written(&self) -> (u64, u32) {
        let counted = self.state.counted.lock().expect("no panic");
        (counted.written, counted.n_writes)
    }

    /// Lets everybody go on who hangs.
    pub(crate) fn release(&self) {
        self.state.counted.lock().expect("no panic").released = true;
        self.state.released.notify_all();
    }

    fn file(&self, real: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FaultyFile {
            real,
            fault: self.fault,
            state: Arc::clone(&self.state),
            reserved: 0,
            written: 0,
        })
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.real.create(path).map(|file| self.file(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.real.append(path).map(|file| self.file(file))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.real.make_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.real.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("ballast") {
            self.state.counted.lock().expect("no panic").regained += 1 << 20;
        }
        self.real.remove(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        self.real.free_bytes(folder)
    }
}

impl Counted {
    const fn begin_write(&mut self, fault: Fault) {
        self.n_writes += 1;
        if let Fault::Full(after) | Fault::LyingFull(after) | Fault::WriteError(after) = fault
            && let After::Write { nth, .. } = after
            && nth == self.n_writes
        {
            self.before = Some(self.written);
        }
    }

    /// Bytes that can still be written.
    fn room(&self, after: After) -> u64 {
        let end = match after {
            After::Bytes(bytes) => bytes,
            After::Write { takes, .. } => self.before.map_or(u64::MAX, |before| before + takes),
        };
        end.saturating_add(self.regained).saturating_sub(self.written)
    }
}

impl FaultyFile {
    fn dawdle(&self) {
        if let Fault::Slow(time) = self.fault {
            std::thread::sleep(time);
        }
    }
}

fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl DiskFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut counted = self.state.counted.lock().expect("no panic");
        if !counted.armed {
            drop(counted);
            let written = self.real.write(bytes)?;
            self.written += written as u64;
            return Ok(written);
        }
        counted.begin_write(self.fault);
        // What a file has reserved can be written whatever the others took.
        let own = if let Fault::LyingFull(_) = self.fault {
            0
        } else {
            self.reserved.saturating_sub(self.written)
        };
        let room = match self.fault {
            Fault::Full(after) | Fault::LyingFull(after) => counted.room(after).max(own),
            Fault::WriteError(after) => counted.room(after),
            Fault::ShortWrites(bytes) => bytes as u64,
            Fault::SyncErrorFrom(_) | Fault::SyncErrorAt(_) | Fault::Slow(_) | Fault::Hang => {
                u64::MAX
            }
        };
        let length = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let (taken, _) = bytes.split_at(length);
        if taken.is_empty() && !bytes.is_empty() {
            let is_full = matches!(self.fault, Fault::Full(_) | Fault::LyingFull(_));
            return Err(if is_full { full() } else { io::Error::other("input/output error") });
        }
        counted.written += length as u64;
        self.written += length as u64;
        drop(counted);
        self.dawdle();
        self.real.write(taken)
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        let counted = self.state.counted.lock().expect("no panic");
        if counted.armed
            && let Fault::Full(after) = self.fault
        {
            let room = counted.room(after).max(self.reserved.saturating_sub(self.written));
            if length.saturating_sub(self.written) > room {
                return Err(full());
            }
        }
        drop(counted);
        self.reserved = self.reserved.max(length);
        self.real.reserve(length)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.real.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut counted = self.state.counted.lock().expect("no panic");
        if counted.armed {
            counted.n_syncs += 1;
            match self.fault {
                Fault::SyncErrorFrom(nth) if counted.n_syncs >= nth => {
                    return Err(io::Error::other("input/output error"));
                }
                Fault::SyncErrorAt(nth) if counted.n_syncs == nth => {
                    return Err(io::Error::other("input/output error"));
                }
                Fault::Hang => {
                    let released =
                        self.state.released.wait_while(counted, |counted| !counted.released);
                    drop(released.expect("no panic"));
                    return self.real.sync();
                }
                Fault::SyncErrorFrom(_)
                | Fault::SyncErrorAt(_)
                | Fault::Full(_)
                | Fault::LyingFull(_)
                | Fault::WriteError(_)
                | Fault::ShortWrites(_)
                | Fault::Slow(_) => {}
            }
        }
        drop(counted);
        self.dawdle();
        self.real.sync()
    }
}
