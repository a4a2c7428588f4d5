//! A network namespace, kept by its descriptor and by nothing else.

use crate::FabricError;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The namespace of the thread that asks.
const OWN: &str = "/proc/thread-self/ns/net";

#[derive(Debug)]
pub struct Namespace {
    file: OwnedFd,
    /// A socket stays where it was opened, so changes need no visit.
    socket: Mutex<Socket>,
}

impl Namespace {
    /// A namespace with nothing in it but a loopback interface that is down.
    pub fn create() -> Result<Self, FabricError> {
        let mut made = Self::create_many(1, || Ok(()))?;
        made.pop().ok_or_else(|| FabricError::Create(io::Error::other("none was made")))
    }

    /// Several at once, in one thread; `prepare` is called inside each.
    pub fn create_many(
        count: usize,
        prepare: impl Fn() -> Result<(), FabricError> + Sync,
    ) -> Result<Vec<Self>, FabricError> {
        in_thread(|| {
            let make = |_| {
                unshare(CloneFlags::CLONE_NEWNET).map_err(|e| FabricError::Create(e.into()))?;
                prepare()?;
                Self::of_this_thread()
            };
            (0..count).map(make).collect()
        })?
    }

    /// The one that the calling thread is in.
    pub fn of_this_thread() -> Result<Self, FabricError> {
        let file = File::open(OWN).map_err(FabricError::Create)?.into();
        let socket = netlink_socket().map_err(FabricError::Netlink)?;
        Ok(Self { file, socket: Mutex::new(socket) })
    }

    /// Runs `work` inside, in a thread of its own. What it opens or starts stays inside.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, FabricError> {
        enter(self.file.as_fd(), work)
    }

    pub(crate) fn socket(&self) -> MutexGuard<'_, Socket> {
        // A request is whole or was never sent: a panic elsewhere leaves nothing half done here.
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// As [`Namespace::enter`], for a descriptor that somebody else opened.
pub(crate) fn enter<T: Send>(
    file: BorrowedFd<'_>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, FabricError> {
    in_thread(|| {
        setns(file, CloneFlags::CLONE_NEWNET).map_err(|e| FabricError::Enter(e.into()))?;
        Ok(work())
    })?
}

/// Namespaces belong to threads: whoever changes them does so in one that ends.
pub(crate) fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, FabricError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work);
        match thread.map_err(FabricError::Thread)?.join() {
            Ok(done) => Ok(done),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn netlink_socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}
