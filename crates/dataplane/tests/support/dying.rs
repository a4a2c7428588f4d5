//! Work in a process of its own, which may be killed anywhere.

#![expect(unsafe_code, reason = "a process is forked")]

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) struct Process {
    id: Pid,
}

/// What became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Killed,
    /// Its work was done before.
    Finished,
}

/// The process has the namespaces of the calling thread, and of its other threads none.
pub(crate) fn start(work: impl FnOnce()) -> Process {
    // SAFETY: what the child calls takes no lock that another thread of ours may hold, but the allocator's,
    // which survives a fork, and it ends without unwinding.
    match unsafe { fork() }.expect("a process can be made") {
        ForkResult::Parent { child } => Process { id: child },
        ForkResult::Child => {
            let code = i32::from(catch_unwind(AssertUnwindSafe(work)).is_err());
            // SAFETY: nothing of the parent is run or flushed.
            unsafe { nix::libc::_exit(code) }
        }
    }
}

impl Process {
    /// # Panics
    /// If the work panicked.
    pub(crate) fn kill(self) -> End {
        // It may have ended by itself, and is not waited for yet.
        kill(self.id, Signal::SIGKILL).expect("it is ours");
        self.wait()
    }

    /// # Panics
    /// If the work panicked.
    pub(crate) fn wait(self) -> End {
        let status = waitpid(self.id, None).expect("it is ours");
        if status == WaitStatus::Exited(self.id, 0) {
            return End::Finished;
        }
        assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
        End::Killed
    }
}
