//! The few bpf(2) calls that libbpf-rs does not wrap: links of tcx and netfilter, pins of any object, and
//! runs of a program from user space.

#![expect(unsafe_code, reason = "system calls take pointers and give descriptors")]

use libbpf_rs::libbpf_sys as sys;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Which side of an interface, as the host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcxSide {
    /// What the pod sends.
    Ingress,
    /// What the pod receives.
    Egress,
}

impl TcxSide {
    fn attach_type(self) -> sys::bpf_attach_type {
        match self {
            Self::Ingress => sys::BPF_TCX_INGRESS,
            Self::Egress => sys::BPF_TCX_EGRESS,
        }
    }
}

/// A netfilter hook of one family, with packets put together from their fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NetfilterHook {
    pub(crate) family: u32,
    pub(crate) hook: u32,
    pub(crate) priority: i32,
}

/// `BPF_F_NETFILTER_IP_DEFRAG` of the kernel's `bpf.h`, since Linux 6.6.
const NETFILTER_DEFRAG: u32 = 1;

/// Before all programs that are there; as long as the descriptor, or a pin of it, is.
pub fn link_tcx(program: BorrowedFd<'_>, interface: u32, side: TcxSide) -> io::Result<OwnedFd> {
    let mut options = sys::bpf_link_create_opts {
        sz: size_of::<sys::bpf_link_create_opts>() as _,
        flags: sys::BPF_F_BEFORE,
        ..Default::default()
    };
    options.__bindgen_anon_1.tcx = Default::default();
    link(program, interface, side.attach_type(), &options)
}

/// In the network namespace of the calling thread.
pub(crate) fn link_netfilter(program: BorrowedFd<'_>, hook: NetfilterHook) -> io::Result<OwnedFd> {
    let NetfilterHook { family: pf, hook: hooknum, priority } = hook;
    let mut options = sys::bpf_link_create_opts {
        sz: size_of::<sys::bpf_link_create_opts>() as _,
        ..Default::default()
    };
    options.__bindgen_anon_1.netfilter = sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_5 {
        pf,
        hooknum,
        priority,
        flags: NETFILTER_DEFRAG,
    };
    link(program, 0, sys::BPF_NETFILTER, &options)
}

fn link(
    program: BorrowedFd<'_>,
    target: u32,
    kind: sys::bpf_attach_type,
    options: &sys::bpf_link_create_opts,
) -> io::Result<OwnedFd> {
    let target = i32::try_from(target).map_err(io::Error::other)?;
    // SAFETY: the options outlive the call; the program is open.
    let fd = unsafe { sys::bpf_link_create(program.as_raw_fd(), target, kind, options) };
    owned(fd)
}

/// Exchanges the program of a link: each packet runs the old or the new one.
pub(crate) fn exchange_program(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both are open; no options.
    let result =
        unsafe { sys::bpf_link_update(link.as_raw_fd(), program.as_raw_fd(), ptr::null()) };
    checked(result)
}

/// The program no longer runs when this returns, whoever still has the link.
pub(crate) fn end_link(link: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the link is open.
    checked(unsafe { sys::bpf_link_detach(link.as_raw_fd()) })
}

/// Pins a map, program or link.
pub(crate) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path is a C string that outlives the call.
    checked(unsafe { sys::bpf_obj_pin(object.as_raw_fd(), path.as_ptr()) })
}

pub(crate) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: the path is a C string that outlives the call.
    owned(unsafe { sys::bpf_obj_get(path.as_ptr()) })
}

/// The ids of all programs on one side of an interface, in the order in which they run.
pub(crate) fn tcx_programs(interface: u32, side: TcxSide) -> io::Result<Vec<u32>> {
    let target = i32::try_from(interface).map_err(io::Error::other)?;
    let mut ids = [0_u32; 64];
    let mut options = sys::bpf_prog_query_opts {
        sz: size_of::<sys::bpf_prog_query_opts>() as _,
        prog_ids: ids.as_mut_ptr(),
        ..Default::default()
    };
    options.__bindgen_anon_1.count = 64;
    // SAFETY: the options and the array that they point to outlive the call.
    checked(unsafe { sys::bpf_prog_query_opts(target, side.attach_type(), &raw mut options) })?;
    // SAFETY: the kernel wrote how many it found.
    let count = unsafe { options.__bindgen_anon_1.count } as usize;
    Ok(ids.into_iter().take(count).collect())
}

pub(crate) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = sys::bpf_prog_info::default();
    let mut length = u32::try_from(size_of::<sys::bpf_prog_info>()).unwrap_or_default();
    // SAFETY: the structure is as long as we say, and outlives the call.
    checked(unsafe {
        sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut length)
    })?;
    Ok(info.id)
}

/// The program that a link runs.
pub(crate) fn linked_program(link: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = sys::bpf_link_info::default();
    let mut length = u32::try_from(size_of::<sys::bpf_link_info>()).unwrap_or_default();
    // SAFETY: the structure is as long as we say, and outlives the call.
    checked(unsafe {
        sys::bpf_link_get_info_by_fd(link.as_raw_fd(), &raw mut info, &raw mut length)
    })?;
    Ok(info.prog_id)
}

/// Runs a `syscall` program once; its return value.
pub(crate) fn run(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut options = sys::bpf_test_run_opts {
        sz: size_of::<sys::bpf_test_run_opts>() as _,
        ..Default::default()
    };
    // SAFETY: no buffers; the options outlive the call.
    checked(unsafe { sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut options) })?;
    Ok(options.retval)
}

/// Runs a `tc` program once over a packet, which it may change; its return value.
pub(crate) fn run_over(program: BorrowedFd<'_>, packet: &mut [u8]) -> io::Result<u32> {
    let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
    let mut options = sys::bpf_test_run_opts {
        sz: size_of::<sys::bpf_test_run_opts>() as _,
        data_in: packet.as_ptr().cast(),
        data_size_in: length,
        data_out: packet.as_mut_ptr().cast(),
        data_size_out: length,
        ..Default::default()
    };
    // SAFETY: the kernel reads and writes no more than the packet, which outlives the call.
    checked(unsafe { sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut options) })?;
    Ok(options.retval)
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

fn owned(fd: i32) -> io::Result<OwnedFd> {
    checked(fd)?;
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// libbpf returns the negative error number.
fn checked(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}
