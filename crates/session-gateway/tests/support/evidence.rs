//! What a gateway leaves behind, read as an auditor reads it.

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use ledger_model::{Algorithm, Fact, SignerKey};
use ledger_store::{LedgerReader, Place, decode_entry};
use session_record::{Event, Opening, SessionId, Step, Stream};
use session_store::{AgeIdentities, Condition, Hold, RealDisk, Recordings, UnwrapKey, unwrap_keys};
use std::path::PathBuf;
use std::sync::Arc;
use test_folder::TestFolder;

pub(crate) struct Evidence {
    identity: Identity,
    folder: PathBuf,
}

/// A recording, read to its end.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) opening: Opening,
    pub(crate) events: Vec<Event>,
    pub(crate) condition: Condition,
}

impl Evidence {
    pub(crate) fn new(folder: &TestFolder) -> Self {
        let key = SignerKey::from_seed("test.example/ledger", Algorithm::Ed25519, [7; 32]).unwrap();
        folder.write("ledger.key", key.secret_text());
        Self { identity: Identity::generate(), folder: folder.path().to_owned() }
    }

    pub(crate) fn recipient(&self) -> String {
        self.identity.to_public().to_string()
    }

    fn recordings(&self) -> Recordings {
        Recordings::new(&self.folder.join("recordings"))
    }

    /// All recordings but those of plain calls, oldest first.
    pub(crate) fn sessions(&self) -> Vec<Read> {
        let mut read: Vec<Read> =
            self.all().into_iter().filter(|read| read.opening.access.verb != "api").collect();
        read.sort_by_key(|read| read.opening.at_ms);
        read
    }

    pub(crate) fn only_session(&self) -> Read {
        let mut sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "{sessions:#?}");
        sessions.remove(0)
    }

    pub(crate) fn all(&self) -> Vec<Read> {
        self.recordings()
            .sessions()
            .unwrap()
            .into_iter()
            .map(|session| self.read(session))
            .collect()
    }

    fn read(&self, session: SessionId) -> Read {
        let recordings = self.recordings();
        let secret = self.identity.to_string();
        let by: Arc<dyn UnwrapKey> =
            Arc::new(AgeIdentities::parse(secret.expose_secret()).unwrap());
        let keys = unwrap_keys(&recordings.keys_file(session).unwrap(), &[by]).unwrap();
        let mut reader = recordings.reader(session, &keys).unwrap();
        let mut events = Vec::new();
        while let Some(step) = reader.next_step().unwrap() {
            match step {
                Step::Known(record) => events.push(record.event),
                Step::Withheld { .. } => panic!("the auditor has all keys"),
            }
        }
        let opening = reader.opening().clone();
        Read { opening, events, condition: recordings.look(session).unwrap().condition }
    }

    /// Waits until recordings that are sealed and filed are as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&[SessionId]) -> bool) -> Vec<SessionId> {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let settled = self.recordings().expired(i64::MAX).unwrap();
            let held = self.recordings().sessions().unwrap().into_iter();
            let held =
                held.filter(|one| self.recordings().holds(*one).is_ok_and(|all| !all.is_empty()));
            let mut all: Vec<SessionId> =
                settled.iter().map(|listed| listed.session).chain(held).collect();
            all.sort();
            if wanted(&all) {
                return all;
            }
            assert!(std::time::Instant::now() < end, "{all:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Holds one of so many recordings, which it waits for.
    pub(crate) async fn hold_one_of(&self, count: usize) -> SessionId {
        let settled = self.until(|settled| settled.len() == count).await;
        let hold = Hold { by: "carol".to_owned(), why: "an audit".to_owned(), at_ms: 0 };
        self.recordings().hold(&RealDisk, settled[0], hold).unwrap();
        settled[0]
    }

    /// What the ledger has, in its order, by the time that the gateway is stopped.
    pub(crate) async fn facts(&self) -> Vec<Fact> {
        let reader = LedgerReader::new(Place::Folder(self.folder.join("ledger")));
        let size = reader.checkpoint().await.unwrap().unwrap().head().size;
        let mut facts = Vec::new();
        for file in 0..size.div_ceil(256) {
            for entry in reader.entries(file, size).await.unwrap() {
                facts.push(decode_entry(&entry).unwrap().fact);
            }
        }
        facts
    }
}

impl Read {
    pub(crate) fn stream(&self, wanted: Stream) -> Vec<u8> {
        let mut all = Vec::new();
        for event in &self.events {
            if let Event::Data { stream, bytes } = event
                && *stream == wanted
            {
                all.extend_from_slice(bytes);
            }
        }
        all
    }

    pub(crate) fn notices(&self) -> Vec<String> {
        let notices = self.events.iter().filter_map(|event| match event {
            Event::Notice { text } => Some(text.clone()),
            _ => None,
        });
        notices.collect()
    }

    pub(crate) fn ending(&self) -> String {
        match &self.condition {
            Condition::Sealed { seal, .. } => format!("{} {:?}", seal.state.word(), seal.ending),
            other => format!("{other:?}"),
        }
    }
}
