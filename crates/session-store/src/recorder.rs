//! Begins recordings: nothing is forwarded before a recording's header is on disk.

use crate::clock::Clock;
use crate::disk::Disk;
use crate::files::Files;
use crate::inbox::locked;
use crate::key_wrap::{KeysFileError, Readers, WrapError};
use crate::layout::{self, Layout, Part};
use crate::packing::{Packed, pack_file};
use crate::recording::Recording;
use crate::recovery::{self, Recovered};
use crate::session::{Facts, Limits, Session};
use crate::space::{Space, SpaceLevel, SpaceWatch, Watermarks};
use crate::work::{Paths, Work};
use crate::writers::{Watch, WatchGiven, Writers};
use folder_lock::FolderLock;
use session_record::{
    BeginError, Compartment, ContentKey, Header, KeyPair, Opening, Seal, SessionId, State, Writer,
};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;

/// How many recordings begin at once, and how many are packed.
const N_OPENERS: usize = 16;
const N_PACKERS: usize = 2;

/// What a recorder is told once.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    pub folder: PathBuf,
    pub readers: Readers,
    /// What was recorded longer ago is on disk.
    pub commit_interval: Duration,
    /// So much is on disk earlier.
    pub commit_bytes: u64,
    /// Of each recording; whoever records more waits.
    pub queue_bytes: usize,
    /// After this, a disk that does not answer has failed.
    pub stall: Duration,
    pub watermarks: Watermarks,
    /// Given up when there is no other room for the ends of recordings.
    pub ballast_bytes: u64,
    /// Each is two threads, one that writes and one that syncs what nobody waits for.
    pub n_writers: usize,
    /// zstd's level for recordings that are sealed; none leaves them raw.
    pub pack_level: Option<i32>,
    /// Longer ones stay raw: packing would keep whoever seals waiting.
    pub pack_at_most_bytes: u64,
}

/// Records sessions into a folder. Clones are the same recorder.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: RecorderConfig,
    pub(crate) layout: Layout,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) watch: Arc<Watch>,
    writers: Writers,
    openers: Arc<Semaphore>,
    pub(crate) packers: Arc<Semaphore>,
    /// Kept so that no other recorder takes the folder.
    _lock: FolderLock,
}

