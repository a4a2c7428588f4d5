//! What a verification says, in words, of recordings that are whole and of some that are not.

use crate::attacker::{digest_again, dissect};
use crate::fixture::{Recorded, heads, packed, record_all, terminal_session};
use bytes::Bytes;
use expect_test::{Expect, expect};
use session_record::{
    Anchors, Continuation, Continued, Ending, KeylessEnd, Keys, Report, Scan, State, verify,
};

fn anchors(recorded: &Recorded, form: &Bytes) -> Anchors {
    let report = verify(form.clone(), &Keys::none(), &Anchors::default()).expect("a recording");
    let told = heads(recorded).into_iter().step_by(3).collect();
    Anchors {
        header: Some(report.header),
        heads: told,
        seal: report.seal.map(|seal| seal.digest()),
    }
}

fn words(report: &Report) -> String {
    let mut text = format!("{:?}\n", report.verdict());
    let proven = report.proven.iter().map(|what| format!("proven: {what}\n"));
    let unproven = report.unproven.iter().map(|what| format!("unproven: {what}\n"));
    let faults = report.faults.iter().map(|what| format!("fault: {what}\n"));
    text.extend(proven.chain(unproven).chain(faults));
    text
}

fn check(bytes: impl Into<Bytes>, keys: &Keys, anchors: &Anchors, expected: &Expect) {
    expected.assert_eq(&words(&verify(bytes.into(), keys, anchors).expect("a recording")));
}

#[test]
fn a_whole_recording_with_everything_at_hand() {
    let recorded = record_all(&terminal_session(5), 4);
    let keys: Keys = recorded.keys.clone().into();
    let anchors_of_raw = anchors(&recorded, &recorded.bytes);
    check(
        recorded.bytes.clone(),
        &keys,
        &anchors_of_raw,
        &expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (17 chunks)
        proven: the recorder wrote that this is all, and its sums agree
        proven: the key of the output compartment is this session's
        proven: whoever had the keys wrote the output compartment (17 chunks)
        proven: the key of the input compartment is this session's
        proven: whoever had the keys wrote the input compartment (17 chunks)
        proven: the ledger opened the session with this header
        proven: the recording has the chain at each head of the ledger (6 heads)
        proven: the ledger has this seal
    "#]],
    );
    let form = packed(&recorded, &anchors_of_raw.heads);
    check(
        form.clone(),
        &keys,
        &anchors(&recorded, &form),
        &expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (17 chunks)
        proven: the recorder wrote that this is all, and its sums agree
        proven: the key of the output compartment is this session's
        proven: whoever had the keys wrote the output compartment (17 chunks)
        proven: the key of the input compartment is this session's
        proven: whoever had the keys wrote the input compartment (17 chunks)
        proven: the index is the one that the seal commits to
        proven: the raw recording was made again, and is the one that was sealed (17 chunks)
        proven: the ledger opened the session with this header
        proven: the recording has the chain at each head of the ledger (6 heads)
        proven: the ledger has this seal
    "#]],
    );
}

#[test]
fn a_whole_recording_without_keys() {
    let recorded = record_all(&terminal_session(5), 4);
    check(
        recorded.bytes.clone(),
        &Keys::none(),
        &Anchors::default(),
        &expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (17 chunks)
        unproven: that the recorder wrote the output compartment: its key is not at hand
        unproven: that the recorder wrote the input compartment: its key is not at hand
        unproven: that the ledger speaks of this recording: nothing from the ledger was given
    "#]],
    );
    let told: Vec<_> = heads(&recorded).into_iter().step_by(3).collect();
    let form = packed(&recorded, &told[1..]);
    check(
        form.clone(),
        &Keys::none(),
        &anchors(&recorded, &form),
        &expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (17 chunks)
        proven: the index is the one that the seal commits to
        proven: the ledger opened the session with this header
        proven: the recording has the chain at each head of the ledger (5 heads)
        proven: the ledger has this seal
        unproven: that the recorder wrote the output compartment: its key is not at hand
        unproven: that the recorder wrote the input compartment: its key is not at hand
        unproven: that the compressed recording holds what the raw one held: the output's key is not at hand
        unproven: that the ledger's head after chunk 1 is in the recording: it takes the output's key to see
    "#]],
    );
}

#[test]
fn an_auditor_without_the_inputs_key_follows_the_raw_chain() {
    let recorded = record_all(&terminal_session(5), 4);
    let form = packed(&recorded, &[]);
    let keys = Keys { output: Some(recorded.keys.output.clone()), input: None };
    check(
        form.clone(),
        &keys,
        &anchors(&recorded, &form),
        &expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (17 chunks)
        proven: the recorder wrote that this is all, and its sums agree
        proven: the key of the output compartment is this session's
        proven: whoever had the keys wrote the output compartment (17 chunks)
        proven: the index is the one that the seal commits to
        proven: the raw recording was made again, and is the one that was sealed (17 chunks)
        proven: the ledger opened the session with this header
        proven: the recording has the chain at each head of the ledger (6 heads)
        proven: the ledger has this seal
        unproven: that the recorder wrote the input compartment: its key is not at hand
    "#]],
    );
}

