//! Classifiers of the clsact qdisc: what kernels have without tcx, and what every kernel attaches at once.
//!
//! The qdisc itself stays when a classifier goes: others may have theirs there.

use crate::calls::TcxSide;
use crate::kernel_store::of_libbpf;
use libbpf_rs::{ErrorKind, TC_EGRESS, TC_INGRESS, TcAttachPoint, TcHook, TcHookBuilder};
use nix::net::if_::if_indextoname;
use std::io;
use std::os::fd::BorrowedFd;

/// Others may have filters too; this is the first to run.
const PRIORITY: u32 = 1;
/// Ours, whatever process attached it.
const HANDLE: u32 = 0x5745;

fn hook(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<TcHook> {
    let interface = i32::try_from(interface).map_err(io::Error::other)?;
    let point: TcAttachPoint = match side {
        TcxSide::Ingress => TC_INGRESS,
        TcxSide::Egress => TC_EGRESS,
    };
    let mut builder = TcHookBuilder::new(program);
    builder.ifindex(interface).replace(true).handle(HANDLE).priority(PRIORITY);
    Ok(builder.hook(point))
}

/// That a qdisc is there already, or is not, is no news for a terminal.
fn quietly<T>(call: impl FnOnce() -> T) -> T {
    let print = libbpf_rs::set_print(None);
    let done = call();
    libbpf_rs::set_print(print);
    done
}

pub(super) fn attach(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<()> {
    let mut hook = hook(program, interface, side)?;
    match quietly(|| hook.create()) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(of_interface(interface, error)),
    }
    hook.attach().map(drop).map_err(|error| of_interface(interface, error))
}

/// The program in our place. `any` is a descriptor, of whatever.
pub(super) fn program(
    any: BorrowedFd<'_>,
    interface: u32,
    side: TcxSide,
) -> io::Result<Option<u32>> {
    let mut hook = hook(any, interface, side)?;
    match quietly(|| hook.query()) {
        Ok(id) => Ok(Some(id)),
        Err(error) => absent(of_interface(interface, error)).map(|()| None),
    }
}

/// A filter is found by its place; which program it runs does not matter.
pub(super) fn detach(any: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<()> {
    let mut hook = hook(any, interface, side)?;
    quietly(|| hook.detach()).map_err(|error| of_interface(interface, error)).or_else(absent)
}

/// libbpf-rs does not say which number the kernel gave. Where nobody has this index, nix gives no name, and
/// some versions no error.
fn of_interface(interface: u32, error: libbpf_rs::Error) -> io::Error {
    if if_indextoname(interface).is_ok_and(|name| !name.is_empty()) {
        of_libbpf(error)
    } else {
        io::Error::from_raw_os_error(nix::libc::ENODEV)
    }
}

/// There is no such filter, no such qdisc, or no such interface.
fn absent(error: io::Error) -> io::Result<()> {
    let is_absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput)
        || error.raw_os_error() == Some(nix::libc::ENODEV);
    if is_absent { Ok(()) } else { Err(error) }
}
