//! What the kernel knows of the types of two maps, an older and a newer one.

use crate::kernel_store::of_libbpf;
use crate::layout::{Layout, LayoutError};
use libbpf_rs::btf::Btf;
use libbpf_rs::query::BtfInfoIter;
use libbpf_rs::{MapCore, MapHandle};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;

pub(super) struct Types {
    old: Btf<'static>,
    new: Btf<'static>,
}

impl Types {
    /// All maps of one object have one set of types.
    pub(super) fn of(old: &MapHandle, new: &MapHandle) -> io::Result<Self> {
        let [old, new] = [old, new].map(|map| map.info().map(|found| found.info.btf_id));
        let (old, new) = (old.map_err(of_libbpf)?, new.map_err(of_libbpf)?);
        let (mut of_old, mut of_new) = (None, None);
        for types in BtfInfoIter::default() {
            of_old = if types.id == old { Some(parse(&types.btf)?) } else { of_old };
            of_new = if types.id == new { Some(parse(&types.btf)?) } else { of_new };
        }
        let unknown = || io::Error::other("the kernel does not know the maps' types");
        Ok(Self { old: of_old.ok_or_else(unknown)?, new: of_new.ok_or_else(unknown)? })
    }

    /// Of keys and of values.
    pub(super) fn layouts(
        &self,
        old: &MapHandle,
        new: &MapHandle,
    ) -> io::Result<Result<[Layout; 2], LayoutError>> {
        let old = old.info().map_err(of_libbpf)?.info;
        let new = new.info().map_err(of_libbpf)?.info;
        let of = |old, new| Layout::between((&self.old, old), (&self.new, new));
        let keys = of(old.btf_key_type_id, new.btf_key_type_id);
        let values = of(old.btf_value_type_id, new.btf_value_type_id);
        Ok(keys.and_then(|keys| Ok([keys, values?])))
    }

    pub(super) fn structure(&self, name: &str) -> Result<Layout, LayoutError> {
        Layout::between_named(name, &self.old, &self.new)
    }
}

/// The library reads types from files only.
fn parse(bytes: &[u8]) -> io::Result<Btf<'static>> {
    let mut file = File::from(memfd_create(c"types", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Btf::from_path(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(of_libbpf)
}
