//! The console beside a gateway: whoever proves it lists, watches, stops and ends what goes on, over TLS.

use crate::client::{Client, Sent, body, get};
use crate::person::{V5, exited};
use crate::world::{ALICE, Wish, World};
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ledger_model::Fact;
use serde_json::Value;
use session_api::{Api, ApiConfig, Caller, Going, NotDone, Unproven};
use session_gateway::{AskError, Phase, Registry};
use session_record::SessionId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const CONSOLE: &str = "\
console:
  address: 127.0.0.1:0
  owners: [list]
  grants:
  - {users: [carol], namespaces: [shop], permissions: [list, view, freeze, kill]}
";
const CAROL: (&str, &[&str]) = ("carol", &["security"]);

#[derive(Debug)]
struct OfGateway(Registry);

impl Going for OfGateway {
    fn phase(&self, session: SessionId) -> Option<session_api::Phase> {
        Some(match self.0.find(session)?.phase {
            Phase::Opening | Phase::Running => session_api::Phase::Running,
            Phase::Frozen => session_api::Phase::Frozen,
            Phase::Sealing => session_api::Phase::Ending,
        })
    }

    fn kill(&self, session: SessionId, by: &str, why: &str) -> Result<(), NotDone> {
        self.0.kill(session, by, why).map_err(not_done)
    }

    fn freeze(&self, session: SessionId, by: &str) -> Result<(), NotDone> {
        self.0.freeze(session, by).map_err(not_done)
    }

    fn thaw(&self, session: SessionId, by: &str) -> Result<(), NotDone> {
        self.0.thaw(session, by).map_err(not_done)
    }
}

fn not_done(error: AskError) -> NotDone {
    match error {
        AskError::NoSuchSession => NotDone::NotGoing,
        AskError::Busy => NotDone::Busy,
    }
}

/// Opens the console of a world, as the command line does.
async fn open(world: &World) -> SocketAddr {
    let console = world.config.console.as_ref().unwrap();
    let told = ApiConfig {
        recordings: world.config.recordings.folder.clone(),
        ledger: world.config.ledger.folder.clone(),
        grants: console.grants.clone(),
        keys: Vec::new(),
        patience: Duration::from_secs(5),
    };
    let gateway = &world.gateway;
    let going = Arc::new(OfGateway(gateway.sessions().clone()));
    let api = Api::new(told, gateway.recorder().clone(), gateway.ledger().clone(), going);
    let answer = move |visitor: session_gateway::Visitor, request: Request<Incoming>| {
        let api = api.clone();
        async move {
            let (mut parts, body) = request.into_parts();
            let proven = visitor.identity(&parts.headers).await;
            let unproven = |error: session_gateway::NotProven| Unproven {
                status: error.status,
                message: error.message,
            };
            parts.extensions.insert(Caller(proven.map_err(unproven)));
            api.answer(parts, body).await
        }
    };
    gateway.open_console(console, &world.config.clients, answer).await.unwrap()
}

fn client(world: &World, console: SocketAddr, who: Option<(&str, &[&str])>) -> Client {
    let mut client = match who {
        Some(who) => world.client(who),
        None => world.client_with(None),
    };
    client.address = console;
    client
}

fn post(path: &str, text: &str) -> Sent {
    let request = Request::post(path).header("host", "gateway");
    request.header("content-type", "application/json").body(body(text.to_owned())).unwrap()
}

