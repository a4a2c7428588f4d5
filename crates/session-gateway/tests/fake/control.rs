//! Sessions that somebody ends, stops for a while, or that end by a limit.

use crate::person::{SPDY, V5, exited};
use crate::world::{ALICE, Wish, World};
use ledger_model::Fact;
use session_gateway::Phase;
use session_record::{Event, SessionId, Stream};

fn only(world: &World) -> SessionId {
    let sessions = world.gateway.sessions().list();
    assert_eq!(sessions.len(), 1);
    sessions[0].opening.session
}

fn kinds(facts: &[Fact]) -> Vec<&'static str> {
    let kinds = facts.iter().filter_map(|fact| match fact {
        Fact::SessionOpened(_) => Some("opened"),
        Fact::SessionKilled { .. } => Some("killed"),
        Fact::SessionFrozen { .. } => Some("frozen"),
        Fact::SessionThawed { .. } => Some("thawed"),
        Fact::SessionSealed(_) => Some("sealed"),
        _ => None,
    });
    kinds.collect()
}

#[tokio::test]
async fn whoever_is_killed_is_told_by_whom_and_why() {
    for (protocol, streams) in
        [(V5, "stdin stdout tty"), (V5, "stdin stdout stderr"), (SPDY, "stdin stdout tty")]
    {
        let world = World::start().await;
        let mut person = world.client(ALICE).exec(protocol, streams, &["shell"]).await;
        person.until("$ ").await;
        world.gateway.sessions().kill(only(&world), "carol", "it is late").unwrap();
        let outcome = person.wait().await;
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.contains("weir: carol ended the session: it is late"), "{outcome:?}");
        assert_eq!(outcome.status, exited(125));
        world.api.until(|executed| executed[0].over).await;
        world.gateway.stop().await;
        let session = world.evidence.only_session();
        assert_eq!(session.notices(), ["carol ended the session: it is late"]);
        assert_eq!(session.ending(), "sealed Killed { by: \"carol\", why: \"it is late\" }");
        assert_eq!(kinds(&world.evidence.facts().await), ["opened", "killed", "sealed"]);
    }
}

#[tokio::test]
async fn a_frozen_session_passes_nothing_and_loses_nothing() {
    let world = World::start().await;
    let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    person.until("$ ").await;
    let session = only(&world);
    world.gateway.sessions().freeze(session, "carol").unwrap();
    let phase = |wanted| {
        let sessions = world.gateway.sessions().clone();
        async move {
            while sessions.find(session).unwrap().phase != wanted {
                tokio::task::yield_now().await;
            }
        }
    };
    phase(Phase::Frozen).await;
    person.type_in("ls\r").await;
    world.gateway.sessions().mark(session, "carol", "looked at").unwrap();
    // The mark is recorded after the keys were read or before; they are held in either case.
    let held = world.api.executed();
    assert_eq!(held[0].stdin, b"");
    world.gateway.sessions().thaw(session, "carol").unwrap();
    person.until("ran ls").await;
    person.type_in("\u{4}").await;
    person.wait().await;
    world.gateway.stop().await;
    let read = world.evidence.only_session();
    let order: Vec<&str> = read
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Frozen { .. } => Some("frozen"),
            Event::Marker { .. } => Some("marked"),
            Event::Thawed { .. } => Some("thawed"),
            Event::Data { stream: Stream::Stdin, bytes } if bytes == "ls\r" => Some("typed"),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["frozen", "marked", "thawed", "typed"]);
    assert_eq!(kinds(&world.evidence.facts().await), ["opened", "frozen", "thawed", "sealed"]);
}

#[tokio::test]
async fn limits_end_a_session_and_say_which() {
    let cases = [
        ("limits: {duration: 1s}\n", "it was as long as a session may be"),
        ("limits: {idle: 1s}\n", "nothing was sent for 1 s"),
    ];
    for (more, which) in cases {
        let world = World::with(Wish { more: more.to_owned(), ..Wish::default() }).await;
        let person = world.client(ALICE).exec(V5, "stdout stderr", &["sleep"]).await;
        let outcome = person.wait().await;
        assert!(outcome.stderr.contains(&format!("the session ended: {which}")), "{outcome:?}");
        world.api.until(|executed| executed[0].over).await;
        world.gateway.stop().await;
        assert_eq!(
            world.evidence.only_session().ending(),
            format!("sealed Limit {{ which: {which:?} }}")
        );
    }
}

#[tokio::test]
async fn a_gateway_that_stops_tells_everybody_and_seals() {
    let world = World::start().await;
    let mut people = Vec::new();
    for protocol in [V5, SPDY] {
        let mut person = world.client(ALICE).exec(protocol, "stdin stdout tty", &["shell"]).await;
        person.until("$ ").await;
        people.push(person);
    }
    let World { gateway, evidence, folder: _folder, .. } = world;
    let stopping = tokio::spawn(gateway.stop());
    for person in people {
        let outcome = person.wait().await;
        assert!(outcome.stdout.contains("the gateway is stopping"), "{outcome:?}");
    }
    stopping.await.unwrap();
    let endings: Vec<String> =
        evidence.sessions().iter().map(crate::evidence::Read::ending).collect();
    assert_eq!(endings, ["sealed GatewayStopped", "sealed GatewayStopped"]);
    assert_eq!(kinds(&evidence.facts().await), ["opened", "opened", "sealed", "sealed"]);
}
