//! Whatever somebody does to the bytes of a recording is noticed, and nothing panics.
//!
//! `WEIR_MUTATIONS` says how many are tried; docs/benchmarks.md has the million.

use crate::attacker::{digest_again, dissect};
use crate::fixture::{Recorded, heads, packed, record_with, steps, terminal_session};
use bytes::Bytes;
use session_record::{
    Anchors, Ending, KeylessEnd, Keys, Reader, Scan, State, Step, Verdict, verify,
};

/// Splitmix64: the same numbers from the same seed everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end as u64).max(1)).unwrap()
    }

    fn range(&mut self, end: usize) -> std::ops::Range<usize> {
        let (one, other) = (self.below(end + 1), self.below(end + 1));
        one.min(other)..one.max(other)
    }
}

/// A recording, what the ledger knows of it, and another one of the same session's description.
struct Original {
    bytes: Bytes,
    keys: Keys,
    anchors: Anchors,
    steps: Vec<Step>,
    other: Bytes,
    is_raw: bool,
}

fn originals() -> [Original; 2] {
    let one = record_with(&terminal_session(6), 5, 1);
    let other = record_with(&terminal_session(7), 4, 2);
    [original(&one, &other, true), original(&one, &other, false)]
}

fn original(one: &Recorded, other: &Recorded, is_raw: bool) -> Original {
    let told: Vec<_> = heads(one).into_iter().step_by(4).collect();
    let form =
        |recorded: &Recorded| if is_raw { recorded.bytes.clone() } else { packed(recorded, &told) };
    let bytes = form(one);
    let keys: Keys = one.keys.clone().into();
    let report = verify(bytes.clone(), &keys, &Anchors::default()).expect("a recording");
    assert_eq!(report.verdict(), Verdict::Sound);
    let seal = report.seal.map(|seal| seal.digest());
    let anchors = Anchors { header: Some(report.header), heads: told.clone(), seal };
    Original { steps: steps(&bytes, &keys), bytes, keys, anchors, other: form(other), is_raw }
}

fn mutated(original: &Original, random: &mut Random) -> Vec<u8> {
    let mut bytes = original.bytes.to_vec();
    let length = bytes.len();
    match random.below(if original.is_raw { 10 } else { 7 }) {
        0 => {
            (0..=random.below(8)).for_each(|_| bytes[random.below(length)] ^= 1 << random.below(8))
        }
        1 => bytes.truncate(random.below(length)),
        2 => drop(bytes.drain(random.range(length))),
        3 => {
            let at = random.below(length);
            let again = bytes[random.range(length)].to_vec();
            drop(bytes.splice(at..at, again));
        }
        4 => {
            let from = random.range(length);
            let range = bytes[from.clone()].to_vec();
            drop(bytes.drain(from));
            let at = random.below(bytes.len() + 1);
            drop(bytes.splice(at..at, range));
        }
        5 => {
            let (mine, theirs) = (random.below(length), random.below(original.other.len()));
            bytes.truncate(mine);
            bytes.extend_from_slice(&original.other[theirs..]);
        }
        6 => bytes[random.range(length)].fill(0),
        7 => bytes = shuffled(&bytes, &original.other, random),
        8 => bytes = rolled_back(&bytes, random),
        _ => {
            let at = random.below(dissect(&bytes).seal.start);
            bytes[at] ^= 1 << random.below(8);
            // Lengths may be other ones now, with which nobody can make digests.
            bytes = std::panic::catch_unwind(|| digest_again(bytes.clone())).unwrap_or(bytes);
        }
    }
    bytes
}

/// Whole chunks left out, repeated, exchanged, or from another recording, with all digests made anew.
fn shuffled(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mine = dissect(bytes);
    let theirs = dissect(other);
    let mut chunks: Vec<&[u8]> = mine.chunks.iter().map(|chunk| &bytes[chunk.clone()]).collect();
    let (one, two) = (random.below(chunks.len()), random.below(chunks.len()));
    match random.below(4) {
        0 => drop(chunks.remove(one)),
        1 => chunks.insert(one, chunks[two]),
        2 => chunks.swap(one, two),
        _ => chunks[one] = &other[theirs.chunks[random.below(theirs.chunks.len())].clone()],
    }
    let mut shuffled = bytes[mine.header].to_vec();
    chunks.into_iter().for_each(|chunk| shuffled.extend_from_slice(chunk));
    shuffled.extend_from_slice(&bytes[mine.seal]);
    digest_again(shuffled)
}

/// The recording as it was once, open or with a seal that anybody can write.
fn rolled_back(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let chunks = dissect(bytes).chunks;
    let mut once = bytes[..chunks[random.below(chunks.len())].start].to_vec();
    if random.below(2) == 0 {
        let scan = Scan::new(Bytes::from(once.clone())).expect("a recording");
        let end =
            KeylessEnd { state: State::Recovered, ending: Ending::Recovered, at_ms: 0, torn: None };
        once.extend(scan.good.seal(scan.header_digest, end).write());
    }
    once
}

fn is_noticed(bytes: &Bytes, keys: &Keys, anchors: &Anchors) -> bool {
    verify(bytes.clone(), keys, anchors).map_or(true, |report| report.verdict() == Verdict::Broken)
}

/// What a reader gives out before it stops is what was recorded.
fn gives_only_what_was_recorded(original: &Original, bytes: &Bytes) -> bool {
    let Ok(mut reader) = Reader::open(bytes.clone(), &original.keys) else { return true };
    let mut expected = original.steps.iter();
    while let Ok(Some(step)) = reader.next_step() {
        if expected.next() != Some(&step) {
            return false;
        }
    }
    true
}

#[test]
fn every_mutation_is_noticed() {
    let n_mutations: u64 = std::env::var("WEIR_MUTATIONS")
        .map_or(4000, |count| count.parse().expect("WEIR_MUTATIONS is a number"));
    let originals = originals();
    for seed in 0..n_mutations {
        let original = &originals[usize::from(seed % 2 == 0)];
        let bytes = Bytes::from(mutated(original, &mut Random(seed)));
        if bytes == original.bytes {
            continue;
        }
        assert!(
            is_noticed(&bytes, &Keys::none(), &original.anchors),
            "seed {seed}: not noticed without keys"
        );
        assert!(
            is_noticed(&bytes, &original.keys, &original.anchors),
            "seed {seed}: not noticed with keys"
        );
        assert!(
            gives_only_what_was_recorded(original, &bytes),
            "seed {seed}: a reader gave out something else"
        );
    }
}
