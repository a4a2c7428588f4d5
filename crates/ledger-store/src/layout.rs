//! Where things are in the folder of a ledger.

use ledger_model::TilePath;
use std::path::{Path, PathBuf};

/// The folder of a ledger. What C2SP does not know is below `.weir`.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    pub(crate) fn tile(&self, path: &TilePath) -> PathBuf {
        self.root.join(path.to_string())
    }

    /// The writer's own files.
    pub(crate) fn own(&self) -> PathBuf {
        self.root.join(".weir")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.own().join("lock")
    }

    /// A checkpoint on its way to its name.
    pub(crate) fn new_checkpoint(&self) -> PathBuf {
        self.own().join("checkpoint-new")
    }
}
