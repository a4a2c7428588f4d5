//! Settings of the network namespace that the calling thread is in.

use crate::FabricError;
use std::fs;
use std::path::Path;

/// `key` is a path below `/proc/sys/net`: `ipv4/ip_forward`. To be called inside
/// [`Namespace::enter`](crate::Namespace::enter).
pub fn set(key: &str, value: &'static str) -> Result<(), FabricError> {
    fs::write(Path::new("/proc/sys/net").join(key), value).map_err(|source| FabricError::Sysctl {
        key: key.to_owned(),
        value,
        source,
    })
}
