//! Ledgers in folders that go away, and what must be in them.

use ledger_model::{
    Algorithm, Entry, Fact, Frontier, SignedCheckpoint, SignerKey, TreeHead, leaf_hash,
};
use ledger_store::{Committed, LedgerOptions, LedgerReader, Place, decode_entry};
use std::path::Path;

pub(crate) fn key() -> SignerKey {
    SignerKey::from_seed("ledger.example/prod", Algorithm::Ed25519, [7; 32]).unwrap()
}

/// Small segments, so that more than one is used.
pub(crate) fn options(folder: &Path) -> LedgerOptions {
    let mut options = LedgerOptions::new(folder.to_owned(), key(), "gateway-1", "0.1.0");
    options.segment_bytes = 32 << 10;
    options
}

pub(crate) fn viewed(session: u64) -> Fact {
    Fact::SessionViewed {
        session: format!("session-{session}"),
        by: "anna".into(),
        how: "play".into(),
    }
}

/// What a ledger acknowledged: the checkpoint, and by index which session was viewed.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub entries: Vec<(u64, u64)>,
    pub checkpoints: Vec<TreeHead>,
}

impl Acknowledged {
    pub(crate) fn note(&mut self, session: u64, committed: &Committed) {
        let checkpoint = SignedCheckpoint::parse(&committed.checkpoint).unwrap();
        assert!(checkpoint.signed_by(key().public()).is_ok());
        assert!(checkpoint.head().size > committed.index);
        self.entries.push((committed.index, session));
        self.checkpoints.push(checkpoint.head());
    }

    /// The ledger in the folder has all of it, and has grown from every checkpoint that was handed out.
    pub(crate) async fn check(&self, folder: &Path) {
        let entries = entries(folder).await;
        for (index, session) in &self.entries {
            let entry = entries.get(usize::try_from(*index).unwrap());
            let found = entry.map(|bytes| decode_entry(bytes).unwrap().fact);
            assert_eq!(found, Some(viewed(*session)), "entry {index}");
        }
        let mut heads = vec![Frontier::default().head()];
        let mut frontier = Frontier::default();
        for entry in &entries {
            frontier.push(leaf_hash(entry));
            heads.push(frontier.head());
        }
        for head in &self.checkpoints {
            assert_eq!(heads.get(usize::try_from(head.size).unwrap()), Some(head));
        }
        let numbers: Vec<u64> = entries.iter().map(|entry| decode(entry).sequence).collect();
        assert_eq!(numbers, (0..entries.len() as u64).collect::<Vec<_>>());
    }
}

fn decode(entry: &[u8]) -> Entry {
    decode_entry(entry).unwrap()
}

/// All entries of the ledger in a folder, whose root must be that of its checkpoint.
pub(crate) async fn entries(folder: &Path) -> Vec<Vec<u8>> {
    let reader = LedgerReader::new(Place::Folder(folder.to_owned()));
    let checkpoint = reader.checkpoint().await.unwrap().unwrap();
    let head = checkpoint.head();
    let mut entries = Vec::new();
    let mut frontier = Frontier::default();
    for file in 0..head.size.div_ceil(256) {
        entries.extend(reader.entries(file, head.size).await.unwrap());
    }
    entries.iter().for_each(|entry| frontier.push(leaf_hash(entry)));
    assert_eq!(frontier.head(), head);
    entries
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &to);
        } else {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }
}