async fn live(client: &Client, session: &str) -> Incoming {
    let mut sender = client.http1().await;
    let path = format!("/api/v1/sessions/{session}/live");
    let response = sender.send_request(get(&path)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-security-policy"].as_bytes()[..12], *b"default-src ");
    response.into_body()
}

async fn until(stream: &mut Incoming, shown: &mut String, wanted: &str) {
    while !shown.contains(wanted) {
        let frame = stream.frame().await.unwrap().unwrap();
        shown.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn whoever_may_watches_stops_and_ends_a_session() {
    let world = World::with(Wish { more: CONSOLE.to_owned(), ..Wish::default() }).await;
    let console = open(&world).await;
    let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    person.until("$ ").await;
    let (carol, alice) =
        (client(&world, console, Some(CAROL)), client(&world, console, Some(ALICE)));
    let (code, list) = carol.send(get("/api/v1/sessions")).await;
    assert_eq!(code, 200, "{list}");
    let list: Value = serde_json::from_str(&list).unwrap();
    let item = &list["items"][0];
    assert_eq!(
        (&item["user"], &item["live"], &item["state"]),
        (&"alice".into(), &true.into(), &"open".into())
    );
    let session = item["session"].as_str().unwrap();
    let of = |rest: &str| format!("/api/v1/sessions/{session}/{rest}");
    let mut stream = live(&carol, session).await;
    let mut shown = String::new();
    until(&mut stream, &mut shown, "$ ").await;
    assert_eq!(alice.send(post(&of("kill"), r#"{"why": "mine"}"#)).await.0, 403);
    assert_eq!(carol.send(post(&of("freeze"), "{}")).await.0, 204);
    person.type_in("ls\r").await;
    assert_eq!(carol.send(post(&of("thaw"), "{}")).await.0, 204);
    person.until("ran ls").await;
    until(&mut stream, &mut shown, "ran ls").await;
    assert_eq!(carol.send(post(&of("kill"), r#"{"why": "it is late"}"#)).await.0, 204);
    // By then it is sealed, and the ledger has all of it.
    world.gateway.ledger().flush().await.unwrap();
    let kinds: Vec<&str> = world.evidence.facts().await.iter().filter_map(kind).collect();
    assert_eq!(
        kinds,
        ["opened", "viewed by carol", "frozen", "thawed", "killed by carol", "sealed"]
    );
    assert_eq!(person.wait().await.status, exited(125));
    until(&mut stream, &mut shown, "event: done").await;
    world.gateway.stop().await;
}

fn kind(fact: &Fact) -> Option<&'static str> {
    Some(match fact {
        Fact::SessionOpened(_) => "opened",
        Fact::SessionViewed { by, how, .. } if by == "carol" && how == "live" => "viewed by carol",
        Fact::SessionFrozen { .. } => "frozen",
        Fact::SessionThawed { .. } => "thawed",
        Fact::SessionKilled { by, .. } if by == "carol" => "killed by carol",
        Fact::SessionSealed(_) => "sealed",
        _ => return None,
    })
}

#[tokio::test]
async fn nobody_is_anybody_without_a_proof() {
    let world = World::with(Wish { more: CONSOLE.to_owned(), ..Wish::default() }).await;
    let console = open(&world).await;
    let nobody = client(&world, console, None);
    let alice = client(&world, console, Some(ALICE));
    let (code, said) = nobody.send(get("/api/v1/sessions")).await;
    assert_eq!(code, 401);
    assert!(said.contains("not-authenticated"), "{said}");
    let forged = Request::get("/api/v1/whoami")
        .header("host", "gateway")
        .header("authorization", "Bearer e30.e30.e30")
        .body(body(""))
        .unwrap();
    assert_eq!(nobody.send(forged).await.0, 401);
    let impersonated = Request::get("/api/v1/whoami")
        .header("host", "gateway")
        .header("x-remote-user", "carol")
        .header("impersonate-user", "carol")
        .body(body(""))
        .unwrap();
    let (code, said) = alice.send(impersonated).await;
    assert_eq!(code, 200);
    assert!(said.contains("\"user\":\"alice\""), "{said}");
    let masters = client(&world, console, Some(("root", &["system:masters"])));
    assert_eq!(masters.send(get("/api/v1/sessions")).await.0, 403);
    // No way to a cluster leads through the console.
    assert_eq!(alice.send(get("/api/v1/namespaces")).await.0, 404);
    assert_eq!(alice.send(get("/version")).await.0, 404);
    assert!(world.api.lines().is_empty(), "{:?}", world.api.lines());
    world.gateway.stop().await;
}
