//! A folder of recordings, two people with keys, and a ledger.

use bytes::Bytes;
use ledger_model::{Algorithm, Fact, SessionOpened, SessionSealed, SignerKey};
use ledger_store::{Ledger, LedgerOptions};
use session_record::{
    Access, Client, Compartment, ContentKey, Durability, Ending, Event, Header, KeyPair, Opening,
    Record, SessionId, State, Stream, User, Writer,
};
use session_store::{AgeIdentities, AgeRecipients, KeyOf, KeysFile, WrapKey, Wrapped};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use test_folder::TestFolder;

const WEIR: &str = env!("CARGO_BIN_EXE_weir");
pub(crate) const SHELL: &str = "00000000-0000-0000-0000-00000000000a";

/// What is there is gone when the test is over.
pub(crate) struct World {
    folder: TestFolder,
    auditor: String,
    investigator: String,
    facts: Vec<Fact>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = TestFolder::new();
        fs::create_dir_all(folder.join("recordings/open")).unwrap();
        let mut people = ["auditor", "investigator"].map(|name| {
            let (secret, public) = AgeIdentities::generate();
            fs::write(folder.join(name), secret).unwrap();
            public
        });
        let [auditor, investigator] = people.each_mut().map(std::mem::take);
        Self { folder, auditor, investigator, facts: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Records a session that is over.
    pub(crate) fn record(&mut self, opening: &Opening, steps: &[Record], ending: Ending) {
        let (session, at_ms) = (opening.session, opening.at_ms);
        let keys = keys(session);
        let header = Header::new(opening.clone(), [9; 32], 100, &keys);
        let (mut writer, beginning) = Writer::begin(&header, &keys).unwrap();
        let mut bytes = beginning.to_vec();
        for (number, step) in steps.iter().enumerate() {
            writer.push(step.at_us, &step.event).unwrap();
            if number % 5 == 4 {
                bytes.extend(writer.cut(Vec::new()).unwrap());
            }
        }
        let ended = writer.end(State::Sealed, ending, at_ms + 60_000).unwrap();
        bytes.extend(&ended.bytes);
        bytes.extend(ended.seal.write());
        let folder = self.path("recordings/sealed/2026-11-18");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{session}.raw")), &bytes).unwrap();
        fs::write(folder.join(format!("{session}.keys")), self.wrapped(session)).unwrap();
        self.facts.push(Fact::SessionOpened(opened(opening, ended.seal.header)));
        self.facts.push(Fact::SessionSealed(SessionSealed {
            session: session.to_string(),
            ending: "finished".to_owned(),
            state: "sealed".to_owned(),
            chunks: ended.seal.head.chunks,
            chain: ended.seal.head.chain,
            file: ended.seal.digest(),
        }));
    }

    /// The auditor may see what was shown, the investigator what was typed as well.
    fn wrapped(&self, session: SessionId) -> Vec<u8> {
        let keys = keys(session);
        let both = [self.auditor.as_str(), self.investigator.as_str()];
        let wrap = |compartment, key: &ContentKey, recipients: &[&str]| {
            let recipients = AgeRecipients::parse(recipients.iter().copied()).unwrap();
            Wrapped {
                compartment,
                scheme: recipients.scheme().to_owned(),
                recipients: recipients.recipients(),
                bytes: recipients.wrap(KeyOf { session, compartment }, key).unwrap(),
            }
        };
        let wrapped = vec![
            wrap(Compartment::Output, &keys.output, &both),
            wrap(Compartment::Input, &keys.input, &both[1..]),
        ];
        KeysFile { session, wrapped }.to_json().unwrap()
    }

    /// The ledger with all that was recorded, and one session of which there is no recording.
    pub(crate) fn ledger(&self) -> String {
        let key = SignerKey::from_seed("ledger.example/test", Algorithm::Ed25519, [7; 32]).unwrap();
        fs::write(self.path("ledger.key"), key.secret_text()).unwrap();
        let public = key.public().to_string();
        let options = LedgerOptions::new(self.path("ledger"), key, "edge", "1");
        let clock = ledger_store::Clock(std::sync::Arc::new(|| 1_795_000_000_500));
        let ledger = Ledger::open(LedgerOptions { clock, ..options }).unwrap();
        let mut facts = self.facts.clone();
        facts.push(Fact::SessionOpened(opened(&opening(0xff, &["sh"], true), [3; 32])));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ledger.append_all(facts)).unwrap();
        runtime.block_on(ledger.close()).unwrap();
        public
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(WEIR);
        command.arg("sessions").args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("WEIR_RECORDINGS", "recordings").env("USER", "cass").env("TERM", "xterm");
        command
    }

