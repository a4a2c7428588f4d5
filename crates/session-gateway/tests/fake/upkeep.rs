//! Recordings that are over.

use crate::person::V5;
use crate::world::{ALICE, Wish, World};
use ledger_model::Fact;

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
