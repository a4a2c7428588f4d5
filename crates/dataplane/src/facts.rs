//! What the running kernel says about itself.

use crate::kernel_store::of_libbpf;
use libbpf_rs::btf::{Btf, types::Struct};
use std::io;

/// The number that the kernel's type information gives `struct nf_conn`, an entry of its connection tracker:
/// how the hook behind Services reads which backend was taken. 0: the kernel has none.
///
/// Only the kernel's own types are asked, not those of modules, because `bpf_rdonly_cast` knows no others. A
/// kernel with the tracker in a module has the type all the same: its flow dissector, which is never in one,
/// reads such entries.
pub fn tracked_connection_type() -> io::Result<u32> {
    let kernel = Btf::from_vmlinux().map_err(of_libbpf)?;
    let tracked = kernel.type_by_name::<Struct<'_>>("nf_conn");
    Ok(tracked.map_or(0, |tracked| tracked.type_id().into()))
}