#[test]
fn an_open_recording_is_no_broken_one() {
    let recorded = record_all(&terminal_session(2), 4);
    let seal = dissect(&recorded.bytes).seal;
    let open = recorded.bytes.slice(..seal.start - 200);
    check(
        open,
        &Keys::none(),
        &Anchors::default(),
        &expect![[r#"
        Open
        proven: all bytes so far are those that were written (6 chunks)
        unproven: that nothing follows: the recording is not sealed
        unproven: that the recorder wrote the output compartment: its key is not at hand
        unproven: that the recorder wrote the input compartment: its key is not at hand
        unproven: that the ledger speaks of this recording: nothing from the ledger was given
    "#]],
    );
}

#[test]
fn what_was_cut_off_and_sealed_again_contradicts_the_ledger() {
    let recorded = record_all(&terminal_session(5), 4);
    let known = anchors(&recorded, &recorded.bytes);
    let chunks = dissect(&recorded.bytes).chunks;
    let mut cut: Vec<u8> = recorded.bytes[..chunks[chunks.len() / 2].start].to_vec();
    let scan = Scan::new(Bytes::from(cut.clone())).expect("a recording");
    let end =
        KeylessEnd { state: State::Recovered, ending: Ending::Recovered, at_ms: 0, torn: None };
    cut.extend(scan.good.seal(scan.header_digest, end).write());
    check(
        cut.clone(),
        &recorded.keys.into(),
        &Anchors::default(),
        &expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (8 chunks)
        proven: the key of the output compartment is this session's
        proven: whoever had the keys wrote the output compartment (8 chunks)
        proven: the key of the input compartment is this session's
        proven: whoever had the keys wrote the input compartment (8 chunks)
        unproven: that nothing followed: the recording is recovered, and only the ledger's heads show how far it was
        unproven: that the ledger speaks of this recording: nothing from the ledger was given
    "#]],
    );
    check(
        cut,
        &Keys::none(),
        &known,
        &expect![[r#"
        Broken
        unproven: that nothing followed: the recording is recovered, and only the ledger's heads show how far it was
        unproven: that the recorder wrote the output compartment: its key is not at hand
        unproven: that the recorder wrote the input compartment: its key is not at hand
        fault: the ledger has another chain after chunk 10, or the recording ends before
        fault: the ledger has another chain after chunk 13, or the recording ends before
        fault: the ledger has another chain after chunk 16, or the recording ends before
        fault: the ledger has another seal for this session
    "#]],
    );
}

#[test]
fn what_was_changed_with_all_digests_made_anew_is_not_authentic() {
    let recorded = record_all(&terminal_session(5), 4);
    let mut changed = recorded.bytes.to_vec();
    let chunk = dissect(&changed).chunks[3].start;
    changed[chunk + 60] ^= 1;
    let changed = digest_again(changed);
    check(
        changed.clone(),
        &Keys::none(),
        &Anchors::default(),
        &expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (17 chunks)
        unproven: that the recorder wrote the output compartment: its key is not at hand
        unproven: that the recorder wrote the input compartment: its key is not at hand
        unproven: that the ledger speaks of this recording: nothing from the ledger was given
    "#]],
    );
    check(
        changed,
        &recorded.keys.into(),
        &Anchors::default(),
        &expect![[r#"
        Broken
        unproven: that the ledger speaks of this recording: nothing from the ledger was given
        fault: chunk 3 of the recording, at byte 743, was not written with the key of the output compartment
    "#]],
    );
}

#[test]
fn an_end_that_was_left_out_is_missed() {
    let recorded = record_all(&terminal_session(1), 4);
    let dissected = dissect(&recorded.bytes);
    let last = dissected.chunks.last().unwrap().clone();
    let mut without = recorded.bytes.to_vec();
    without.drain(last);
    check(
        without,
        &Keys::none(),
        &Anchors::default(),
        &expect![[r#"
            Broken
            unproven: that the recorder wrote the output compartment: its key is not at hand
            unproven: that the recorder wrote the input compartment: its key is not at hand
            unproven: that the ledger speaks of this recording: nothing from the ledger was given
            fault: the seal says something else of the chain than what is there
            fault: the recording is sealed as ended by its recorder, and has no end
        "#]],
    );
}

#[test]
fn a_continuation_takes_the_recording_up() {
    let recorded = record_all(&terminal_session(5), 4);
    let dissected = dissect(&recorded.bytes);
    let offset = dissected.chunks[6].start;
    let header = Scan::new(recorded.bytes.clone()).expect("a recording").header_digest;
    let mut more = Continuation { header, offset: offset as u64 }.write();
    more.extend_from_slice(&recorded.bytes[offset..]);
    // The first file has something else there, and less.
    let first = [&recorded.bytes[..offset], b"torn".as_slice()].concat();
    let both = Continued::new(Bytes::from(first), Bytes::from(more)).expect("they belong together");
    let report = verify(both, &recorded.keys.clone().into(), &anchors(&recorded, &recorded.bytes));
    expect![[r#"
        Sound
        proven: all bytes are those that the seal commits to, in their order, none left out (17 chunks)
        proven: the recorder wrote that this is all, and its sums agree
        proven: the key of the output compartment is this session's
        proven: whoever had the keys wrote the output compartment (17 chunks)
        proven: the key of the input compartment is this session's
        proven: whoever had the keys wrote the input compartment (17 chunks)
        proven: the ledger opened the session with this header
        proven: the recording has the chain at each head of the ledger (6 heads)
        proven: the ledger has this seal
    "#]].assert_eq(&words(&report.expect("a recording")));
}
