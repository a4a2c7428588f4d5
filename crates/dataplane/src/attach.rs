//! Where the programs run: at the host end of each pod's interface, and behind the translation of Services.
//!
//! Every link is pinned, so that it outlives this process. What cannot be pinned, a clsact filter, belongs
//! to its interface.
//!
//! The kernel holds its one lock of all networks for each program that gets at an interface by tcx, and waits
//! until every packet has gone that was on its way (two ticks of the clock, or four). Where there are many
//! interfaces at once they get a clsact filter, which waits for nothing, and are moved to tcx one by one: a
//! program that does nothing is linked, exchanged for ours, and the filter goes. A packet in between runs ours
//! twice, never not at all.

mod clsact;

use crate::calls::{self, NetfilterHook, TcxSide};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How programs get at an interface's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Since Linux 6.6: pinned links, which others cannot replace.
    Tcx,
    /// A classifier of the clsact qdisc, for older kernels.
    Clsact,
}

/// Behind DNAT (-100), before SNAT (100), in the order of `linux/netfilter_ipv4.h`.
const POSTROUTING_PRIORITY: i32 = 95;
/// Behind everything that the kernel does to a packet for this host.
const LOCAL_IN_PRIORITY: i32 = 101;
const LOCAL_IN: u32 = 1;
const POSTROUTING: u32 = 4;
const IPV4: u32 = 2;
const IPV6: u32 = 10;

/// How an interface is attached to where tcx is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    AsWanted,
    /// By clsact at first, until [`Links::move_to_tcx`].
    Quick,
}

/// The programs, as descriptors that outlive the object.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) from_pod: OwnedFd,
    pub(crate) to_pod: OwnedFd,
    pub(crate) nothing: OwnedFd,
    pub(crate) behind_service: OwnedFd,
    pub(crate) sweep: OwnedFd,
    pub(crate) ask: OwnedFd,
    pub(crate) restore: OwnedFd,
    pub(crate) watch: OwnedFd,
}

/// The folder of pinned links.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    folder: PathBuf,
    hook: Hook,
}

impl Links {
    pub(crate) fn new(folder: PathBuf, hook: Hook) -> Self {
        Self { folder, hook }
    }

    /// Attaches to both sides, or exchanges the program of what is attached. No packet passes between. Whether
    /// the interface is to be moved to tcx.
    pub(crate) fn attach(
        &self,
        programs: &Programs,
        interface: u32,
        haste: Haste,
    ) -> io::Result<bool> {
        let mut to_be_moved = false;
        for (side, program) in sides(programs) {
            match self.hook {
                Hook::Tcx => {
                    to_be_moved |= self.attach_for_tcx(program, interface, side, haste)?;
                }
                Hook::Clsact => clsact::attach(program, interface, side)?,
            }
        }
        Ok(to_be_moved)
    }

    fn attach_for_tcx(
        &self,
        program: BorrowedFd<'_>,
        interface: u32,
        side: TcxSide,
        haste: Haste,
    ) -> io::Result<bool> {
        if self.exchange(program, interface, side)? {
            clsact::detach(program, interface, side)?;
            return Ok(false);
        }
        if haste == Haste::Quick || clsact::program(program, interface, side)?.is_some() {
            clsact::attach(program, interface, side)?;
            return Ok(true);
        }
        let link = calls::link_tcx(program, interface, side)?;
        calls::pin(link.as_fd(), &self.path(interface, side))?;
        Ok(false)
    }

