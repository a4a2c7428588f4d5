//! A folder with a recorder, and people with keys.

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use bytes::Bytes;
use session_record::{
    Access, Client, Durability, Event, Keys, Opening, SessionId, Step, Stream, User,
};
use session_store::{
    AgeIdentities, AgeRecipients, Disk, KeysFile, Readers, RealDisk, Recorder, RecorderConfig,
    Recordings, Recovered, SystemClock, UnwrapKey, Watermarks, unwrap_keys,
};
use std::path::Path;
use std::sync::Arc;
use test_folder::TestFolder;

/// Two people: one may see what was shown, the other what was typed as well.
pub(crate) struct People {
    auditor: Identity,
    investigator: Identity,
}

impl People {
    pub(crate) fn new() -> Self {
        Self { auditor: Identity::generate(), investigator: Identity::generate() }
    }

    /// Their secret keys, for a process that starts with nothing else.
    pub(crate) fn text(&self) -> String {
        let secret = |identity: &Identity| identity.to_string().expose_secret().to_owned();
        format!("{}\n{}", secret(&self.auditor), secret(&self.investigator))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let (auditor, investigator) = text.split_once('\n').expect("two keys");
        let parse = |text: &str| text.parse().expect("a key");
        Self { auditor: parse(auditor), investigator: parse(investigator) }
    }

    pub(crate) fn config(&self, folder: &Path) -> RecorderConfig {
        let watermarks = Watermarks { admission_bytes: 3, drain_bytes: 2, critical_bytes: 1 };
        RecorderConfig {
            watermarks,
            ballast_bytes: 1 << 20,
            n_writers: 2,
            ..RecorderConfig::new(folder.to_owned(), self.readers())
        }
    }

    pub(crate) fn readers(&self) -> Readers {
        let auditor = self.auditor.to_public().to_string();
        let investigator = self.investigator.to_public().to_string();
        let both =
            AgeRecipients::parse([auditor.as_str(), investigator.as_str()]).expect("recipients");
        let one = AgeRecipients::parse([investigator.as_str()]).expect("a recipient");
        Readers { output: vec![Arc::new(both)], input: vec![Arc::new(one)] }
    }

    pub(crate) fn unwrap_all(&self, file: &KeysFile) -> Keys {
        unwrap(&self.investigator, file)
    }

    pub(crate) fn auditor_keys(&self, recordings: &Recordings, session: SessionId) -> Keys {
        unwrap(&self.auditor, &recordings.keys_file(session).expect("wrapped keys"))
    }

    pub(crate) fn all_keys(&self, recordings: &Recordings, session: SessionId) -> Keys {
        unwrap(&self.investigator, &recordings.keys_file(session).expect("wrapped keys"))
    }
}

fn unwrap(identity: &Identity, file: &KeysFile) -> Keys {
    let secret = identity.to_string();
    let by: Arc<dyn UnwrapKey> =
        Arc::new(AgeIdentities::parse(secret.expose_secret()).expect("an identity"));
    unwrap_keys(file, &[by]).expect("keys")
}

pub(crate) fn config(folder: &TestFolder, people: &People) -> RecorderConfig {
    people.config(folder.path())
}

pub(crate) async fn start(config: RecorderConfig) -> (Recorder, Vec<Recovered>) {
    start_on(config, Arc::new(RealDisk)).await
}

pub(crate) async fn start_on(
    config: RecorderConfig,
    disk: Arc<dyn Disk>,
) -> (Recorder, Vec<Recovered>) {
    let started = Recorder::start(config, disk, Arc::new(SystemClock::start())).await;
    started.expect("a recorder")
}

pub(crate) fn opening(session: u128, durability: Durability) -> Opening {
    Opening {
        session: SessionId(session),
        at_ms: 1_790_000_000_000,
        gateway: "gateway-0".to_owned(),
        cluster: "shop".to_owned(),
        user: User {
            name: "ada".to_owned(),
            uid: None,
            groups: Vec::new(),
            proof: "certificate".to_owned(),
        },
        client: Client {
            address: "192.0.2.1:40000".to_owned(),
            user_agent: None,
            kubectl_session: None,
            kubectl_command: None,
            protocol: "v5.channel.k8s.io".to_owned(),
        },
        access: Access {
            verb: "exec".to_owned(),
            namespace: Some("shop".to_owned()),
            name: Some("web-0".to_owned()),
            uid: None,
            container: None,
            command: vec!["sh".to_owned()],
            terminal: true,
        },
        reason: None,
        rule: "ops".to_owned(),
        durability,
    }
}

pub(crate) fn data(stream: Stream, bytes: &[u8]) -> Event {
    Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) }
}

/// What happened, without times.
pub(crate) fn events(steps: impl IntoIterator<Item = Step>) -> Vec<Event> {
    let event = |step| match step {
        Step::Known(record) => record.event,
        Step::Withheld { at_us: _, stream, length } => {
            Event::Notice { text: format!("{stream:?}: {length} bytes withheld") }
        }
    };
    steps.into_iter().map(event).collect()
}
