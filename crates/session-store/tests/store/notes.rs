//! What people write about a recording stays with it, and goes with it.

use crate::fixture::{People, config, opening, start};
use session_record::{Durability, Ending, SessionId};
use session_store::{Deletion, Note, RealDisk, Recordings};
use test_folder::TestFolder;

#[tokio::test]
async fn notes_follow_their_recording() {
    let (folder, people) = (TestFolder::new(), People::new());
    let (recorder, _) = start(config(&folder, &people)).await;
    let recording = recorder.open(opening(7, Durability::Group)).await.expect("a recording");
    let (recordings, session) = (Recordings::new(folder.path()), SessionId(7));
    let note = |text: &str| Note {
        by: "ada".to_owned(),
        written_at_ms: 1_790_000_000_000,
        at_us: 5,
        text: text.to_owned(),
    };
    recordings.add_note(&RealDisk, session, note("while it goes on")).expect("a note");
    let sealed = recording.seal(Ending::ClientLeft).await.expect("sealed");
    recorder.settle(session, sealed.opened_at_ms).await.expect("settled");
    recordings.add_note(&RealDisk, session, note("\u{202e}and after")).expect("a note");
    let both = vec![note("while it goes on"), note("\u{202e}and after")];
    assert_eq!(recordings.notes(session).expect("notes"), both);
    assert_ne!(both[0].digest().expect("a digest"), both[1].digest().expect("a digest"));
    assert!(recordings.add_note(&RealDisk, session, note(&"x".repeat(9000))).is_err());
    assert!(recordings.add_note(&RealDisk, SessionId(8), note("nobody's")).is_err());
    let deletion = Deletion { at_ms: 1, why: "over".to_owned() };
    let deleting = recordings.begin_deletion(session).expect("nobody holds it");
    deleting.finish(&RealDisk, deletion).expect("deleted");
    let left: Vec<_> = walk(folder.path());
    assert!(!left.iter().any(|name| name.ends_with(".notes")), "{left:?}");
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let found = entries.map(|entry| entry.expect("an entry").path()).flat_map(|path| {
        if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }
    });
    found.collect()
}