    /// Whether there was a link whose program could be exchanged. One of an interface that is gone is cleared.
    fn exchange(&self, program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<bool> {
        let path = self.path(interface, side);
        let link = match calls::open_pin(&path) {
            Ok(link) => link,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match calls::exchange_program(link.as_fd(), program) {
            Ok(()) => Ok(true),
            // The number may belong to another interface now.
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOLINK) => {
                fs::remove_file(&path)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// What runs by clsact until tcx has its place.
    pub(crate) fn move_to_tcx(&self, programs: &Programs, interface: u32) -> io::Result<()> {
        for (side, program) in sides(programs) {
            if clsact::program(program, interface, side)?.is_none() {
                continue;
            }
            if !self.exchange(program, interface, side)? {
                let link = calls::link_tcx(programs.nothing.as_fd(), interface, side)?;
                calls::exchange_program(link.as_fd(), program)?;
                calls::pin(link.as_fd(), &self.path(interface, side))?;
            }
            clsact::detach(program, interface, side)?;
        }
        Ok(())
    }

    /// Whether ours runs, whatever else does.
    fn runs(&self, program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<bool> {
        let by_tcx = match self.hook {
            Hook::Tcx => runs_by_tcx(program, interface, side)?,
            Hook::Clsact => false,
        };
        let by_clsact = || {
            let found = clsact::program(program, interface, side)?;
            Ok(found == Some(calls::program_id(program)?))
        };
        if by_tcx { Ok(true) } else { by_clsact() }
    }

    /// Attaches on the sides where somebody detached it; whether there was one. The other stays as it is.
    pub(crate) fn repair(&self, programs: &Programs, interface: u32) -> io::Result<bool> {
        let mut repaired = false;
        for (side, program) in sides(programs) {
            if self.runs(program, interface, side)? {
                continue;
            }
            self.detach_from(program, interface, side)?;
            match self.hook {
                Hook::Tcx => {
                    self.attach_for_tcx(program, interface, side, Haste::AsWanted)?;
                }
                Hook::Clsact => clsact::attach(program, interface, side)?,
            }
            repaired = true;
        }
        Ok(repaired)
    }

    /// Ends enforcement on an interface, which may be gone already.
    pub(crate) fn detach(&self, programs: &Programs, interface: u32) -> io::Result<()> {
        for (side, program) in sides(programs) {
            self.detach_from(program, interface, side)?;
        }
        Ok(())
    }

    fn detach_from(
        &self,
        program: BorrowedFd<'_>,
        interface: u32,
        side: TcxSide,
    ) -> io::Result<()> {
        remove_link(&self.path(interface, side))?;
        clsact::detach(program, interface, side)
    }

    /// Both families at both places, in the network namespace of the calling thread.
    ///
    /// The kernel exchanges no program of such a link. A new one is linked beside the old, one priority further,
    /// and then the old one is unlinked: a packet passes one of them or both.
    pub(crate) fn attach_behind_services(&self, programs: &Programs) -> io::Result<()> {
        let program = programs.behind_service.as_fd();
        let ours = calls::program_id(program)?;
        for (name, hook) in netfilter_hooks() {
            let places = [0, 1].map(|turn| {
                let hook = NetfilterHook { priority: hook.priority + turn, ..hook };
                (self.folder.join(format!("{name}-{turn}")), hook)
            });
            let mut linked = [None, None];
            for (found, (path, _)) in linked.iter_mut().zip(&places) {
                *found = linked_at(path)?;
            }
            let [(first, at_first), (second, at_second)] = &places;
            match linked {
                [Some(id), _] if id == ours => remove_link(second)?,
                [_, Some(id)] if id == ours => remove_link(first)?,
                [Some(_), _] => {
                    remove_link(second)?;
                    pin_netfilter(program, *at_second, second)?;
                    remove_link(first)?;
                }
                [None, other] => {
                    pin_netfilter(program, *at_first, first)?;
                    if other.is_some() {
                        remove_link(second)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn detach_behind_services(&self) -> io::Result<()> {
        for (name, _) in netfilter_hooks() {
            for turn in [0, 1] {
                remove_link(&self.folder.join(format!("{name}-{turn}")))?;
            }
        }
        Ok(())
    }

    fn path(&self, interface: u32, side: TcxSide) -> PathBuf {
        let side = match side {
            TcxSide::Ingress => "from",
            TcxSide::Egress => "to",
        };
        self.folder.join(format!("{interface}-{side}"))
    }
}

/// What the pod sends comes in at the host's end.
fn sides(programs: &Programs) -> [(TcxSide, BorrowedFd<'_>); 2] {
    [(TcxSide::Ingress, programs.from_pod.as_fd()), (TcxSide::Egress, programs.to_pod.as_fd())]
}

fn netfilter_hooks() -> [(&'static str, NetfilterHook); 4] {
    let at = |family, hook, priority| NetfilterHook { family, hook, priority };
    [
        ("postrouting-ipv4", at(IPV4, POSTROUTING, POSTROUTING_PRIORITY)),
        ("postrouting-ipv6", at(IPV6, POSTROUTING, POSTROUTING_PRIORITY)),
        ("local-in-ipv4", at(IPV4, LOCAL_IN, LOCAL_IN_PRIORITY)),
        ("local-in-ipv6", at(IPV6, LOCAL_IN, LOCAL_IN_PRIORITY)),
    ]
}

/// The program of a pinned link.
fn linked_at(path: &Path) -> io::Result<Option<u32>> {
    match calls::open_pin(path) {
        Ok(link) => calls::linked_program(link.as_fd()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn pin_netfilter(program: BorrowedFd<'_>, hook: NetfilterHook, path: &Path) -> io::Result<()> {
    let link = calls::link_netfilter(program, hook)?;
    calls::pin(link.as_fd(), path)
}

fn runs_by_tcx(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<bool> {
    match calls::tcx_programs(interface, side) {
        Ok(all) => Ok(all.contains(&calls::program_id(program)?)),
        // Some kernels say so where there is nothing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends what any process attached to the interface, by whatever hook.
pub(crate) fn detach_all(links: &Path, interfaces: &[u32]) -> io::Result<()> {
    for link in fs::read_dir(links)? {
        remove_link(&link?.path())?;
    }
    // A filter is found by its place; which program it runs does not matter.
    let any = fs::File::open("/dev/null")?;
    for interface in interfaces {
        for side in [TcxSide::Ingress, TcxSide::Egress] {
            clsact::detach(any.as_fd(), *interface, side)?;
        }
    }
    Ok(())
}

/// Without its pin a link ends only after a moment, so it is ended first.
fn remove_link(path: &Path) -> io::Result<()> {
    match calls::open_pin(path) {
        Ok(link) => calls::end_link(link.as_fd())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