    /// What a command prints, and how it ends.
    pub(crate) fn weir(&self, arguments: &[&str]) -> String {
        told(&self.command(arguments).output().unwrap())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.command(arguments).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

pub(crate) fn told(output: &Output) -> String {
    let mut text = String::from_utf8(output.stdout.clone()).unwrap().replace('\r', "\\r");
    for line in String::from_utf8(output.stderr.clone()).unwrap().lines() {
        writeln!(text, "2> {line}").unwrap();
    }
    match output.status.code() {
        Some(0) => {}
        code => writeln!(text, "[exit {code:?}]").unwrap(),
    }
    text
}

/// Drawn from nothing but the session, so that a recording is the same each time.
fn keys(session: SessionId) -> KeyPair {
    let seed = u8::try_from(session.0 & 0xff).unwrap();
    KeyPair { output: ContentKey::new([seed; 32]), input: ContentKey::new([seed ^ 0x80; 32]) }
}

fn opened(opening: &Opening, header: [u8; 32]) -> SessionOpened {
    SessionOpened {
        session: opening.session.to_string(),
        cluster: opening.cluster.clone(),
        user: opening.user.name.clone(),
        verb: opening.access.verb.clone(),
        namespace: opening.access.namespace.clone(),
        object: opening.access.name.clone(),
        container: opening.access.container.clone(),
        rule: opening.rule.clone(),
        reason: opening.reason.clone(),
        header,
    }
}

pub(crate) fn opening(session: u128, command: &[&str], terminal: bool) -> Opening {
    Opening {
        session: SessionId(session),
        at_ms: 1_795_000_000_123 + i64::try_from(session).unwrap(),
        gateway: "edge".to_owned(),
        cluster: "prod".to_owned(),
        user: User {
            name: "ann".to_owned(),
            uid: None,
            groups: vec!["ops".to_owned()],
            proof: "client certificate".to_owned(),
        },
        client: Client {
            address: "192.0.2.7:40000".to_owned(),
            user_agent: Some("kubectl/v1.36.0".to_owned()),
            kubectl_session: Some("one kubectl".to_owned()),
            kubectl_command: Some("kubectl exec".to_owned()),
            protocol: "v5.channel.k8s.io".to_owned(),
        },
        access: Access {
            verb: "exec".to_owned(),
            namespace: Some("shop".to_owned()),
            name: Some("web-0".to_owned()),
            uid: Some("b1".to_owned()),
            container: Some("web".to_owned()),
            command: command.iter().map(|argument| (*argument).to_owned()).collect(),
            terminal,
        },
        reason: Some("ticket 7".to_owned()),
        rule: "ops".to_owned(),
        durability: Durability::Intent,
    }
}

pub(crate) fn data(at_us: u64, stream: Stream, bytes: &[u8]) -> Record {
    Record { at_us, event: Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) } }
}

pub(crate) fn event(at_us: u64, event: Event) -> Record {
    Record { at_us, event }
}

/// A shell: two commands, a password between, and an end.
pub(crate) fn shell() -> Vec<Record> {
    let mut steps = vec![
        event(0, Event::Resize { columns: 80, rows: 24 }),
        data(1_000, Stream::Stdout, b"root@web:/# "),
    ];
    let mut at_us = 1_000_000;
    let mut typed = |steps: &mut Vec<Record>, text: &str, answer: &str, echo: bool| {
        for letter in text.bytes() {
            at_us += 100_000;
            steps.push(data(at_us, Stream::Stdin, &[letter]));
            if echo && letter != b'\r' {
                steps.push(data(at_us + 1_000, Stream::Stdout, &[letter]));
            }
        }
        steps.push(data(at_us + 2_000, Stream::Stdout, answer.as_bytes()));
        at_us += 2_000_000;
    };
    typed(&mut steps, "su ada\r", "\r\nPassword: ", true);
    typed(&mut steps, "s3cret\r", "\r\nroot@web:/# ", false);
    typed(&mut steps, "cat /etc/motd\r", "\r\nwelcome home\r\nroot@web:/# ", true);
    let now = |steps: &[Record]| steps.last().map_or(0, |step| step.at_us);
    steps.push(event(now(&steps), Event::Marker { by: "bob".to_owned(), text: "look".to_owned() }));
    typed(&mut steps, "exit\r", "\r\nexit\r\n", true);
    let status = Bytes::from_static(b"{\"status\":\"Success\"}");
    steps.push(event(now(&steps), Event::Status { text: status }));
    steps
}

/// The shell's recording in a world of its own.
pub(crate) fn world_with_shell() -> World {
    let mut world = World::new();
    let finished = Ending::Finished { exit_code: Some(0) };
    world.record(&opening(0xa, &["bash", "-i"], true), &shell(), finished);
    world
}

/// A name of a file of the shell's recording.
pub(crate) fn shell_file(world: &World) -> PathBuf {
    world.path("recordings/sealed/2026-11-18").join(Path::new(SHELL)).with_extension("raw")
}
