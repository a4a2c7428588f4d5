//! The packet filter's rules, loaded by the `nft` program: its language is stable, its messages in the
//! kernel are not.

use crate::{FabricError, Namespace};
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Replaces, adds and deletes what the script says, all of it or nothing.
pub fn load(namespace: &Namespace, script: &str) -> Result<(), FabricError> {
    namespace.enter(|| run(script))?
}

fn run(script: &str) -> Result<(), FabricError> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            if is_missing { FabricError::NoNft(error) } else { FabricError::Nft(error) }
        })?;
    let written = match nft.stdin.take() {
        Some(mut stdin) => stdin.write_all(script.as_bytes()),
        None => Ok(()),
    };
    let output = nft.wait_with_output().map_err(FabricError::Nft)?;
    if !output.status.success() {
        return Err(FabricError::Rules(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    written.map_err(FabricError::Nft)
}
