//! What is written raw is read back, with the keys that a reader has.

use crate::fixture::{data, opening, record_all, steps, withheld};
use proptest::prelude::*;
use session_record::{
    Compartment, Ending, Event, Keys, ReadError, Reader, Record, State, Step, Stream,
};

#[test]
fn both_keys_give_the_exact_interleaving_and_one_gives_lengths() {
    let events = vec![
        data(Stream::Stdout, b"$ "),
        data(Stream::Stdin, b"ls\r"),
        data(Stream::Stdout, b"ls\r\n"),
        Event::Resize { columns: 100, rows: 30 },
        data(Stream::Stdin, b"\x04"),
        Event::End { stream: Stream::Stdin },
    ];
    let recording = record_all(&events, 2);
    let timed = |(n, event)| Record { at_us: n as u64 * 1000, event };
    let records: Vec<Record> = events.into_iter().enumerate().map(timed).collect();
    let known: Vec<Step> = records.iter().cloned().map(Step::Known).collect();
    assert_eq!(steps(&recording.bytes, &recording.keys.clone().into()), known);
    let output = Keys { output: Some(recording.keys.output), input: None };
    assert_eq!(
        steps(&recording.bytes, &output),
        records.into_iter().map(withheld).collect::<Vec<_>>()
    );
}

#[test]
fn a_listing_needs_no_key() {
    let recording = record_all(&[data(Stream::Stdin, b"secret")], 1);
    let mut reader = Reader::open(recording.bytes, &Keys::none()).expect("a recording");
    assert_eq!(reader.opening(), &opening());
    let seal = reader.seal().expect("a seal");
    assert_eq!(
        (seal.state, &seal.ending),
        (State::Sealed, &Ending::Finished { exit_code: Some(0) })
    );
    assert_eq!((seal.records, seal.sent_bytes), (1, 6));
    assert!(matches!(reader.next_step(), Err(ReadError::NoKey(Compartment::Output))));
}

#[test]
fn keys_of_another_recording_are_refused() {
    let recording = record_all(&[], 1);
    let swapped = Keys { output: Some(recording.keys.input), input: None };
    let refused = Reader::open(recording.bytes, &swapped).err().map(|error| error.to_string());
    let expected =
        "the key of the output compartment is not the one that this recording was written with";
    assert_eq!(refused.as_deref(), Some(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_moment_is_found_wherever_it_is(n_events in 1_usize..60, every in 1_usize..7, at in 0_u64..70_000) {
        let events: Vec<Event> = (0..n_events).map(|n| data(Stream::Stdout, &[b'a', u8::try_from(n).unwrap()])).collect();
        let recording = record_all(&events, every);
        let keys = recording.keys.into();
        let all = steps(&recording.bytes, &keys);
        let mut reader = Reader::open(recording.bytes, &keys).expect("a recording");
        for _ in 0..n_events / 2 {
            reader.next_step().expect("a step");
        }
        reader.seek(at).expect("found");
        let found: Vec<Step> = reader.map(|step| step.expect("a step")).collect();
        let expected: Vec<Step> = all.into_iter().filter(|step| step.at_us() >= at).collect();
        prop_assert_eq!(found, expected);
    }
}
