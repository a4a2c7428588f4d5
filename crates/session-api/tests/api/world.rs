//! A recorder, a ledger and the API over both; the sessions that go on are the test's.

use access_model::{Identity, Names, Pattern, Permission, Proof, SessionGrant, SessionGrants};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use ledger_model::{Algorithm, Fact, SessionOpened, SessionSealed, SignerKey};
use ledger_store::{Ledger, LedgerOptions, LedgerReader, Place, decode_entry};
use serde_json::Value;
use session_api::{Api, ApiConfig, Caller, Going, NotDone, Phase, Unproven};
use session_record::{Access, Client, Durability, Ending, Event, Opening, SessionId, Stream, User};
use session_store::{
    AgeIdentities, AgeRecipients, Readers, RealDisk, Recorder, RecorderConfig, Recording,
    SystemClock, UnwrapKey, Watermarks,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_folder::TestFolder;

pub(crate) const START_MS: i64 = 1_795_000_000_000;

/// Whose keys the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    None,
    Shown,
    Both,
}

pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) recorder: Recorder,
    pub(crate) ledger: Ledger,
    pub(crate) going: Arc<Sessions>,
    // The last, so that nothing writes into it any more when it goes.
    pub(crate) folder: TestFolder,
}

/// Sessions that go on as a test says.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    phases: Mutex<BTreeMap<SessionId, Phase>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Sessions {
    pub(crate) fn enter(&self, session: SessionId) {
        self.phases.lock().unwrap().insert(session, Phase::Running);
    }

    fn ask(&self, session: SessionId, what: String, to: Option<Phase>) -> Result<(), NotDone> {
        let mut phases = self.phases.lock().unwrap();
        if !phases.contains_key(&session) {
            return Err(NotDone::NotGoing);
        }
        self.asked.lock().unwrap().push(what);
        match to {
            Some(phase) => phases.insert(session, phase),
            None => phases.remove(&session),
        };
        Ok(())
    }
}

impl Going for Sessions {
    fn phase(&self, session: SessionId) -> Option<Phase> {
        self.phases.lock().unwrap().get(&session).copied()
    }

    fn kill(&self, session: SessionId, by: &str, why: &str) -> Result<(), NotDone> {
        self.ask(session, format!("{by} kills: {why}"), None)
    }

    fn freeze(&self, session: SessionId, by: &str) -> Result<(), NotDone> {
        self.ask(session, format!("{by} freezes"), Some(Phase::Frozen))
    }

    fn thaw(&self, session: SessionId, by: &str) -> Result<(), NotDone> {
        self.ask(session, format!("{by} thaws"), Some(Phase::Running))
    }
}

fn grant(group: &str, namespaces: Names, permissions: &[Permission]) -> SessionGrant {
    SessionGrant {
        users: Vec::new(),
        groups: vec![Pattern(group.to_owned())],
        clusters: Names::Any,
        namespaces,
        permissions: permissions.iter().copied().collect(),
    }
}

