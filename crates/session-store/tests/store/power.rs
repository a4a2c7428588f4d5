//! The power fails: of what was not synced, any part may be gone. `WEIR_POWER_CUTS` says how often.

use crate::fixture::{People, config, data, events, opening, start, start_on};
use crate::random::{Random, count};
use session_record::{Anchors, Durability, Event, SessionId, Stream, Verdict};
use session_store::{Disk, DiskFile, Found, RealDisk, RecorderConfig, Recordings};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_folder::TestFolder;

/// A disk that knows what it would keep.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// How much of each file was written, and synced.
    files: BTreeMap<PathBuf, Lengths>,
    /// Entries of folders that are there, and may not be after the power failed.
    unsynced: Vec<Entry>,
    is_off: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Lengths {
    written: u64,
    synced: u64,
}

#[derive(Debug)]
enum Entry {
    Created(PathBuf),
    Renamed { from: PathBuf, to: PathBuf },
}

impl Entry {
    fn folder(&self) -> Option<&Path> {
        let (Self::Created(path) | Self::Renamed { from: _, to: path }) = self;
        path.parent()
    }
}

#[derive(Debug)]
struct MemoryFile {
    real: Box<dyn DiskFile>,
    path: PathBuf,
    memory: Memory,
}

fn off() -> io::Error {
    io::Error::other("the power failed")
}

impl Memory {
    fn with<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> io::Result<T> {
        let mut kept = self.0.lock().expect("no panic");
        if kept.is_off { Err(off()) } else { Ok(change(&mut kept)) }
    }

    /// Makes the folder what a disk may have after the power failed.
    fn cut(&self, random: &mut Random) {
        let mut kept = self.0.lock().expect("no panic");
        kept.is_off = true;
        for entry in std::mem::take(&mut kept.unsynced).into_iter().rev() {
            match entry {
                Entry::Created(path) if random.below(2) == 0 => drop(fs::remove_file(path)),
                Entry::Renamed { from, to } if random.below(2) == 0 => {
                    if fs::rename(&to, &from).is_ok()
                        && let Some(lengths) = kept.files.remove(&to)
                    {
                        kept.files.insert(from, lengths);
                    }
                }
                Entry::Created(_) | Entry::Renamed { .. } => {}
            }
        }
        for (path, Lengths { written, synced }) in &kept.files {
            let length = synced + random.below(written - synced + 1);
            let Ok(file) = OpenOptions::new().write(true).open(path) else { continue };
            file.set_len(length).expect("it is cut off");
            // Length and bytes reach a disk apart from each other.
            if length > *synced && random.below(2) == 0 {
                let from = synced + random.below(length - synced);
                let zeros = vec![0; usize::try_from(length - from).expect("little")];
                file.write_all_at(&zeros, from).expect("it is overwritten");
            }
        }
    }
}

impl Disk for Memory {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let real = self.with(|kept| {
            kept.files.insert(path.to_owned(), Lengths::default());
            kept.unsynced.push(Entry::Created(path.to_owned()));
            RealDisk.create(path)
        })??;
        Ok(Box::new(MemoryFile { real, path: path.to_owned(), memory: self.clone() }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let real = RealDisk.append(path)?;
        Ok(Box::new(MemoryFile { real, path: path.to_owned(), memory: self.clone() }))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.make_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.with(|kept| kept.unsynced.retain(|entry| entry.folder() != Some(path)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(|kept| {
            if let Some(lengths) = kept.files.remove(from) {
                kept.files.insert(to.to_owned(), lengths);
            }
            kept.unsynced.push(Entry::Renamed { from: from.to_owned(), to: to.to_owned() });
            RealDisk.rename(from, to)
        })?
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.with(|kept| {
            kept.files.remove(path);
            RealDisk.remove(path)
        })?
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(folder)
    }
}

impl DiskFile for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.with(|kept| {
            let written = self.real.write(bytes)?;
            kept.files.entry(self.path.clone()).or_default().written += written as u64;
            Ok(written)
        })?
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        self.real.reserve(length)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.memory.with(|_| self.real.truncate(length))?
    }

    fn sync(&mut self) -> io::Result<()> {
        self.memory.with(|kept| {
            // A file that was renamed while it is open is not looked for: nobody writes to one here.
            let lengths = kept.files.entry(self.path.clone()).or_default();
            lengths.synced = lengths.written;
        })
    }
}

/// The nth event; each is different, and some are long.
fn nth_event(n: u64) -> Event {
    let length = if n % 23 == 22 { 300_000 } else { 1 + n % 50 };
    let byte = u8::try_from(n % 256).expect("small");
    let stream = if n.is_multiple_of(2) { Stream::Stdin } else { Stream::Stdout };
    data(stream, &vec![byte; usize::try_from(length).expect("small")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_durable_is_there_after_the_power_failed() {
    for seed in 0..count("WEIR_POWER_CUTS", 150) {
        let (folder, people) = (TestFolder::new(), People::new());
        let mut random = Random(seed);
        let memory = Memory::default();
        // With the shorter one, other threads sync all the time.
        let commit_interval = Duration::from_millis(if seed.is_multiple_of(2) { 1 } else { 100 });
        let config = RecorderConfig { commit_interval, ..config(&folder, &people) };
        let (recorder, _) = start_on(config.clone(), Arc::new(memory.clone())).await;
        let recording = recorder.open(opening(7, Durability::Group)).await.expect("a recording");
        let (mut position, mut n_durable) = (None, 0);
        for n in 0..random.below(60) {
            position = recording.record(nth_event(n)).await.ok();
            if random.below(4) == 0
                && let Some(position) = position
            {
                recording.durable(position).await.expect("durable");
                n_durable = n + 1;
            }
        }
        let is_sealed = random.below(3) == 0;
        if is_sealed {
            recording.seal(session_record::Ending::ClientLeft).await.expect("sealed");
        }
        memory.cut(&mut random);
        drop((recording, recorder, position));
        let (_recorder, recovered) = start(config).await;
        let [found] = recovered.as_slice() else { unreachable!("seed {seed}: {recovered:?}") };
        assert!(matches!(found.found, Found::Sealed { .. }), "seed {seed}: {found:?}");
        let recordings = Recordings::new(folder.path());
        let keys = people.all_keys(&recordings, SessionId(7));
        let report =
            recordings.verify(SessionId(7), &keys, &Anchors::default()).expect("a recording");
        assert_eq!(report.verdict(), Verdict::Sound, "seed {seed}: {:?}", report.faults);
        let reader = recordings.reader(SessionId(7), &keys).expect("a reader");
        let recorded = bytes_of(events(reader.map(|step| step.expect("a step"))));
        let expected = |n_events| bytes_of((0..n_events).map(nth_event));
        assert!(
            recorded.starts_with(&expected(n_durable)),
            "seed {seed}: something durable is missing"
        );
        assert!(expected(60).starts_with(&recorded), "seed {seed}: something else was recorded");
    }
}

fn bytes_of(events: impl IntoIterator<Item = Event>) -> Vec<u8> {
    let mut joined = Vec::new();
    for event in events {
        if let Event::Data { stream: _, bytes } = event {
            joined.extend_from_slice(&bytes);
        }
    }
    joined
}
