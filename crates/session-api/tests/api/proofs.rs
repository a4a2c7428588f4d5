//! What is proven of recordings that are sound, changed, open, or not the ledger's.

use crate::world::{Keys, World, id, opening, shell};
use expect_test::{Expect, expect};
use session_record::Ending;

async fn check(world: &World, session: u128, expected: &Expect) {
    let path = format!("/api/v1/sessions/{}/proof", id(session));
    let proof = world.get("listers", &path).await.json();
    let mut text = format!("{}\n", proof["verdict"].as_str().unwrap());
    for statement in proof["statements"].as_array().unwrap() {
        let mark = match statement["holds"].as_bool() {
            Some(true) => '✓',
            Some(false) => '✗',
            None => '?',
        };
        let code = statement["code"].as_str().unwrap_or_default();
        text.push_str(format!("{mark} {} {code}", statement["text"].as_str().unwrap()).trim_end());
        text.push('\n');
    }
    expected.assert_eq(&text);
}

#[tokio::test]
async fn a_sound_recording_is_proven() {
    let world = World::with(Keys::Both).await;
    world.record(opening(1, &["sh"]), shell()).await;
    check(&world, 1, &expect![[r#"
        proven
        ✓ all bytes are those that the seal commits to, in their order, none left out (2 chunks)
        ✓ the recorder wrote that this is all, and its sums agree
        ✓ the key of the output compartment is this session's
        ✓ whoever had the keys wrote the output compartment (2 chunks)
        ✓ the key of the input compartment is this session's
        ✓ whoever had the keys wrote the input compartment (2 chunks)
        ✓ the index is the one that the seal commits to
        ✓ the raw recording was made again, and is the one that was sealed (2 chunks)
        ✓ the ledger opened the session with this header
        ✓ the ledger has this seal
        ? that nobody changed the ledger itself since: `weir ledger verify` shows it elsewhere, with the ledger's key and its witnesses' signatures
    "#]]).await;
    // Nothing was shown by that.
    assert_eq!(world.entries().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_key_less_is_proven() {
    let world = World::with(Keys::None).await;
    world.record(opening(1, &["sh"]), shell()).await;
    check(&world, 1, &expect![[r#"
        unproven
        ✓ all bytes are those that the seal commits to, in their order, none left out (2 chunks)
        ✓ the index is the one that the seal commits to
        ✓ the ledger opened the session with this header
        ✓ the ledger has this seal
        ? that the recorder wrote the output compartment: its key is not at hand
        ? that the recorder wrote the input compartment: its key is not at hand
        ? that the compressed recording holds what the raw one held: the output's key is not at hand
        ? that nobody changed the ledger itself since: `weir ledger verify` shows it elsewhere, with the ledger's key and its witnesses' signatures
    "#]]).await;
}

#[tokio::test]
async fn a_changed_byte_shows() {
    let world = World::with(Keys::Shown).await;
    world.record(opening(1, &["sh"]), shell()).await;
    let day = world.folder.path().join("recordings/sealed/2026-11-18");
    let files = std::fs::read_dir(day).unwrap().map(|file| file.unwrap().path());
    let mut recordings =
        files.filter(|path| path.extension().is_some_and(|end| end == "rec" || end == "raw"));
    let path = recordings.next().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let proof = world.get("listers", &format!("/api/v1/sessions/{}/proof", id(1))).await.json();
    assert_eq!(proof["verdict"], "altered");
    assert!(proof["statements"][0]["help"].as_str().unwrap().contains("weir explain recording-"));
    // What was before the break can be seen, and that there is one.
    let cast = world.get("viewers", &format!("/api/v1/sessions/{}/cast", id(1))).await;
    assert!(
        cast.status == 500 || cast.text.contains("the recording cannot be read on"),
        "{}",
        cast.text
    );
    let events = world.get("viewers", &format!("/api/v1/sessions/{}/events", id(1))).await;
    assert!(
        events.status == 500 || events.text.contains("\"event\":\"unreadable\""),
        "{}",
        events.text
    );
}

#[tokio::test]
async fn what_goes_on_is_not_proven_yet() {
    let world = World::with(Keys::Shown).await;
    let recording = world.begin(opening(1, &["sh"])).await;
    check(&world, 1, &expect![[r#"
        unproven
        ✓ all bytes so far are those that were written (0 chunks)
        ✓ the key of the output compartment is this session's
        ✓ whoever had the keys wrote the output compartment (0 chunks)
        ✓ the ledger opened the session with this header
        ? that nothing follows: the recording is not sealed
        ? that the recorder wrote the input compartment: its key is not at hand
        ? that nobody changed the ledger itself since: `weir ledger verify` shows it elsewhere, with the ledger's key and its witnesses' signatures
    "#]]).await;
    world.end(recording, Ending::ClientLeft).await;
}

#[tokio::test]
async fn a_recording_that_the_ledger_never_heard_of_is_not_the_gateways() {
    let world = World::new().await;
    let recording = world.recorder.open(opening(1, &["sh"])).await.unwrap();
    recording.seal(Ending::ClientLeft).await.unwrap();
    check(&world, 1, &expect![[r#"
        altered
        ✗ the ledger never heard that this session began recording-not-in-ledger
        ✓ all bytes are those that the seal commits to, in their order, none left out (1 chunks)
        ✓ the recorder wrote that this is all, and its sums agree
        ✓ the key of the output compartment is this session's
        ✓ whoever had the keys wrote the output compartment (1 chunks)
        ✓ the index is the one that the seal commits to
        ✓ the raw recording was made again, and is the one that was sealed (1 chunks)
        ? that the recorder wrote the input compartment: its key is not at hand
        ? that the ledger speaks of this recording: nothing from the ledger was given
        ? that nobody changed the ledger itself since: `weir ledger verify` shows it elsewhere, with the ledger's key and its witnesses' signatures
    "#]]).await;
}
