//! The folder of a testbed, and the locks in it that say who uses it.
//!
//! | file | locked | by |
//! |---|---|---|
//! | `alive` | exclusively | the supervisor, until all is removed: a folder without it is of a dead testbed |
//! | `holders` | shared | everybody who uses the testbed; its first process waits for the exclusive lock |
//! | `starting` | exclusively | who brings it up, until it is |
//!
//! The kernel releases a lock when its process ends, so what they say is true after any crash. Folders are made,
//! found and swept under a lock of the folder that they are in.

use crate::cgroups;
use crate::spawned::until;
use anyhow::{Context as _, Result, bail, ensure};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "weir-cluster-";

/// Sockets are below the folder, and the path of a socket has at most 107 bytes.
const LONGEST_PATH: usize = 70;

/// What was written when a testbed was up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// The first process.
    pub(crate) init: u32,
    pub(crate) nodes: usize,
}

/// A name by which others find it, and the options that they must have as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) options: String,
}

pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    parent: PathBuf,
    pub(crate) id: String,
    /// For asking whether anybody is alive.
    alive: File,
    /// Until the supervisor has it.
    alive_to_pass: Option<File>,
    holding: Option<Flock<File>>,
    starting: Option<File>,
}

/// Who is holding a testbed that one stops to hold.
enum Left {
    Others,
    Nobody,
}

impl Folder {
    fn make(parent: &Path, shared: Option<&Shared>) -> Result<Self> {
        let mut random = [0; 6];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = parent.join(format!("{PREFIX}{id}"));
        ensure!(
            path.as_os_str().len() <= LONGEST_PATH,
            "{} is too long: paths of sockets below it would not fit, use another TMPDIR",
            path.display()
        );
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        let passed = File::create(path.join("alive"))?;
        passed.try_lock().context("locking a new folder")?;
        let starting = File::create(path.join("starting"))?;
        starting.try_lock().context("locking a new folder")?;
        File::create(path.join("holders"))?;
        fs::create_dir(path.join("logs"))?;
        if let Some(shared) = shared {
            fs::write(path.join("shared"), serde_json::to_string(shared)?)?;
        }
        let mut folder = Self::open(parent, &path)?;
        folder.alive_to_pass = Some(passed);
        folder.starting = Some(starting);
        ensure!(folder.hold()?, "somebody else has the lock of a new folder");
        Ok(folder)
    }

