//! Opens the object with its settings and loads it. It pins and attaches nothing.

use crate::skeleton::types::{limits, settings};
use crate::skeleton::{DataPlaneSkel, DataPlaneSkelBuilder, OpenDataPlaneSkel};
use libbpf_rs::OpenObject;
use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use std::mem::MaybeUninit;

/// Of every layout that is pinned; it is part of the pins' folder.
pub(crate) const SCHEMA: u32 = limits::ABI_SCHEMA.0;

const SECOND: u64 = 1_000_000_000;

/// The timeouts of `docs/design/data-plane.md`, and a quota of an eighth of the connection table.
pub const DEFAULT_SETTINGS: settings = settings {
    tcp_opening: 60 * SECOND,
    tcp_open: 8_000 * SECOND,
    tcp_closing: 120 * SECOND,
    tcp_closed: 10 * SECOND,
    udp_unanswered: 30 * SECOND,
    udp_answered: 180 * SECOND,
    icmp: 30 * SECOND,
    other: 600 * SECOND,
    active_report: 30 * SECOND,
    fragments: 30 * SECOND,
    unattended: 5 * SECOND,
    pod_connections: 32_768,
    nf_conn_btf_id: 0,
};

/// Opens the object, so that map sizes and pins can still be changed before it is loaded.
pub fn open<'object>(
    storage: &'object mut MaybeUninit<OpenObject>,
    settings: &settings,
) -> libbpf_rs::Result<OpenDataPlaneSkel<'object>> {
    let mut object = DataPlaneSkelBuilder::default().open(storage)?;
    if let Some(rodata) = object.maps.rodata_data.as_deref_mut() {
        rodata.settings = *settings;
    }
    Ok(object)
}

/// Opens the object and loads it into the kernel as it is.
pub fn load<'object>(
    storage: &'object mut MaybeUninit<OpenObject>,
    settings: &settings,
) -> libbpf_rs::Result<DataPlaneSkel<'object>> {
    open(storage, settings)?.load()
}
