//! Names of tiles, and the files that come from entries.

use super::*;
use std::collections::BTreeMap;
use tlog_tiles::{Hash, HashReader, stored_hashes};

fn path(kind: TileKind, index: u64, width: usize) -> TilePath {
    TilePath::new(kind, index, width).unwrap()
}

#[test]
fn names_are_those_of_the_format() {
    let names = [
        (path(TileKind::Level(0), 0, 256), "tile/0/000"),
        (path(TileKind::Level(4), 1_234_067, 1), "tile/4/x001/x234/067.p/1"),
        (path(TileKind::Entries, 1_234_067, 256), "tile/entries/x001/x234/067"),
        (path(TileKind::Entries, 5, 255), "tile/entries/005.p/255"),
    ];
    for (path, name) in names {
        assert_eq!((path.to_string().as_str(), name.parse()), (name, Ok(path)));
    }
}

#[test]
fn other_names_are_refused() {
    for name in [
        "tile/0/0",
        "tile/00/000",
        "tile/0/x000/001",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/7/000",
        "tile/0/1000",
        "tile/data/000",
        "tile/0/../0/000",
        "tile/0/+01",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "checkpoint",
        "tile/0/x001/x002",
        "",
    ] {
        assert_eq!(name.parse::<TilePath>(), Err(TileError::Name(name.chars().take(80).collect())));
    }
}

#[test]
fn a_tree_of_70_000_has_the_tiles_of_the_specification() {
    let of = |level, index| {
        TilePath::of_tree(TileKind::Level(level), index, 70_000).map(|path| path.width())
    };
    assert_eq!([of(0, 272), of(0, 273), of(0, 274)], [Some(256), Some(112), None]);
    assert_eq!([of(1, 0), of(1, 1), of(1, 2)], [Some(256), Some(17), None]);
    assert_eq!([of(2, 0), of(2, 1), of(3, 0)], [Some(1), None, None]);
}

#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&at| self.0[usize::try_from(at).unwrap()]).collect())
    }
}

/// All files of a tree, by name, as the library's own mathematics has them.
fn files_by_library(stored: &Stored, entries: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for tile in tlog_tiles::Tile::new_tiles(8, 0, entries.len() as u64) {
        let width = tile.width() as usize;
        let path = TilePath::new(TileKind::Level(tile.level()), tile.level_index(), width).unwrap();
        files.insert(path.to_string(), tile.read_data(stored).unwrap());
    }
    for (index, chunk) in entries.chunks(256).enumerate() {
        let mut bundle = Vec::new();
        for entry in chunk {
            push_entry(&mut bundle, entry).unwrap();
        }
        let path = TilePath::new(TileKind::Entries, index as u64, chunk.len()).unwrap();
        files.insert(path.to_string(), bundle);
    }
    files
}

#[test]
fn files_are_those_of_the_library_and_can_be_gone_on_from() {
    let (mut stored, mut entries) = (Stored::default(), Vec::new());
    let (mut builder, mut full) = (TileBuilder::default(), BTreeMap::new());
    let mut frontier = Frontier::default();
    for index in 0..67_000_u64 {
        let entry = index.to_be_bytes()[..(index % 9) as usize].to_vec();
        let new = stored_hashes(index, &entry, &stored).unwrap();
        stored.0.extend(new);
        builder.push(&entry).unwrap();
        frontier.push(leaf_hash(&entry));
        entries.push(entry);
        full.extend(
            builder.take_full().into_iter().map(|file| (file.path.to_string(), file.bytes)),
        );
        if [1, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 67_000].contains(&(index + 1))
        {
            let partial =
                builder.partial().into_iter().map(|file| (file.path.to_string(), file.bytes));
            let all: BTreeMap<_, _> = full.clone().into_iter().chain(partial).collect();
            assert!(all == files_by_library(&stored, &entries), "{} entries", index + 1);
            assert_eq!(builder.frontier(), frontier);
            builder =
                TileBuilder::resume(index + 1, builder.levels.clone(), builder.bundle.clone())
                    .unwrap();
        }
    }
}

#[test]
fn what_does_not_belong_together_is_not_gone_on_from() {
    let mut builder = TileBuilder::default();
    builder.push(b"a").unwrap();
    let (levels, bundle) = (builder.levels.clone(), builder.bundle.clone());
    assert!(TileBuilder::resume(1, levels.clone(), bundle.clone()).is_some());
    assert!(TileBuilder::resume(2, levels.clone(), bundle.clone()).is_none());
    assert!(TileBuilder::resume(257, levels.clone(), bundle).is_none());
    assert!(TileBuilder::resume(1, levels, b"\0\x01b".to_vec()).is_none());
    assert!(TileBuilder::resume(0, Vec::new(), Vec::new()).is_some());
}

#[test]
fn a_file_of_entries_is_read_to_its_last_byte() {
    let bundle = b"\0\x01a\0\0\0\x02bc";
    assert_eq!(split_entries(bundle, 3).unwrap(), [b"a".as_slice(), b"", b"bc"]);
    assert_eq!(split_entries(bundle, 2), Err(TileError::Count { found: 3, expected: 2 }));
    assert_eq!(split_entries(bundle, 4), Err(TileError::Count { found: 3, expected: 4 }));
    assert_eq!(split_entries(&bundle[..8], 3), Err(TileError::CutOff(2)));
    assert_eq!(split_entries(&bundle[..4], 3), Err(TileError::CutOff(1)));
}

#[test]
fn a_partial_tile_is_the_beginning_of_a_wider_one() {
    let bundle = b"\0\x01a\0\0\0\x02bc";
    let cut = |kind, width, wider: &[u8]| path(kind, 0, width).cut(wider);
    assert_eq!(cut(TileKind::Entries, 2, bundle), Ok(b"\0\x01a\0\0".to_vec()));
    assert_eq!(cut(TileKind::Entries, 3, bundle), Ok(bundle.to_vec()));
    assert_eq!(cut(TileKind::Entries, 4, bundle), Err(TileError::CutOff(3)));
    let short = TileError::Length { found: 8, expected: 9 };
    assert_eq!(cut(TileKind::Entries, 3, &bundle[..8]), Err(short));
    assert_eq!(cut(TileKind::Level(0), 1, &[7; 64]), Ok(vec![7; 32]));
    assert!(cut(TileKind::Level(0), 3, &[7; 64]).is_err());
}
