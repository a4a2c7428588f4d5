//! A disk that keeps what was synced, and of the rest whatever it likes.

use crate::support::Random;
use ledger_store::Change;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SECTOR: usize = 512;

/// A change, with names below the ledger's folder.
#[derive(Clone, Debug)]
pub(crate) enum Owned {
    CreateFolder(PathBuf),
    CreateFile(PathBuf),
    Write { file: PathBuf, offset: usize, bytes: Vec<u8> },
    SyncFile(PathBuf),
    SyncFolder(PathBuf),
    SyncDisk,
    Rename { from: PathBuf, to: PathBuf },
    Remove(PathBuf),
}

impl Owned {
    pub(crate) fn of(change: &Change<'_>, root: &Path) -> Self {
        // The folder that the ledger's is in is always there.
        let own = |path: &Path| path.strip_prefix(root).unwrap_or(Path::new("..")).to_owned();
        match *change {
            Change::CreateFolder(path) => Self::CreateFolder(own(path)),
            Change::CreateFile(path) => Self::CreateFile(own(path)),
            Change::Write { file, offset, bytes } => Self::Write {
                file: own(file),
                offset: usize::try_from(offset).unwrap(),
                bytes: bytes.to_vec(),
            },
            Change::SyncFile(path) => Self::SyncFile(own(path)),
            Change::SyncFolder(path) => Self::SyncFolder(own(path)),
            Change::SyncDisk(_) => Self::SyncDisk,
            Change::Rename { from, to } => Self::Rename { from: own(from), to: own(to) },
            Change::Remove(path) => Self::Remove(own(path)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Folder,
    File(usize),
}

/// What is written and what of it is synced.
#[derive(Default)]
pub(crate) struct Volatile {
    /// As programs see them.
    names: BTreeMap<PathBuf, Node>,
    /// As they are on the disk.
    durable: BTreeMap<PathBuf, Node>,
    /// Names that were made or removed and not synced, in their order.
    pending: Vec<(PathBuf, Option<Node>)>,
    files: Vec<Contents>,
}

#[derive(Default)]
struct Contents {
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl Volatile {
    pub(crate) fn apply(&mut self, change: &Owned) {
        match change {
            Owned::CreateFolder(path) => self.name(path, Some(Node::Folder)),
            Owned::CreateFile(path) => {
                self.files.push(Contents::default());
                self.name(path, Some(Node::File(self.files.len() - 1)));
            }
            Owned::Write { file, offset, bytes } => {
                self.contents(file).pending.push((*offset, bytes.clone()));
            }
            Owned::SyncFile(path) => {
                self.contents(path).sync();
            }
            Owned::SyncDisk => {
                self.files.iter_mut().for_each(Contents::sync);
                for (path, node) in std::mem::take(&mut self.pending) {
                    set(&mut self.durable, path, node);
                }
            }
            Owned::SyncFolder(folder) => {
                let (synced, rest) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|(path, _)| path.parent() == Some(folder));
                self.pending = rest;
                let synced: Vec<_> = synced;
                synced.into_iter().for_each(|(path, node)| set(&mut self.durable, path, node));
            }
            Owned::Rename { from, to } => {
                let node = self.names.get(from).copied();
                self.name(to, node);
                self.name(from, None);
            }
            Owned::Remove(path) => {
                let within: Vec<_> =
                    self.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
                within.iter().rev().for_each(|name| self.name(name, None));
            }
        }
    }

    fn name(&mut self, path: &Path, node: Option<Node>) {
        set(&mut self.names, path.to_owned(), node);
        self.pending.push((path.to_owned(), node));
    }

    fn contents(&mut self, path: &Path) -> &mut Contents {
        let Some(Node::File(file)) = self.names.get(path) else { panic!("no file {path:?}") };
        &mut self.files[*file]
    }

    /// Writes what is left to a folder.
    pub(crate) fn lose_power(mut self, random: &mut Random, to: &Path) {
        for (path, node) in std::mem::take(&mut self.pending) {
            if random.coin() {
                set(&mut self.durable, path, node);
            }
        }
        std::fs::create_dir_all(to).unwrap();
        let mut folders = BTreeSet::from([PathBuf::new()]);
        for (path, node) in &self.durable {
            if !folders.contains(path.parent().unwrap()) {
                continue;
            }
            match node {
                Node::Folder => {
                    std::fs::create_dir(to.join(path)).unwrap();
                    folders.insert(path.clone());
                }
                Node::File(file) => {
                    std::fs::write(to.join(path), self.files[*file].left(random)).unwrap();
                }
            }
        }
    }
}

impl Contents {
    fn sync(&mut self) {
        for (offset, bytes) in std::mem::take(&mut self.pending) {
            put(&mut self.durable, offset, &bytes);
        }
    }

    fn left(&self, random: &mut Random) -> Vec<u8> {
        let mut left = self.durable.clone();
        for (offset, bytes) in &self.pending {
            let mut at = 0;
            while at < bytes.len() {
                let end = (((offset + at) / SECTOR + 1) * SECTOR - offset).min(bytes.len());
                if random.coin() {
                    put(&mut left, offset + at, &bytes[at..end]);
                }
                at = end;
            }
        }
        left
    }
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[offset..end].copy_from_slice(bytes);
}

fn set(names: &mut BTreeMap<PathBuf, Node>, path: PathBuf, node: Option<Node>) {
    match node {
        Some(node) => names.insert(path, node),
        None => names.remove(&path),
    };
}
