//! A session from its opening to its recording among the sealed ones.

use crate::fixture::{People, config, data, events, opening, start};
use session_record::{Compartment, Durability, Ending, Event, SessionId, State, Stream};
use session_store::{Condition, Found, Recordings, StartError};
use std::sync::Arc;
use test_folder::TestFolder;

fn typed_and_shown() -> Vec<Event> {
    vec![
        data(Stream::Stdout, b"$ "),
        data(Stream::Stdin, b"id\r"),
        data(Stream::Stdout, b"id\r\nuid=0\r\n"),
        data(Stream::Stdin, b"\x04"),
    ]
}

#[tokio::test]
async fn a_session_is_recorded_sealed_listed_and_read() {
    let (folder, people) = (TestFolder::new(), People::new());
    let (recorder, recovered) = start(config(&folder, &people)).await;
    assert!(recovered.is_empty());
    let recording = recorder.open(opening(7, Durability::Intent)).await.expect("a recording");
    for event in typed_and_shown() {
        recording.admit(event).await.expect("recorded");
    }
    let sealed = recording.seal(Ending::Finished { exit_code: Some(0) }).await.expect("sealed");
    recorder.settle(sealed.session, sealed.opened_at_ms).await.expect("settled");

    let recordings = Recordings::new(folder.path());
    let listed = recordings.list().expect("a list");
    let [only] = listed.as_slice() else { unreachable!("{listed:?}") };
    let Condition::Sealed { header, seal, .. } = &only.condition else { unreachable!("{only:?}") };
    assert_eq!((only.session, *header), (SessionId(7), recording.header_digest()));
    assert_eq!((seal.state, seal.digest()), (State::Sealed, sealed.digest));
    let all = people.all_keys(&recordings, SessionId(7));
    let reader = recordings.reader(SessionId(7), &all).expect("a reader");
    assert_eq!(events(reader.map(|step| step.expect("a step"))), typed_and_shown());
    let some = people.auditor_keys(&recordings, SessionId(7));
    assert!(some.output.is_some() && some.input.is_none());
    let reader = recordings.reader(SessionId(7), &some).expect("a reader");
    let withheld = |text: &str| Event::Notice { text: text.to_owned() };
    let expected = [
        data(Stream::Stdout, b"$ "),
        withheld("Stdin: 3 bytes withheld"),
        data(Stream::Stdout, b"id\r\nuid=0\r\n"),
        withheld("Stdin: 1 bytes withheld"),
    ];
    assert_eq!(events(reader.map(|step| step.expect("a step"))), expected);
}

#[tokio::test]
async fn who_watches_sees_everything_while_it_happens() {
    let (folder, people) = (TestFolder::new(), People::new());
    let (recorder, _) = start(config(&folder, &people)).await;
    let recording = recorder.open(opening(7, Durability::Group)).await.expect("a recording");
    let mut follow = recorder.live(SessionId(7)).expect("it lives").follow(Compartment::Input);
    let mut seen = Vec::new();
    for (n, event) in typed_and_shown().into_iter().enumerate() {
        recording.admit(event).await.expect("recorded");
        while seen.len() <= n {
            seen.extend(events(follow.next().await.expect("steps")));
        }
    }
    recording.seal(Ending::ClientLeft).await.expect("sealed");
    assert_eq!((follow.next().await.expect("the end"), seen), (Vec::new(), typed_and_shown()));
}

#[tokio::test]
async fn one_recorder_has_a_folder() {
    let (folder, people) = (TestFolder::new(), People::new());
    let (_recorder, _) = start(config(&folder, &people)).await;
    let disk = Arc::new(session_store::RealDisk);
    let clock = Arc::new(session_store::SystemClock::start());
    let second = session_store::Recorder::start(config(&folder, &people), disk, clock).await;
    assert!(matches!(second, Err(StartError::Taken { .. })));
}

#[tokio::test]
async fn what_was_not_settled_is_found_again() {
    let (folder, people) = (TestFolder::new(), People::new());
    let (recorder, _) = start(config(&folder, &people)).await;
    let recording = recorder.open(opening(7, Durability::Intent)).await.expect("a recording");
    recording.admit(data(Stream::Stdin, b"ls\r")).await.expect("recorded");
    let sealed = recording.seal(Ending::ClientLeft).await.expect("sealed");
    drop((recording, recorder));
    let (recorder, recovered) = start(config(&folder, &people)).await;
    let [found] = recovered.as_slice() else { unreachable!("{recovered:?}") };
    let Found::Sealed { seal, digest, loss, .. } = &found.found else { unreachable!("{found:?}") };
    assert_eq!((&**seal, digest, loss.at_most_ms), (&sealed.seal, &sealed.digest, 0));
    recorder.settle(SessionId(7), sealed.opened_at_ms).await.expect("settled");
    drop(recorder);
    let (_recorder, recovered) = start(config(&folder, &people)).await;
    assert!(recovered.is_empty());
}