/// What each group may; owners may see that their sessions were.
pub(crate) fn grants() -> SessionGrants {
    use Permission::{Freeze, Hold, Input, Kill, List, Note, View};
    let shop = Names::Listed(vec![Pattern("shop".to_owned())]);
    SessionGrants {
        grants: vec![
            grant("listers", Names::Any, &[List]),
            grant("viewers", Names::Any, &[List, View]),
            grant("shop-viewers", shop, &[List, View]),
            grant("investigators", Names::Any, &[List, View, Input]),
            grant("operators", Names::Any, &[List, Freeze, Kill]),
            grant("everything", Names::Any, &Permission::ALL),
            grant("archivists", Names::Any, &[List, Note, Hold]),
        ],
        owners: BTreeSet::from([List]),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Keys::Shown).await
    }

    pub(crate) async fn with(keys: Keys) -> Self {
        let folder = TestFolder::new();
        let [(shown, shown_public), (typed, typed_public)] =
            [AgeIdentities::generate(), AgeIdentities::generate()];
        let recipients = |key: &str| -> Arc<dyn session_store::WrapKey> {
            Arc::new(AgeRecipients::parse([key]).unwrap())
        };
        let readers = Readers {
            output: vec![recipients(&shown_public)],
            input: vec![recipients(&typed_public)],
        };
        let config = RecorderConfig {
            commit_interval: Duration::from_millis(5),
            ballast_bytes: 0,
            // How full this machine's disk is decides nothing here.
            watermarks: Watermarks { admission_bytes: 3, drain_bytes: 2, critical_bytes: 1 },
            ..RecorderConfig::new(folder.path().join("recordings"), readers)
        };
        let clock = Arc::new(SystemClock::start());
        let (recorder, _) = Recorder::start(config, Arc::new(RealDisk), clock).await.unwrap();
        let key = SignerKey::from_seed("test", Algorithm::Ed25519, [7; 32]).unwrap();
        let options = LedgerOptions::new(folder.path().join("ledger"), key, "edge", "1");
        let ledger = tokio::task::spawn_blocking(|| Ledger::open(options)).await.unwrap().unwrap();
        let going = Arc::new(Sessions::default());
        let identity = |secret: &str| -> Arc<dyn UnwrapKey> {
            Arc::new(AgeIdentities::parse(secret).unwrap())
        };
        let told = ApiConfig {
            recordings: folder.path().join("recordings"),
            ledger: folder.path().join("ledger"),
            grants: grants(),
            patience: Duration::from_millis(20),
            keys: match keys {
                Keys::None => Vec::new(),
                Keys::Shown => vec![identity(&shown)],
                Keys::Both => vec![identity(&shown), identity(&typed)],
            },
        };
        let api = Api::new(told, recorder.clone(), ledger.clone(), Arc::clone(&going) as _);
        Self { api, recorder, ledger, going, folder }
    }

    /// A session that goes on.
    pub(crate) async fn begin(&self, opening: Opening) -> Recording {
        let opened = SessionOpened {
            session: opening.session.to_string(),
            cluster: opening.cluster.clone(),
            user: opening.user.name.clone(),
            verb: opening.access.verb.clone(),
            namespace: opening.access.namespace.clone(),
            object: opening.access.name.clone(),
            container: opening.access.container.clone(),
            rule: opening.rule.clone(),
            reason: opening.reason.clone(),
            header: [0; 32],
        };
        let session = opening.session;
        let recording = self.recorder.open(opening).await.unwrap();
        let header = recording.header_digest();
        let opened = Fact::SessionOpened(SessionOpened { header, ..opened });
        self.ledger.append(opened).await.unwrap();
        self.going.enter(session);
        recording
    }

    pub(crate) async fn end(&self, recording: Recording, ending: Ending) {
        let session = recording.session();
        let sealed = recording.seal(ending).await.unwrap();
        drop(recording);
        let fact = SessionSealed {
            session: session.to_string(),
            ending: "finished".to_owned(),
            state: "sealed".to_owned(),
            chunks: sealed.seal.head.chunks,
            chain: sealed.seal.head.chain,
            file: sealed.digest,
        };
        self.ledger.append(Fact::SessionSealed(fact)).await.unwrap();
        self.recorder.settle(session, sealed.opened_at_ms).await.unwrap();
        self.going.phases.lock().unwrap().remove(&session);
    }

    /// A session that is over.
    pub(crate) async fn record(&self, opening: Opening, events: Vec<Event>) {
        let recording = self.begin(opening).await;
        for event in events {
            recording.record(event).await.unwrap();
        }
        self.end(recording, Ending::Finished { exit_code: Some(0) }).await;
    }

    pub(crate) async fn send(&self, mut parts: Parts, body: &str, caller: Caller) -> Answered {
        parts.extensions.insert(caller);
        let body = http_body_util::Full::new(Bytes::from(body.to_owned()));
        let response = self.api.answer(parts, body).await;
        let (head, body) = response.into_parts();
        Answered { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn call(&self, group: &str, method: &str, path: &str, body: &str) -> Said {
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        self.send(parts, body, Caller(Ok(member(group)))).await.said().await
    }

    pub(crate) async fn get(&self, group: &str, path: &str) -> Said {
        self.call(group, "GET", path, "").await
    }

    /// What the ledger says of people: everything but what the recorder's side enters.
    pub(crate) async fn entries(&self) -> Vec<String> {
        self.ledger.flush().await.unwrap();
        let size = self.ledger.progress().borrow().published;
        let reader = LedgerReader::new(Place::Folder(self.folder.path().join("ledger")));
        let mut told = Vec::new();
        for index in 0..size {
            let entry = reader.entry(index, size).await.unwrap().unwrap();
            told.extend(entered(decode_entry(&entry).unwrap().fact));
        }
        told
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about people")]
fn entered(fact: Fact) -> Option<String> {
    Some(match fact {
        Fact::SessionViewed { session, by, how } => format!("{by} {how} {}", end(&session)),
        Fact::SessionNoted { session, by, at_us, .. } => {
            format!("{by} noted {} at {at_us}", end(&session))
        }
        Fact::HoldPlaced { session, by, why } => format!("{by} holds {}: {why}", end(&session)),
        Fact::HoldLifted { session, by, why } => format!("{by} lifts {}: {why}", end(&session)),
        _ => return None,
    })
}

fn end(session: &str) -> &str {
    session.trim_start_matches(['0', '-'])
}

pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) async fn said(self) -> Said {
        let bytes = self.body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Said { status: self.status.as_u16(), headers: self.headers, text }
    }
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text))
    }

    /// The status, and the code where there is one.
    pub(crate) fn short(&self) -> String {
        let code = serde_json::from_str::<Value>(&self.text).ok();
        match code.as_ref().and_then(|body| body.get("code")).and_then(Value::as_str) {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// Of one group, and called after it; `ann` owns the sessions of tests.
pub(crate) fn member(group: &str) -> Identity {
    Identity {
        user: group.trim_end_matches('s').to_owned(),
        uid: None,
        groups: vec![group.to_owned(), "system:authenticated".to_owned()],
        extra: BTreeMap::new(),
        proof: Proof::ClientCertificate { fingerprint: "00".to_owned() },
        expires_at: None,
    }
}

pub(crate) fn unproven() -> Caller {
    let message = "show a certificate".to_owned();
    Caller(Err(Unproven { status: StatusCode::UNAUTHORIZED, message }))
}

pub(crate) fn id(session: u128) -> String {
    SessionId(session).to_string()
}

pub(crate) fn opening(session: u128, command: &[&str]) -> Opening {
    Opening {
        session: SessionId(session),
        at_ms: START_MS + i64::try_from(session).unwrap() * 1000,
        gateway: "edge".to_owned(),
        cluster: "prod".to_owned(),
        user: User {
            name: "ann".to_owned(),
            uid: None,
            groups: vec!["ops".to_owned()],
            proof: "client certificate sha256:00".to_owned(),
        },
        client: Client {
            address: "192.0.2.7:40000".to_owned(),
            user_agent: Some("kubectl/v1.36.0".to_owned()),
            kubectl_session: None,
            kubectl_command: None,
            protocol: "v5.channel.k8s.io".to_owned(),
        },
        access: Access {
            verb: "exec".to_owned(),
            namespace: Some("shop".to_owned()),
            name: Some("web-0".to_owned()),
            uid: None,
            container: Some("web".to_owned()),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            terminal: true,
        },
        reason: Some("ticket 7".to_owned()),
        rule: "ops".to_owned(),
        durability: Durability::Group,
    }
}

pub(crate) fn shown(text: &str) -> Event {
    Event::Data { stream: Stream::Stdout, bytes: Bytes::from(text.to_owned()) }
}

pub(crate) fn typed(text: &str) -> Event {
    Event::Data { stream: Stream::Stdin, bytes: Bytes::from(text.to_owned()) }
}

pub(crate) fn size(columns: u16, rows: u16) -> Event {
    Event::Resize { columns, rows }
}

/// A shell in which somebody looks around.
pub(crate) fn shell() -> Vec<Event> {
    vec![
        size(80, 24),
        shown("$ "),
        typed("cat secret\r"),
        shown("cat secret\r\n"),
        shown("hunter2 is the word\r\n$ "),
        typed("exit\r"),
        shown("exit\r\n"),
    ]
}
