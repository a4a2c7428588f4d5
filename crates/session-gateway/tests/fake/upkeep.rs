//! Recordings that are over.

use crate::person::V5;
use crate::world::{ALICE, Wish, World};
use ledger_model::Fact;
use std::fs;
use std::path::Path;

#[tokio::test]
async fn what_is_over_for_long_is_deleted_and_the_ledger_says_so() {
    let recordings = "  keep: 3s\n  upkeep: 100ms\n".to_owned();
    let wish = Wish { recordings, ..Wish::default() };
    let world = World::with(wish).await;
    for _ in 0..2 {
        let person = world.client(ALICE).exec(V5, "stdout stderr", &["true"]).await;
        person.wait().await;
    }
    let held = world.evidence.hold_one_of(2).await;
    world.evidence.until(|settled| settled == [held]).await;
    world.gateway.stop().await;
    let facts = world.evidence.facts().await;
    let deleted: Vec<&str> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::RecordingDeleted { session, .. } => Some(session.as_str()),
            _ => None,
        })
        .collect();
    let held = held.to_string();
    assert_eq!(deleted.len(), 1);
    assert!(deleted[0] != held, "what is held is kept");
}

/// Killed after the end of a recording and before its entry, or before both of its entries.
#[tokio::test]
async fn what_a_killed_gateway_did_not_enter_is_entered_once() {
    let world = World::start().await;
    world.client(ALICE).exec(V5, "stdout stderr", &["true"]).await.wait().await;
    let sealed = world.evidence.until(|settled| settled.len() == 1).await;
    let unsettle = |folder: &Path| {
        for day in fs::read_dir(folder.join("recordings/sealed")).unwrap() {
            for file in fs::read_dir(day.unwrap().path()).unwrap() {
                let file = file.unwrap();
                let open = folder.join("recordings/open").join(file.file_name());
                fs::rename(file.path(), open).unwrap();
            }
        }
    };
    let about = |facts: &[Fact]| {
        let name = sealed[0].to_string();
        let words: Vec<&str> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::SessionOpened(opened) if opened.session == name => Some("opened"),
                Fact::SessionSealed(sealed) if sealed.session == name => Some("sealed"),
                _ => None,
            })
            .collect();
        words.join(" ")
    };
    let world = world.after(unsettle).await.after(|_| ()).await;
    assert_eq!(about(&world.evidence.facts().await), "opened sealed", "nothing twice");
    let lost = |folder: &Path| {
        unsettle(folder);
        fs::remove_dir_all(folder.join("ledger")).unwrap();
    };
    let world = world.after(lost).await;
    world.gateway.stop().await;
    assert_eq!(about(&world.evidence.facts().await), "opened sealed", "what was not there");
}
