//! What was typed and shown is nowhere to be read without keys: not in recordings, their copies, the ledger, logs or
//! temporary files.

use crate::world::World;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Looks for what a session typed and saw, in all that the gateway wrote.
pub(crate) fn is_nowhere(world: &World, said: &[&str]) {
    let files = files(world.folder());
    assert!(files.iter().any(|path| path.extension().is_some_and(|end| end == "rec")), "{files:?}");
    for path in &files {
        let bytes = fs::read(path).unwrap();
        let found = said.iter().find(|said| contains(&bytes, said.as_bytes()));
        assert_eq!(found, None, "in {}", path.display());
    }
    let log = fs::read_to_string(world.folder().join("gateway.log")).unwrap();
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(value.is_object(), "a line of the log: {line}");
    }
    let left: Vec<_> = fs::read_dir(world.temporary()).unwrap().collect();
    assert!(left.is_empty(), "temporary files: {left:?}");
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap();
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found
}