/// A recorder cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("cannot {what} `{}`", path.display())]
    Folder {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another recorder writes into `{}`", path.display())]
    Taken { path: PathBuf },
    #[error("nobody could read the {} compartment of what is recorded; name a recipient", .0.word())]
    NoReader(Compartment),
    #[error("cannot start the threads that write")]
    Threads(#[source] io::Error),
    #[error("the recorder's start was given up")]
    GivenUp,
}

/// A recording cannot begin, so the session must not.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(
        "the disk with the recordings has {free_bytes} bytes free, and takes new sessions from {needed_bytes} on"
    )]
    NoSpace { free_bytes: u64, needed_bytes: u64 },
    #[error("the disk with the recordings did not answer within {} ms", .0.as_millis())]
    Stalled(Duration),
    #[error("cannot {what} for the recording")]
    Disk {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Begin(#[from] BeginError),
    #[error(transparent)]
    Keys(#[from] WrapError),
    #[error(transparent)]
    KeysFile(#[from] KeysFileError),
    #[error("there is no randomness for the recording's keys")]
    Randomness,
    #[error("the recording's beginning was given up")]
    GivenUp,
}

/// A recording's files could not be moved to those that are done with.
#[derive(Debug, Error)]
#[error("cannot move recording {session} to the sealed ones")]
pub struct SettleError {
    pub session: SessionId,
    #[source]
    pub source: io::Error,
}

impl RecorderConfig {
    #[must_use]
    pub fn new(folder: PathBuf, readers: Readers) -> Self {
        Self {
            folder,
            readers,
            commit_interval: Duration::from_millis(100),
            commit_bytes: 8 << 20,
            queue_bytes: 1 << 20,
            stall: Duration::from_secs(10),
            watermarks: Watermarks::default(),
            ballast_bytes: 16 << 20,
            n_writers: 4,
            pack_level: Some(3),
            pack_at_most_bytes: 4 << 30,
        }
    }
}

impl Recorder {
    /// Takes the folder, and seals what a recorder before left open. What it gives back is to be told to the ledger,
    /// and then [`settled`](Self::settle).
    pub async fn start(
        config: RecorderConfig,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Recovered>), StartError> {
        let started = spawn_blocking(move || Self::start_blocking(config, disk, clock)).await;
        started.or(Err(StartError::GivenUp))?
    }

    fn start_blocking(
        config: RecorderConfig,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Recovered>), StartError> {
        if let Some(compartment) = config.readers.lacking() {
            return Err(StartError::NoReader(compartment));
        }
        let layout = Layout::new(&config.folder);
        let lock = prepare(disk.as_ref(), &layout)?;
        let failed = |source| StartError::Folder {
            what: "recover what is in",
            path: layout.open_folder(),
            source,
        };
        let recovered =
            recovery::recover_all(disk.as_ref(), &layout, clock.as_ref()).map_err(failed)?;
        make_ballast(disk.as_ref(), &layout, config.ballast_bytes);
        let given = WatchGiven {
            space: SpaceWatch::new(config.watermarks),
            clock: Arc::clone(&clock),
            disk: Arc::clone(&disk),
            folder: config.folder.clone(),
            stall: config.stall,
        };
        let watch = Arc::new(Watch::new(given));
        let writers =
            Writers::start(config.n_writers, Arc::clone(&watch)).map_err(StartError::Threads)?;
        let (openers, packers) =
            (Arc::new(Semaphore::new(N_OPENERS)), Arc::new(Semaphore::new(N_PACKERS)));
        let shared =
            Shared { config, layout, clock, disk, watch, writers, openers, packers, _lock: lock };
        Ok((Self { shared: Arc::new(shared) }, recovered))
    }

    /// Begins a recording. When this returns, its header and its wrapped keys are on disk.
    pub async fn open(&self, opening: Opening) -> Result<Recording, OpenError> {
        let stall = self.shared.config.stall;
        let begin = async {
            let openers = Arc::clone(&self.shared.openers);
            let opener = openers.acquire_owned().await.or(Err(OpenError::GivenUp))?;
            let shared = Arc::clone(&self.shared);
            let begun = spawn_blocking(move || {
                let begun = shared.begin(opening);
                drop(opener);
                // One that begins after nobody waits for it any more is ended by being dropped.
                begun.map(|session| Recording::new(session, shared))
            });
            begun.await.or(Err(OpenError::GivenUp))?
        };
        tokio::time::timeout(stall, begin).await.unwrap_or(Err(OpenError::Stalled(stall)))
    }

    /// Moves a sealed recording to those that are done with. Until then every start gives it back.
    pub async fn settle(&self, session: SessionId, at_ms: i64) -> Result<(), SettleError> {
        let shared = Arc::clone(&self.shared);
        let settled =
            spawn_blocking(move || settle(shared.disk.as_ref(), &shared.layout, session, at_ms))
                .await;
        let settled = settled.unwrap_or_else(|error| Err(io::Error::other(error)));
        settled.map_err(|source| SettleError { session, source })
    }

    /// How much room the disk has, now and whenever its level changes.
    #[must_use]
    pub fn space(&self) -> watch::Receiver<Space> {
        self.shared.watch.space.subscribe()
    }

    /// A recording that is being written, for those who watch it.
    #[must_use]
    pub fn live(&self, session: SessionId) -> Option<crate::Live> {
        let live = locked(&self.shared.watch.sessions).get(&session).and_then(Weak::upgrade)?;
        Some(crate::Live::new(live, self.shared.layout.clone()))
    }
}

impl Shared {
    fn begin(&self, opening: Opening) -> Result<Arc<Session>, OpenError> {
        self.check_space()?;
        let inbox = self.writers.least_busy().ok_or(OpenError::Stalled(self.config.stall))?;
        let session = opening.session;
        let random = || random().ok_or(OpenError::Randomness);
        let keys =
            KeyPair { output: ContentKey::new(random()?), input: ContentKey::new(random()?) };
        let wrapped = self.config.readers.wrap(session, &keys)?.to_json()?;
        let interval_ms =
            u32::try_from(self.config.commit_interval.as_millis()).unwrap_or(u32::MAX);
        let (at_ms, durability, terminal) =
            (opening.at_ms, opening.durability, opening.access.terminal);
        let header = Header::new(opening, random()?, interval_ms, &keys);
        let (writer, beginning) = Writer::begin(&header, &keys)?;
        let header = writer.header_digest();
        let work =
            self.begin_files(session, writer, &Beginning { header: &beginning, keys: &wrapped })?;
        let limits = Limits {
            queue_bytes: self.config.queue_bytes,
            commit_interval_us: u64::try_from(self.config.commit_interval.as_micros())
                .unwrap_or(u64::MAX),
            commit_bytes: self.config.commit_bytes,
        };
        inbox.n_sessions.fetch_add(1, Ordering::Relaxed);
        let clock = Arc::clone(&self.clock);
        let facts =
            Facts { id: session, at_ms, header, durability, terminal, keys, limits, clock, inbox };
        let begun = Arc::new(Session::new(facts, work));
        locked(&self.watch.sessions).insert(session, Arc::downgrade(&begun));
        Ok(begun)
    }

    /// Compresses a recording that was just sealed, where that is wanted and there is room. What fails leaves it raw,
    /// which is as good as evidence.
    pub(crate) fn pack(&self, session: &Session, raw: &Seal) -> Option<Seal> {
        let level = self.config.pack_level?;
        let space = self.watch.space.look(self.disk.as_ref(), &self.config.folder).ok()?;
        let room = space.free_bytes.saturating_sub(self.config.watermarks.drain_bytes);
        if raw.state != State::Sealed || raw.raw_bytes > self.config.pack_at_most_bytes.min(room) {
            return None;
        }
        let path = layout::file(&self.layout.open_folder(), session.id, Part::Raw);
        let heads = session.told_heads();
        let packed =
            Packed { raw: &path, keys: &session.keys, heads: &heads, salt: random()?, level };
        pack_file(self.disk.as_ref(), &packed).ok()
    }

    fn check_space(&self) -> Result<(), OpenError> {
        let space = self.watch.space.look(self.disk.as_ref(), &self.config.folder);
        let space = space
            .map_err(|source| OpenError::Disk { what: "ask how much room there is", source })?;
        match space.level {
            SpaceLevel::Enough => Ok(()),
            SpaceLevel::NoAdmission | SpaceLevel::Drain | SpaceLevel::Critical => {
                Err(OpenError::NoSpace {
                    free_bytes: space.free_bytes,
                    needed_bytes: space.watermarks.admission_bytes,
                })
            }
        }
    }

    fn begin_files(
        &self,
        session: SessionId,
        writer: Writer,
        beginning: &Beginning<'_>,
    ) -> Result<Work, OpenError> {
        let folder = self.layout.open_folder();
        let paths = Paths {
            raw: layout::file(&folder, session, Part::Raw),
            more: layout::file(&folder, session, Part::Continuation),
            ballast: self.layout.ballast(),
            folder,
        };
        let keys = layout::file(&paths.folder, session, Part::Keys);
        let begin_keys = || self.begin_keys(&keys, beginning.keys);
        // Both wait for the disk, which takes two files that are synced at once in the time of one.
        let (kept, begun) = std::thread::scope(|scope| {
            let kept = std::thread::Builder::new().spawn_scoped(scope, begin_keys);
            let begun =
                Work::begin(Arc::clone(&self.disk), paths.clone(), writer, beginning.header);
            let panicked = |_panic| Err(io::Error::other("the thread that wrote them panicked"));
            (kept.and_then(|thread| thread.join().unwrap_or_else(panicked)), begun)
        });
        let begun = begun.and_then(|work| self.disk.sync_folder(&paths.folder).map(|()| work));
        let error = |what| move |source| OpenError::Disk { what, source };
        kept.map_err(error("write the wrapped keys"))
            .and_then(|()| begun.map_err(error("write the header")))
            .inspect_err(|_error| {
                // What could not begin is nobody's; recovery would only find a session that never was.
                let _removed = [&paths.raw, &keys].map(|path| self.disk.remove(path).is_ok());
            })
    }

    fn begin_keys(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.disk.create(path)?;
        crate::disk::write_all(file.as_mut(), bytes)?;
        file.sync()
    }
}

/// The first bytes of a recording's files.
struct Beginning<'a> {
    header: &'a [u8],
    keys: &'a [u8],
}

/// 32 random bytes; none where the system has no randomness.
#[must_use]
pub fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).ok().map(|()| bytes)
}