    fn open(parent: &Path, path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            path: path.to_owned(),
            parent: parent.to_owned(),
            id: name.trim_start_matches(PREFIX).to_owned(),
            alive: File::open(path.join("alive"))?,
            alive_to_pass: None,
            holding: None,
            starting: None,
        })
    }

    /// A new one.
    pub(crate) fn new(parent: &Path) -> Result<Self> {
        let _lock = lock(parent)?;
        Self::make(parent, None)
    }

    /// The one that others find by this name, or a new one if there is none: the caller brings it up.
    pub(crate) fn find_or_make(parent: &Path, shared: &Shared) -> Result<(Self, Option<State>)> {
        loop {
            let lock = lock(parent)?;
            let Some(mut folder) = find(parent, |found| found == shared)? else {
                return Ok((Self::make(parent, Some(shared))?, None));
            };
            let is_held = folder.hold()?;
            drop(lock);
            if is_held && let Some(state) = folder.state_when_up()? {
                return Ok((folder, Some(state)));
            }
            // It is going away, or who began it did not finish.
            folder.leave()?;
            folder.wait_until_gone()?;
        }
    }

    /// The one of this name that is up.
    pub(crate) fn find(parent: &Path, name: &str) -> Result<(Self, State)> {
        let lock = lock(parent)?;
        let folder = find(parent, |found| found.name == name)?;
        let mut folder = folder.with_context(|| format!("there is no testbed called {name}"))?;
        let is_held = folder.hold()?;
        drop(lock);
        let state = if is_held { folder.state_when_up()? } else { None };
        Ok((folder, state.with_context(|| format!("the testbed called {name} is going away"))?))
    }

    /// All whose supervisor is alive.
    pub(crate) fn all(parent: &Path) -> Result<Vec<Self>> {
        let _lock = lock(parent)?;
        let folders = paths(parent)?.into_iter().filter(|path| !is_dead(path).unwrap_or(true));
        Ok(folders.filter_map(|path| Self::open(parent, &path).ok()).collect())
    }

    pub(crate) fn shared(&self) -> Option<Shared> {
        serde_json::from_str(&fs::read_to_string(self.path.join("shared")).ok()?).ok()
    }

    pub(crate) fn state(&self) -> Option<State> {
        serde_json::from_str(&fs::read_to_string(self.path.join("state")).ok()?).ok()
    }

    /// Waits until it is up or will not be; nothing if its first process is dead.
    fn state_when_up(&self) -> Result<Option<State>> {
        match File::open(self.path.join("starting")) {
            Ok(starting) => starting.lock_shared()?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        Ok(self.state().filter(|state| self.has_process(state.init)))
    }

    /// Whether this process is the testbed's first one, and not a later one of the same number.
    pub(crate) fn has_process(&self, pid: u32) -> bool {
        let path = self.path.to_string_lossy().into_owned();
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == path.as_bytes())
    }

    pub(crate) fn is_up(&mut self, state: &State) -> Result<()> {
        let unfinished = self.path.join("state.unfinished");
        fs::write(&unfinished, serde_json::to_string(state)?)?;
        fs::rename(unfinished, self.path.join("state"))?;
        self.starting = None;
        Ok(())
    }

    pub(crate) fn control_group(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// Its lock as a descriptor, for the supervisor.
    pub(crate) fn take_alive(&mut self) -> Result<File> {
        self.alive_to_pass.take().context("a testbed has one supervisor")
    }

    /// Whether it could be held; it cannot once its first process saw that nobody held it.
    fn hold(&mut self) -> Result<bool> {
        let file = match File::open(self.path.join("holders")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        self.holding = Flock::lock(file, FlockArg::LockSharedNonblock).ok();
        Ok(self.holding.is_some())
    }

    /// Stops to hold it, and waits until all is gone if nobody else does.
    pub(crate) fn end(&mut self) -> Result<()> {
        match self.leave()? {
            Left::Others => Ok(()),
            Left::Nobody => self.wait_until_gone(),
        }
    }

    /// The same when its first process was killed, whoever holds it still.
    pub(crate) fn end_for_all(&mut self) -> Result<()> {
        self.leave()?;
        self.wait_until_gone()
    }

    fn leave(&mut self) -> Result<Left> {
        drop((self.alive_to_pass.take(), self.starting.take()));
        let Some(holding) = self.holding.take() else { return Ok(Left::Nobody) };
        // The exclusive lock is not granted if others hold it, or if the first process was quicker.
        let others = holding.relock(FlockArg::LockExclusiveNonblock).is_err()
            && holding.relock(FlockArg::LockSharedNonblock).is_ok();
        Ok(if others { Left::Others } else { Left::Nobody })
    }

    /// Waits for the supervisor, which removes everything; if it was killed, we do.
    pub(crate) fn wait_until_gone(&self) -> Result<()> {
        until("the testbed's processes end", Duration::from_secs(30), || {
            match self.alive.try_lock() {
                // Others ask, too.
                Ok(()) => self.alive.unlock().map(|()| true).context("unlocking a folder"),
                Err(TryLockError::WouldBlock) => Ok(false),
                Err(TryLockError::Error(error)) => Err(error.into()),
            }
        })?;
        let _lock = lock(&self.parent)?;
        remove(&self.path)
    }
}

/// Removes what testbeds left whose supervisor was killed.
pub(crate) fn sweep(parent: &Path) -> Result<()> {
    let _lock = lock(parent)?;
    for path in paths(parent)? {
        if is_dead(&path)? {
            remove(&path)?;
        }
    }
    Ok(())
}

fn lock(parent: &Path) -> Result<File> {
    let folder = File::open(parent).with_context(|| format!("opening {}", parent.display()))?;
    folder.lock().with_context(|| format!("locking {}", parent.display()))?;
    Ok(folder)
}

fn find(parent: &Path, is_wanted: impl Fn(&Shared) -> bool) -> Result<Option<Folder>> {
    for path in paths(parent)? {
        if is_dead(&path)? {
            continue;
        }
        match Folder::open(parent, &path) {
            Ok(folder) if folder.shared().as_ref().is_some_and(&is_wanted) => {
                return Ok(Some(folder));
            }
            // The supervisor may be removing it just now.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

fn paths(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn is_dead(path: &Path) -> Result<bool> {
    let alive = match File::open(path.join("alive")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    match alive.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn remove(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with(PREFIX) {
        bail!("{} is no folder of a testbed", path.display());
    }
    cgroups::remove(&name)?;
    until("the testbed's folder is removed", Duration::from_secs(10), || {
        // Processes that were killed a moment ago may still write.
        Ok(matches!(fs::remove_dir_all(path), Ok(())) || !path.exists())
    })
}
