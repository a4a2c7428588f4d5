//! Where a data plane is pinned: one folder for each schema, `vN`, with its maps and links.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) fn folder(root: &Path, schema: u32) -> PathBuf {
    root.join(format!("v{schema}"))
}

pub(crate) fn maps(folder: &Path) -> PathBuf {
    folder.join("maps")
}

pub(crate) fn links(folder: &Path) -> PathBuf {
    folder.join("links")
}

/// What is pinned below `root`, by schema; nothing where there is no such folder.
pub(crate) fn schemas(root: &Path) -> io::Result<BTreeMap<u32, PathBuf>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let schema =
            entry.file_name().to_str().and_then(|name| name.strip_prefix('v')?.parse().ok());
        found.extend(schema.map(|schema| (schema, entry.path())));
    }
    Ok(found)
}