/// Makes the folders and takes the lock.
fn prepare(disk: &dyn Disk, layout: &Layout) -> Result<FolderLock, StartError> {
    for path in [layout.open_folder(), layout.sealed_folder()] {
        let failed = |source| StartError::Folder { what: "make", path: path.clone(), source };
        disk.make_folder(&path).and_then(|()| disk.sync_folder(layout.root())).map_err(failed)?;
    }
    let path = layout.lock();
    let failed = |source| StartError::Folder { what: "lock", path: path.clone(), source };
    let taken = || StartError::Taken { path: layout.root().to_owned() };
    FolderLock::take(&path).map_err(failed)?.ok_or_else(taken)
}

/// Without a ballast recordings are ended in what each has reserved; so failing to make one is not an error.
fn make_ballast(disk: &dyn Disk, layout: &Layout, bytes: u64) {
    let path = layout.ballast();
    if !path.exists() && bytes > 0 {
        let made =
            disk.create(&path).and_then(|mut file| file.reserve(bytes).and_then(|()| file.sync()));
        if made.is_err() {
            // Half of one would only take room.
            let _removed = disk.remove(&path).is_ok();
        }
    }
}

/// Moves all files of a recording. The recording itself goes last, so that a start in between still finds it.
fn settle(disk: &dyn Disk, layout: &Layout, session: SessionId, at_ms: i64) -> io::Result<()> {
    let files = Files::open(layout, session);
    let folder = layout.day_folder(at_ms);
    if !fs::exists(&folder)? {
        disk.make_folder(&folder)?;
        disk.sync_folder(&layout.sealed_folder())?;
    }
    let mut parts = Part::ALL;
    parts.sort_by_key(|part| matches!(part, Part::Raw | Part::Packed));
    for part in parts {
        if let Some(path) = files.path(part) {
            disk.rename(&path, &layout::file(&folder, session, part))?;
        }
    }
    disk.sync_folder(&folder)?;
    disk.sync_folder(&layout.open_folder())
}
