//! Files that a process has from whoever started it.

use crate::FabricError;
use nix::errno::Errno;
use nix::unistd::close;
use std::fs;

const STANDARD_ERROR: i32 = 2;

/// Closes what this process did not open, but for standard input, output and error. To be called before it
/// opens anything itself.
pub fn close_inherited() -> Result<(), FabricError> {
    let listed = fs::read_dir("/proc/self/fd").map_err(FabricError::Descriptors)?;
    let mut inherited = Vec::new();
    for entry in listed {
        let name = entry.map_err(FabricError::Descriptors)?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        inherited.extend(number.filter(|number: &i32| *number > STANDARD_ERROR));
    }
    for descriptor in inherited {
        match close(descriptor) {
            // The list itself was one of them.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(error) => return Err(FabricError::Descriptors(error.into())),
        }
    }
    Ok(())
}
