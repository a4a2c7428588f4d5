//! What `kubectl cp` carried.

use crate::fixture::{data, opening};
use proptest::prelude::*;
use session_record::{Step, Stream};
use session_replay::{Direction, FileList, FileWarning};

fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(kind);
        if path.starts_with('/') || path.contains("..") {
            let name = header.as_gnu_mut().unwrap();
            name.name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, content).unwrap();
        } else if kind == tar::EntryType::Symlink {
            builder.append_link(&mut header, path, "/etc/shadow").unwrap();
        } else {
            builder.append_data(&mut header, path, content).unwrap();
        }
    };
    add("a.txt", tar::EntryType::Regular, b"hello");
    add(&format!("{}/b.bin", "d".repeat(150)), tar::EntryType::Regular, &[7; 1000]);
    add("../../etc/passwd", tar::EntryType::Regular, b"x");
    add("/etc/cron.d/x", tar::EntryType::Regular, b"");
    add("link", tar::EntryType::Symlink, b"");
    add("a.txt", tar::EntryType::Regular, b"again");
    builder.into_inner().unwrap()
}

fn list(command: &[&str], stream: Stream, archive: &[u8]) -> FileList {
    let mut list = FileList::new(&opening(command, false));
    list.step(&data(5, stream, archive));
    list
}

#[test]
fn a_download_that_was_asked_for_again_is_one_list() {
    let archive = archive();
    for cut in [1, 300, 512, 700, 2000, archive.len() - 1] {
        let first = opening(&["tar", "cf", "-", "/d"], false);
        let tail = format!("tar cf - '/d' | tail -c+{}", cut + 1);
        let second = opening(&["sh", "-c", &tail], false);
        let begins_at = FileList::new(&second).begins_at();
        assert_eq!(begins_at, cut as u64);
        let mut list = FileList::new(&first).until(begins_at);
        // The first session carried more than its client got.
        list.step(&data(5, Stream::Stdout, archive.get(..cut + 100).unwrap_or(&archive)));
        assert!(list.go_on(&second));
        list.step(&data(6, Stream::Stdout, &archive[cut..]));
        let whole = self::list(&["tar", "cf", "-", "/d"], Stream::Stdout, &archive);
        let digests =
            |list: &FileList| list.found.iter().map(|file| file.sha256).collect::<Vec<_>>();
        assert_eq!(digests(&list), digests(&whole), "{cut}");
        let alone = self::list(&["sh", "-c", &tail], Stream::Stdout, &archive[cut..]);
        assert_eq!((alone.found.len(), alone.unreadable_from), (0, None));
    }
}

#[test]
fn hostile_members_are_listed_with_what_is_wrong() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &[u8], kind: u8, size: u64, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path);
        header.as_gnu_mut().unwrap().linkname[..4].copy_from_slice(b"/etc");
        header.set_mode(0o104_755);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    };
    // A link with a size has no content: what follows is the next member.
    add(b"up", b'2', 1000, b"");
    add(b"up/passwd", b'0', 1, b"x");
    add("a\u{202e}\x1b[2Jtxt".as_bytes(), b'0', 2, b"xy");
    add(b"dev", b'3', 0, b"");
    add(b"what", b'Z', 3, b"abc");
    add(b"cut", b'0', 5000, &[1; 100]);
    let list = list(
        &["tar", "xf", "-"],
        Stream::Stdin,
        &builder.into_inner().unwrap()[..6 * 512 + 4 * 512],
    );
    let found: Vec<_> = list
        .found
        .iter()
        .map(|file| {
            (
                file.path.as_str(),
                file.mode,
                file.size,
                file.sha256.is_some(),
                file.warnings.as_slice(),
            )
        })
        .collect();
    use FileWarning::{CutOff, Device, HiddenInPath, Link, ThroughLink, Unknown};
    assert_eq!(
        found,
        [
            ("up", 0o4755, 0, false, &[Link][..]),
            ("up/passwd", 0o4755, 1, true, &[ThroughLink][..]),
            ("a\u{202e}\x1b[2Jtxt", 0o4755, 2, true, &[HiddenInPath][..]),
            ("dev", 0o4755, 0, false, &[Device][..]),
            ("what", 0o4755, 3, false, &[Unknown][..]),
            ("cut", 0o4755, 5000, false, &[CutOff][..]),
        ]
    );
}

/// A member costs its sender half a kilobyte, and the list does not grow with them.
#[test]
fn members_beyond_the_limit_are_counted_and_not_kept() {
    let mut header = tar::Header::new_gnu();
    header.set_path("a").unwrap();
    header.set_size(0);
    header.set_cksum();
    let thousand = header.as_bytes().repeat(1000);
    let mut list = FileList::new(&opening(&["tar", "xf", "-"], false));
    for at in 0..101 {
        list.step(&data(at, Stream::Stdin, &thousand));
    }
    assert_eq!((list.found.len(), list.n_more), (100_000, 1000));
    // A size that is not there takes no room either.
    header.set_size(u64::from(u32::MAX));
    header.set_cksum();
    let list = self::list(&["tar", "xf", "-"], Stream::Stdin, header.as_bytes());
    assert_eq!((list.found.len(), list.found[0].size), (1, u64::from(u32::MAX)));
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    let archive = archive();
    let mut broken = archive;
    broken[1024 + 3] ^= 1;
    let list = list(&["tar", "xf", "-"], Stream::Stdin, &broken);
    assert_eq!((list.found.len(), list.unreadable_from), (1, Some(1024)));
    let mut withheld = FileList::new(&opening(&["tar", "xf", "-"], false));
    withheld.step(&Step::Withheld { at_us: 1, stream: Stream::Stdin, length: 7 });
    assert_eq!((withheld.found.len(), withheld.withheld_bytes), (0, 7));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn files_are_listed_however_the_stream_is_cut(cuts in prop::collection::vec(1_usize..3000, 1..20)) {
        let mut list = FileList::new(&opening(&["tar", "-xmf", "-", "-C", "/tmp"], false));
        let archive = archive();
        let mut rest = archive.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            rest = later;
            list.step(&data(5, Stream::Stdin, now));
            if rest.is_empty() {
                break;
            }
        }
        let found: Vec<(&str, u64, bool, &[FileWarning])> =
            list.found.iter().map(|file| (file.path.as_str(), file.size, file.sha256.is_some(), file.warnings.as_slice())).collect();
        let long = format!("{}/b.bin", "d".repeat(150));
        prop_assert_eq!(found, vec![
            ("a.txt", 5, true, &[][..]),
            (long.as_str(), 1000, true, &[][..]),
            ("../../etc/passwd", 1, true, &[FileWarning::ParentInPath][..]),
            ("/etc/cron.d/x", 0, true, &[FileWarning::AbsolutePath][..]),
            ("link", 0, false, &[FileWarning::Link][..]),
            ("a.txt", 5, true, &[FileWarning::Again][..]),
        ]);
        prop_assert!(list.found.iter().all(|file| file.direction == Direction::Upload));
    }
}
