//! Proofs are made, checked, written and read back; those of another tree are refused.

use super::*;
use crate::{Algorithm, Checkpoint, Frontier, SignedCheckpoint, SignerKey, TileBuilder, leaf_hash};
use expect_test::expect;
use proptest::prelude::*;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// All tiles of trees of up to `size` entries, and the head of each tree.
fn trees(size: u64) -> (Tiles, Vec<TreeHead>) {
    let (mut tiles, mut builder) = (Tiles::new(), TileBuilder::default());
    let mut heads = vec![Frontier::default().head()];
    for index in 0..size {
        builder.push(&entry(index)).unwrap();
        let files = builder.take_full().into_iter().chain(builder.partial());
        tiles.extend(files.map(|file| (file.path, file.bytes)));
        heads.push(builder.frontier().head());
    }
    (tiles, heads)
}

#[test]
fn every_entry_of_every_tree_is_proved() {
    let (tiles, heads) = trees(600);
    for size in [1, 2, 3, 255, 256, 257, 511, 600] {
        let head = heads[size];
        for index in 0..size as u64 {
            let needed = tiles_for_inclusion(head.size, index).unwrap();
            let needed: Tiles =
                needed.into_iter().map(|path| (path, tiles[&path].clone())).collect();
            let inclusion = prove_inclusion(head, index, &needed).unwrap();
            inclusion.check(&leaf_hash(&entry(index)), head).unwrap();
            let other = leaf_hash(&entry(index + 1));
            assert_eq!(inclusion.check(&other, head), Err(ProofError::Wrong));
        }
    }
}

#[test]
fn every_tree_grew_from_every_smaller_one() {
    let (tiles, heads) = trees(600);
    for new in [1, 2, 255, 256, 257, 512, 600] {
        for old in 0..=new {
            let head = heads[new];
            let needed = tiles_for_consistency(old as u64, head.size).unwrap();
            let needed: Tiles =
                needed.into_iter().map(|path| (path, tiles[&path].clone())).collect();
            let path = prove_consistency(old as u64, head, &needed).unwrap();
            check_consistency(heads[old], head, &path).unwrap();
            let forked = TreeHead { root: [9; 32], ..heads[old] };
            assert_eq!(check_consistency(forked, head, &path), Err(ProofError::Wrong));
        }
    }
    assert_eq!(
        check_consistency(heads[2], heads[1], &[]),
        Err(ProofError::Sizes { old: 2, new: 1 })
    );
}

#[test]
fn tiles_are_not_believed() {
    let (mut tiles, heads) = trees(300);
    let path: TilePath = "tile/0/001.p/44".parse().unwrap();
    let bytes = tiles.remove(&path).unwrap();
    assert_eq!(prove_inclusion(heads[300], 299, &tiles), Err(ProofError::MissingTile(path)));
    let mut changed = bytes.clone();
    changed[0] ^= 1;
    tiles.insert(path, changed);
    assert_eq!(prove_inclusion(heads[300], 299, &tiles), Err(ProofError::WrongTiles));
    tiles.insert(path, bytes[1..].to_vec());
    assert_eq!(prove_consistency(3, heads[300], &tiles), Err(ProofError::WrongTiles));
}

proptest! {
    #[test]
    fn no_sizes_and_no_hashes_are_too_much(
        index in any::<u64>(), old in any::<u64>(), new in any::<u64>(), hashes in 0_usize..80,
    ) {
        let path = vec![[1; 32]; hashes];
        let head = |size| TreeHead { size, root: [2; 32] };
        let inclusion = Inclusion { index, path: path.clone() };
        prop_assert!(inclusion.check(&[3; 32], head(new)).is_err());
        prop_assert!(inclusion.check(&[3; 32], head(new % MAX_SIZE)).is_err());
        let inclusion = Inclusion { index: index % (new % MAX_SIZE).max(1), path: path.clone() };
        prop_assert!(inclusion.check(&[3; 32], head(new % MAX_SIZE)).is_err());
        prop_assert!(check_consistency(head(old), head(new), &path).is_err());
        let old = TreeHead { size: old % MAX_SIZE, root: [4; 32] };
        prop_assert!(check_consistency(old, head(new % MAX_SIZE), &path).is_err());
        drop(tiles_for_inclusion(new % MAX_SIZE, index % MAX_SIZE));
        drop(tiles_for_consistency(old.size, new % MAX_SIZE));
        drop(prove_inclusion(head(new % MAX_SIZE), index % MAX_SIZE, &Tiles::new()));
    }
}

fn proof_file() -> (ProofFile, SignerKey) {
    let (tiles, heads) = trees(6);
    let key = SignerKey::from_seed("ledger.example", Algorithm::Ed25519, [1; 32]).unwrap();
    let checkpoint = Checkpoint { origin: "ledger.example".into(), head: heads[6] };
    let checkpoint = SignedCheckpoint::sign(checkpoint, &key).unwrap();
    let inclusion = prove_inclusion(heads[6], 2, &tiles).unwrap();
    (ProofFile { entry: Some(entry(2)), inclusion, checkpoint }, key)
}

#[test]
fn a_proof_is_a_file() {
    let (file, key) = proof_file();
    let keys = [key.public().clone()];
    let bytes = file.to_bytes();
    let read = ProofFile::parse(&bytes).unwrap();
    assert_eq!(read, file);
    assert_eq!(read.check(None, &keys), Ok(entry(2).as_slice()));
    assert_eq!(read.check(Some(b"entry 3"), &keys), Err(ProofFileError::OtherEntry));
    let bare = ProofFile { entry: None, ..read };
    assert_eq!(bare.check(None, &keys), Err(ProofFileError::NoEntry));
    assert_eq!(bare.check(Some(&entry(2)), &keys), Ok(entry(2).as_slice()));
    assert_eq!(bare.check(Some(&entry(3)), &keys), Err(ProofError::Wrong.into()));
    expect![[r#"
        c2sp.org/tlog-proof@v1
        extra ZW50cnkgMg==
        index 2
        YcoROfaBWEHVuvLQ0tm9nf7pfImN1ve6DAqpQe5sAes=
        WkdmL9ijF9lgSaP59HxV3GfKZgUbqjaD27GbL+CaB7A=
        3QN52DrH8WTn7qMM3O+1dQglTEj3Zq/M09l2Nl4yjMw=

        ledger.example
        6
        y+7JnbPk1n26qmDBa11M9zesLdwVB7eK83V2PrrRwB4=

        — ledger.example ngBGYjkUWxF1nLSlWcxj4RFlUt9I0TRPEFxeBU/ry96xgqqpobbLLZPoCi1QnMd1ow3l7KfkX4wm3f/9fHaX3KwYaAE=
    "#]].assert_eq(&String::from_utf8(bytes).unwrap());
}

#[test]
fn every_changed_byte_of_a_file_is_seen() {
    let (file, key) = proof_file();
    let keys = [key.public().clone()];
    let bytes = file.to_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let believed =
                ProofFile::parse(&changed).is_ok_and(|file| file.check(None, &keys).is_ok());
            assert!(!believed, "bit {bit} of byte {at}");
        }
        let believed =
            ProofFile::parse(&bytes[..at]).is_ok_and(|file| file.check(None, &keys).is_ok());
        assert!(!believed, "cut off at {at}");
    }
}
