//! The compressed form says what the raw one said.

use crate::fixture::{data, packed, record_all, steps, terminal_session, withheld};
use proptest::prelude::*;
use session_record::{Event, Keys, Reader, Record, Step, Stream};

#[test]
fn a_packed_recording_has_the_same_steps_and_is_smaller() {
    let recorded = record_all(&terminal_session(60), 5);
    let bytes = packed(&recorded, &[]);
    let keys: Keys = recorded.keys.clone().into();
    let all = steps(&recorded.bytes, &keys);
    assert_eq!(steps(&bytes, &keys), all);
    let output = Keys { input: None, ..keys };
    let known = |step| match step {
        Step::Known(record) => withheld(record),
        Step::Withheld { .. } => step,
    };
    assert_eq!(steps(&bytes, &output), all.into_iter().map(known).collect::<Vec<_>>());
    assert!(bytes.len() * 3 < recorded.bytes.len(), "{} of {}", bytes.len(), recorded.bytes.len());
}

#[test]
fn its_opening_and_seal_need_no_key() {
    let recorded = record_all(&terminal_session(2), 5);
    let raw = Reader::open(recorded.bytes.clone(), &Keys::none()).expect("a recording");
    let reader = Reader::open(packed(&recorded, &[]), &Keys::none()).expect("a recording");
    assert_eq!((reader.opening(), reader.header_digest()), (raw.opening(), raw.header_digest()));
    let seal = |reader: &Reader<_>| {
        reader.seal().map(|seal| (seal.state, seal.head, seal.records, seal.totals))
    };
    assert_eq!(seal(&reader), seal(&raw));
}

#[test]
fn long_data_is_cut_and_comes_back_whole() {
    let sent = vec![7; 3 << 20];
    let shown: Vec<u8> =
        (0..1_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let events = [data(Stream::Stdin, &sent), data(Stream::Stdout, &shown)];
    let recorded = record_all(&events, 1);
    let keys = recorded.keys.clone().into();
    for bytes in [recorded.bytes.clone(), packed(&recorded, &[])] {
        let (mut sent_again, mut shown_again) = (Vec::new(), Vec::new());
        for step in steps(&bytes, &keys) {
            let Step::Known(Record { at_us: _, event: Event::Data { stream, bytes } }) = step
            else {
                unreachable!("{step:?}")
            };
            let again = if stream == Stream::Stdin { &mut sent_again } else { &mut shown_again };
            again.extend_from_slice(&bytes);
        }
        assert!(sent_again == sent && shown_again == shown, "bytes differ");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_moment_is_found_in_any_block(n_lines in 1_usize..400, every in 1_usize..9, per_mille in 0_u64..1100) {
        let recorded = record_all(&terminal_session(n_lines), every);
        let keys = recorded.keys.clone().into();
        let bytes = packed(&recorded, &[]);
        let all = steps(&bytes, &keys);
        let at_us = all.last().map_or(0, Step::at_us) * per_mille / 1000;
        let mut reader = Reader::open(bytes, &keys).expect("a recording");
        reader.seek(at_us).expect("found");
        let found: Vec<Step> = reader.map(|step| step.expect("a step")).collect();
        let expected: Vec<Step> = all.into_iter().filter(|step| step.at_us() >= at_us).collect();
        prop_assert_eq!(found, expected);
    }
}
