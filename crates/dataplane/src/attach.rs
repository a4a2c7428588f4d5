//! Where the programs run: at the host end of each pod's interface, and behind the translation of Services.
//!
//! Every link is pinned, so that it outlives this process. What cannot be pinned, a clsact filter, belongs
//! to its interface.

use crate::calls::{self, NetfilterHook, TcxSide};
use libbpf_rs::{TC_EGRESS, TC_INGRESS, TcAttachPoint, TcHook, TcHookBuilder};
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

/// Others may have filters too; this is the first to run.
const CLSACT_PRIORITY: u32 = 1;
/// Ours, whatever process attached it.
const CLSACT_HANDLE: u32 = 0x5745;

/// Behind DNAT (-100), before SNAT (100), in the order of `linux/netfilter_ipv4.h`.
const POSTROUTING_PRIORITY: i32 = 95;
/// Behind everything that the kernel does to a packet for this host.
const LOCAL_IN_PRIORITY: i32 = 101;
const LOCAL_IN: u32 = 1;
const POSTROUTING: u32 = 4;
const IPV4: u32 = 2;
const IPV6: u32 = 10;

/// What a look at one attachment found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attached {
    /// It runs, before all others.
    First,
    /// It runs, and programs of others run before it.
    Behind,
    Missing,
}

/// The programs, as descriptors that outlive the object.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) from_pod: OwnedFd,
    pub(crate) to_pod: OwnedFd,
    pub(crate) behind_service: OwnedFd,
    pub(crate) sweep: OwnedFd,
    pub(crate) ask: OwnedFd,
    pub(crate) restore: OwnedFd,
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

    /// Attaches to both sides, or exchanges the program of what is attached. No packet passes between.
    pub(crate) fn attach(&self, programs: &Programs, interface: u32) -> io::Result<()> {
        for (side, program) in sides(programs) {
            match self.hook {
                Hook::Tcx => self.attach_tcx(program, interface, side)?,
                Hook::Clsact => attach_clsact(program, interface, side)?,
            }
        }
        Ok(())
    }

    fn attach_tcx(&self, program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<()> {
        let path = self.path(interface, side);
        match calls::open_pin(&path) {
            Ok(link) if calls::linked_program(link.as_fd())? != 0 => {
                return calls::exchange_program(link.as_fd(), program);
            }
            // Its interface is gone, and the number belongs to another one now.
            Ok(_) => fs::remove_file(&path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let link = calls::link_tcx(program, interface, side)?;
        calls::pin(link.as_fd(), &path)
    }

    pub(crate) fn look(&self, programs: &Programs, interface: u32) -> io::Result<Attached> {
        let mut worst = Attached::First;
        for (side, program) in sides(programs) {
            let found = match self.hook {
                Hook::Tcx => look_at_tcx(program, interface, side)?,
                Hook::Clsact => look_at_clsact(program, interface, side)?,
            };
            worst = worst.max(found);
        }
        Ok(worst)
    }

    /// Ends enforcement on an interface, which may be gone already.
    pub(crate) fn detach(&self, programs: &Programs, interface: u32) -> io::Result<()> {
        for (side, program) in sides(programs) {
            match self.hook {
                Hook::Tcx => remove_link(&self.path(interface, side))?,
                Hook::Clsact => detach_clsact(program, interface, side)?,
            }
        }
        Ok(())
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

fn look_at_tcx(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<Attached> {
    let ours = calls::program_id(program)?;
    let all = calls::tcx_programs(interface, side)?;
    Ok(match all.iter().position(|id| *id == ours) {
        Some(0) => Attached::First,
        Some(_) => Attached::Behind,
        None => Attached::Missing,
    })
}

fn clsact(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<TcHook> {
    let interface = i32::try_from(interface).map_err(io::Error::other)?;
    let point: TcAttachPoint = match side {
        TcxSide::Ingress => TC_INGRESS,
        TcxSide::Egress => TC_EGRESS,
    };
    let mut builder = TcHookBuilder::new(program);
    builder.ifindex(interface).replace(true).handle(CLSACT_HANDLE).priority(CLSACT_PRIORITY);
    Ok(builder.hook(point))
}

fn attach_clsact(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<()> {
    let mut hook = clsact(program, interface, side)?;
    // That it is there already is no news for a terminal.
    let print = libbpf_rs::set_print(None);
    let created = hook.create();
    libbpf_rs::set_print(print);
    match created {
        Ok(_) => {}
        Err(error) if error.kind() == libbpf_rs::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(crate::kernel_store::of_libbpf(error)),
    }
    hook.attach().map(drop).map_err(crate::kernel_store::of_libbpf)
}

fn look_at_clsact(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<Attached> {
    let ours = calls::program_id(program)?;
    match clsact(program, interface, side)?.query() {
        Ok(id) if id == ours => Ok(Attached::First),
        Ok(_) => Ok(Attached::Missing),
        Err(error) if error.kind() == libbpf_rs::ErrorKind::NotFound => Ok(Attached::Missing),
        Err(error) => Err(crate::kernel_store::of_libbpf(error)),
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
            match detach_clsact(any.as_fd(), *interface, side) {
                // There is no such qdisc, or no such interface.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                other => other?,
            }
        }
    }
    Ok(())
}

fn detach_clsact(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<()> {
    match clsact(program, interface, side)?.detach() {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == libbpf_rs::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(crate::kernel_store::of_libbpf(error)),
    }
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
