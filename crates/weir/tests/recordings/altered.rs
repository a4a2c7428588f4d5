//! What `verify` says of recordings that are as they were, and of others.

use crate::world::{SHELL, shell_file, world_with_shell};
use expect_test::expect;
use std::fs;

#[test]
fn a_sound_recording() {
    let world = world_with_shell();
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  sound
          ✓ all bytes are those that the seal commits to, in their order, none left out (14 chunks)
          ? that the recorder wrote the output compartment: its key is not at hand
          ? that the recorder wrote the input compartment: its key is not at hand
          ? that the ledger speaks of this recording: nothing from the ledger was given
        1 looked at, 0 not as they must be
    "#]]
    .assert_eq(&world.weir(&["verify"]));
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  sound
          ✓ all bytes are those that the seal commits to, in their order, none left out (14 chunks)
          ✓ the recorder wrote that this is all, and its sums agree
          ✓ the key of the output compartment is this session's
          ✓ whoever had the keys wrote the output compartment (14 chunks)
          ✓ the key of the input compartment is this session's
          ✓ whoever had the keys wrote the input compartment (14 chunks)
          ? that the ledger speaks of this recording: nothing from the ledger was given
        1 looked at, 0 not as they must be
    "#]]
    .assert_eq(&world.weir(&["verify", SHELL, "--identity", "investigator"]));
    let key = world.ledger();
    let ledger = ["--ledger", "ledger", "--ledger-key", &key];
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  sound
          ✓ all bytes are those that the seal commits to, in their order, none left out (14 chunks)
          ✓ the ledger opened the session with this header
          ✓ the ledger has this seal
          ? that the recorder wrote the output compartment: its key is not at hand
          ? that the recorder wrote the input compartment: its key is not at hand
        the ledger is sound, with 5 entries
        1 looked at, 0 not as they must be
    "#]]
    .assert_eq(&world.weir(&[&["verify", SHELL][..], &ledger].concat()));
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  sound
          ✓ all bytes are those that the seal commits to, in their order, none left out (14 chunks)
          ✓ the ledger opened the session with this header
          ✓ the ledger has this seal
          ? that the recorder wrote the output compartment: its key is not at hand
          ? that the recorder wrote the input compartment: its key is not at hand
        00000000-0000-0000-0000-0000000000ff  missing
          ✗ the ledger says that this session began, and there is no recording of it [recording-lost]
        the ledger is sound, with 5 entries
        2 looked at, 1 not as they must be
        [exit Some(1)]
    "#]].assert_eq(&world.weir(&[&["verify"][..], &ledger].concat()));
}

#[test]
fn a_changed_recording() {
    let world = world_with_shell();
    let key = world.ledger();
    let file = shell_file(&world);
    let good = fs::read(&file).unwrap();
    let verdict = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let found = world.json(&[
            "verify",
            SHELL,
            "-o",
            "json",
            "--identity",
            "investigator",
            "--ledger",
            "ledger",
            "--ledger-key",
            &key,
        ]);
        let item = &found["items"][0];
        let codes = item["findings"].as_array().unwrap().iter();
        let codes: Vec<&str> = codes.map(|finding| finding["code"].as_str().unwrap()).collect();
        format!("{} {}", item["verdict"].as_str().unwrap(), codes.join(" "))
    };
    assert_eq!(verdict(&good), "sound ");
    let mut seen = std::collections::BTreeSet::new();
    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        if let Some(byte) = bad.get_mut(at) {
            *byte ^= 1;
        }
        seen.insert(verdict(&bad));
        seen.insert(verdict(good.get(..at).unwrap()));
    }
    assert!(!seen.iter().any(|verdict| verdict.starts_with("sound")), "{seen:?}");
    expect![[r#"
        altered recording-altered
        altered recording-altered recording-cut-short
        altered recording-altered recording-not-the-ledgers
        altered recording-not-the-ledgers
        unreadable recording-not-read"#]]
    .assert_eq(&seen.into_iter().collect::<Vec<_>>().join("\n"));
    // A recording that nobody began.
    fs::write(&file, &good).unwrap();
    fs::remove_dir_all(world.path("ledger")).unwrap();
    let none = crate::world::World::new();
    let key = none.ledger();
    let path = none.path("ledger").display().to_string();
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  altered
          ✗ the ledger never heard that this session began [recording-not-in-ledger]
          ✓ all bytes are those that the seal commits to, in their order, none left out (14 chunks)
          ? that the recorder wrote the output compartment: its key is not at hand
          ? that the recorder wrote the input compartment: its key is not at hand
          ? that the ledger speaks of this recording: nothing from the ledger was given
        the ledger is sound, with 3 entries
        1 looked at, 1 not as they must be
        [exit Some(1)]
    "#]]
    .assert_eq(&world.weir(&["verify", SHELL, "--ledger", &path, "--ledger-key", &key]));
}
