//! Recordings in object storage: copied whatever interrupts, read from there, and never overwritten.

use crate::fixture::{People, config, data, events, opening, start};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, PutPayload};
use session_record::{Durability, Ending, Event, SessionId, Stream};
use session_store::{
    Archive, ArchiveError, Deletion, Disk, FetchError, RealDisk, RecorderConfig, Recordings,
    RetentionError,
};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use test_folder::TestFolder;

const SESSION: SessionId = SessionId(7);

fn shown() -> Vec<Event> {
    (0..40_u8).map(|n| data(Stream::Stdout, &vec![n; 5000])).collect()
}

/// A settled recording that stays raw, so that it is long.
async fn recorded(folder: &TestFolder, people: &People) -> Recordings {
    let config = RecorderConfig { pack_level: None, ..config(folder, people) };
    let (recorder, _) = start(config).await;
    let recording =
        recorder.open(opening(SESSION.0, Durability::Group)).await.expect("a recording");
    for event in shown() {
        recording.record(event).await.expect("recorded");
    }
    let sealed = recording.seal(Ending::ClientLeft).await.expect("sealed");
    recorder.settle(SESSION, sealed.opened_at_ms).await.expect("settled");
    Recordings::new(folder.path())
}

async fn is_whole(archive: &Archive, people: &People) {
    assert_eq!(archive.sessions().await.expect("a list"), [SESSION]);
    let keys = people.unwrap_all(&archive.keys_file(SESSION).await.expect("wrapped keys"));
    let read = archive
        .read(SESSION, keys.clone(), |reader| events(reader.map(|step| step.expect("a step"))));
    assert_eq!(read.await.expect("it is read"), shown());
}

#[tokio::test]
async fn a_recording_is_copied_read_there_and_released_here() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let archive = Archive::new(Arc::new(InMemory::new()), "weir");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let early = archive.release(&recordings, disk.as_ref(), SESSION).await;
    assert!(matches!(early, Err(ArchiveError::NotAsPut { .. })), "{early:?}");
    let uploaded = archive.upload(&recordings, &disk, SESSION).await.expect("copied");
    let name = format!("weir/2026-09-21/{SESSION}");
    assert_eq!(uploaded.objects, [format!("{name}.keys"), format!("{name}.raw")]);
    is_whole(&archive, &people).await;
    archive.release(&recordings, disk.as_ref(), SESSION).await.expect("released");
    assert_eq!(recordings.sessions().expect("a list"), []);
    is_whole(&archive, &people).await;
}

#[tokio::test]
async fn a_copy_that_was_cut_short_anywhere_goes_on() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let memory = Arc::new(InMemory::new());
    let archive = Archive::new(memory, "weir").with_part_bytes(20_000);
    let mut n_cut = 0;
    loop {
        // Each attempt gets a little further, and is dropped as a crash would drop it.
        let mut upload = pin!(archive.upload(&recordings, &disk, SESSION));
        let mut context = Context::from_waker(Waker::noop());
        let mut polls = 0;
        let ended = loop {
            match upload.as_mut().poll(&mut context) {
                Poll::Ready(ended) => break Some(ended),
                Poll::Pending if polls == n_cut => break None,
                Poll::Pending => {
                    polls += 1;
                    // What is read from files is read by other threads.
                    tokio::task::yield_now().await;
                }
            }
        };
        match ended {
            Some(ended) => {
                ended.expect("copied");
                break;
            }
            None => n_cut += 1,
        }
    }
    assert!(n_cut > 5, "it was cut short only {n_cut} times");
    is_whole(&archive, &people).await;
}

#[tokio::test]
async fn what_is_in_the_archive_is_not_overwritten() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let memory = Arc::new(InMemory::new());
    let archive = Archive::new(Arc::clone(&memory) as _, "weir");
    let other = ObjectPath::from(format!("weir/2026-09-21/{SESSION}.raw"));
    memory.put(&other, PutPayload::from_static(b"something else")).await.expect("it is there");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let refused = archive.upload(&recordings, &disk, SESSION).await;
    assert!(matches!(refused, Err(ArchiveError::Conflict { .. })), "{refused:?}");
    let kept = memory.get(&other).await.expect("an object").bytes().await.expect("bytes");
    assert_eq!(kept, "something else");
}

#[tokio::test]
async fn a_deleted_recording_leaves_a_tombstone_and_a_copy_that_nobody_can_read() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let archive = Archive::new(Arc::new(InMemory::new()), "weir");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    archive.upload(&recordings, &disk, SESSION).await.expect("copied");
    let ended_ms = i64::MAX;
    let expired = recordings.expired(ended_ms).expect("a list");
    assert_eq!(expired.iter().map(|listed| listed.session).collect::<Vec<_>>(), [SESSION]);
    let deletion = Deletion { at_ms: 1, why: "older than 365 days".to_owned() };
    let deleting = recordings.begin_deletion(SESSION).expect("nobody holds it");
    let tombstone = deleting.finish(disk.as_ref(), deletion).expect("deleted");
    archive.delete(SESSION, &tombstone).await.expect("deleted there");
    assert_eq!(recordings.tombstones().expect("tombstones"), [tombstone]);
    let gone = recordings.keys_file(SESSION);
    assert!(matches!(gone, Err(FetchError::NoKeys(SESSION))), "{gone:?}");
    let gone = archive.keys_file(SESSION).await;
    assert!(matches!(gone, Err(ArchiveError::Fetch(FetchError::NoKeys(SESSION)))), "{gone:?}");
}

#[tokio::test]
async fn a_recording_that_is_held_is_not_deleted() {
    let (folder, people) = (TestFolder::new(), People::new());
    let recordings = recorded(&folder, &people).await;
    let hold =
        |by: &str| session_store::Hold { by: by.to_owned(), why: "case 12".to_owned(), at_ms: 5 };
    recordings.hold(&RealDisk, SESSION, hold("ada")).expect("held");
    recordings.hold(&RealDisk, SESSION, hold("bob")).expect("held");
    recordings.lift(&RealDisk, SESSION, "ada").expect("lifted");
    assert_eq!(recordings.holds(SESSION).expect("holds"), [hold("bob")]);
    assert!(recordings.expired(i64::MAX).expect("a list").is_empty());
    let refused = recordings.begin_deletion(SESSION);
    assert!(matches!(refused, Err(RetentionError::Held { .. })), "{refused:?}");
    recordings.lift(&RealDisk, SESSION, "bob").expect("lifted");
    let deleting = recordings.begin_deletion(SESSION).expect("nobody holds it");
    // Who comes too late waits, and hears that there is nothing to hold.
    let late = {
        let (recordings, hold) = (recordings.clone(), hold("cid"));
        std::thread::spawn(move || recordings.hold(&RealDisk, SESSION, hold))
    };
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(!late.is_finished(), "a recording is held while it is deleted");
    let deletion = Deletion { at_ms: 1, why: "old".to_owned() };
    deleting.finish(&RealDisk, deletion).expect("deleted");
    let late = late.join().expect("no panic");
    let is_gone = |error: &RetentionError| {
        matches!(error, RetentionError::Fetch(FetchError::NoRecording(SESSION)))
    };
    assert!(late.as_ref().is_err_and(is_gone), "{late:?}");
    let source = recordings.source(SESSION);
    assert!(source.is_err_and(|error| matches!(error, FetchError::NoRecording(SESSION))));
}
