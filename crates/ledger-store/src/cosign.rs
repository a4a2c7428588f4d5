//! Asks witnesses to sign a ledger's checkpoint.
//!
//! Entries do not wait for it: a witness may be slow or away, and what it says is about the history as a whole. The
//! latest checkpoint that enough of them signed is kept beside the ledger's own, under a name of its own.

use crate::disk::Disk;
use crate::layout::Layout;
use crate::place::{Place, ReadError};
use crate::reader::{COSIGNED, LedgerReader};
use ledger_model::{AddCheckpoint, SignedCheckpoint, TreeHead, VerifierKey, cosigned_at};
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// An answer is a few lines.
const MAX_ANSWER: usize = 64 << 10;

/// A witness, where it is and by what its signature is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAddress {
    /// What comes before `/add-checkpoint`.
    pub url: Url,
    pub key: VerifierKey,
}

/// Whom to ask, and how many must have signed.
#[derive(Debug, Clone)]
pub struct CosignOptions {
    /// The ledger's folder.
    pub folder: PathBuf,
    pub witnesses: Vec<WitnessAddress>,
    pub quorum: usize,
    /// Certificates (PEM) of authorities that the witnesses' are checked by, instead of the system's.
    pub authority: Option<Vec<u8>>,
}

/// How the witnesses stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CosignState {
    pub witnesses: Vec<WitnessState>,
    pub quorum: usize,
    /// How many entries enough of them have signed.
    pub cosigned: u64,
    /// Why the ledger could not be read, or what was signed not be kept.
    pub trouble: Option<String>,
}

/// How one witness stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessState {
    pub key: VerifierKey,
    pub url: Url,
    /// How many entries it signed last, and when by its clock, in seconds since 1970.
    pub signed: Option<(u64, u64)>,
    /// Why it did not sign what it was asked last.
    pub trouble: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    #[error("{quorum} of {witnesses} witnesses are to sign, which cannot be")]
    Quorum { quorum: usize, witnesses: usize },
    #[error("{0} is the key of a ledger, and not that of a witness")]
    NotAWitness(String),
    #[error("could not prepare to ask witnesses")]
    Client(#[source] reqwest::Error),
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("it could not be asked")]
    Send(#[source] reqwest::Error),
    #[error("its answer is too long")]
    TooLong,
    #[error(
        "it has signed {theirs} entries, and the ledger has {ours}: the ledger is an older state"
    )]
    RolledBack { theirs: u64, ours: u64 },
    #[error("it answered {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("its answer has no signature of its key that is right")]
    NotSigned,
    #[error("no proof could be made for it")]
    Proof(#[source] ReadError),
}

/// Asks the witnesses of one ledger.
#[derive(Debug)]
pub struct Cosigner {
    options: CosignOptions,
    client: Client,
    reader: LedgerReader,
    layout: Layout,
    disk: Disk,
    state: CosignState,
    /// The size that each witness has signed, as far as it said.
    known: Vec<u64>,
    /// The checkpoint that was asked for last, with the signatures that came.
    latest: Option<SignedCheckpoint>,
}

impl Cosigner {
    /// Prepares to ask.
    ///
    /// # Errors
    /// When the options contradict each other.
    pub fn new(options: CosignOptions) -> Result<Self, CosignError> {
        let CosignOptions { folder, witnesses, quorum, authority } = &options;
        if *quorum == 0 || *quorum > witnesses.len() {
            return Err(CosignError::Quorum { quorum: *quorum, witnesses: witnesses.len() });
        }
        let of_ledger = |witness: &&WitnessAddress| {
            witness.key.algorithm() != ledger_model::Algorithm::Ed25519Cosignature
        };
        if let Some(witness) = witnesses.iter().find(of_ledger) {
            return Err(CosignError::NotAWitness(witness.key.short()));
        }
        let state = CosignState {
            witnesses: witnesses
                .iter()
                .map(|WitnessAddress { url, key }| WitnessState {
                    key: key.clone(),
                    url: url.clone(),
                    signed: None,
                    trouble: None,
                })
                .collect(),
            quorum: *quorum,
            ..CosignState::default()
        };
        Ok(Self {
            client: client(authority.as_deref()).map_err(CosignError::Client)?,
            reader: LedgerReader::new(Place::Folder(folder.clone())),
            layout: Layout::new(folder),
            disk: Disk::default(),
            known: vec![0; witnesses.len()],
            state,
            latest: None,
            options,
        })
    }

    #[must_use]
    pub fn state(&self) -> &CosignState {
        &self.state
    }

    /// Asks again and again, for as long as it is polled, and tells how that goes.
    pub async fn run(mut self, every: Duration, told: watch::Sender<CosignState>) {
        loop {
            self.round().await;
            told.send_replace(self.state.clone());
            tokio::time::sleep(every).await;
        }
    }

    /// Asks every witness that has not signed the ledger's present checkpoint.
    pub async fn round(&mut self) {
        self.state.trouble = match self.ask_all().await {
            Ok(()) => None,
            Err(error) => Some(chain(&error)),
        };
    }

    async fn ask_all(&mut self) -> Result<(), RoundError> {
        let Some(checkpoint) = self.reader.checkpoint().await? else { return Ok(()) };
        let head = checkpoint.head();
        let mut latest = match self.latest.take() {
            Some(latest) if latest.text() == checkpoint.text() => latest,
            Some(_) | None => checkpoint,
        };
        let asked = latest.to_bytes();
        let asks = self.options.witnesses.iter().zip(&self.known).map(|(witness, &known)| {
            let signed = latest.signed_by(&witness.key).is_ok();
            self.ask(witness, known, &asked, signed)
        });
        let answers = futures_util::future::join_all(asks).await;
        let states = self.state.witnesses.iter_mut().zip(&mut self.known);
        for (answer, (state, known)) in answers.into_iter().zip(states) {
            match answer {
                Ok(None) => {}
                Ok(Some(signature)) => {
                    let at = cosigned_at(&state.key, &signature).unwrap_or_default();
                    state.signed = Some((head.size, at));
                    state.trouble = None;
                    *known = head.size;
                    latest = latest.with_signature(signature);
                }
                Err(error) => state.trouble = Some(chain(&error)),
            }
        }
        let kept = self.keep(&latest, head);
        self.latest = Some(latest);
        kept.map_err(RoundError::Keep)
    }

    /// Keeps a checkpoint that enough witnesses signed.
    fn keep(&mut self, latest: &SignedCheckpoint, head: TreeHead) -> io::Result<()> {
        let signed = |witness: &&WitnessAddress| latest.signed_by(&witness.key).is_ok();
        if self.options.witnesses.iter().filter(signed).count() < self.options.quorum {
            return Ok(());
        }
        let path = self.layout.root().join(COSIGNED);
        let bytes = latest.to_bytes();
        if std::fs::read(&path).is_ok_and(|before| before == bytes) {
            self.state.cosigned = head.size;
            return Ok(());
        }
        // A copy of a ledger has no such folder yet.
        self.disk.create_folder(&self.layout.own())?;
        let new = self.layout.own().join("checkpoint-cosigned-new");
        self.disk.write_file(&new, &bytes)?;
        self.disk.rename(&new, &path)?;
        self.disk.sync_folder(self.layout.root())?;
        self.state.cosigned = head.size;
        Ok(())
    }

    /// A witness's signature; nothing when it is there already.
    async fn ask(
        &self,
        witness: &WitnessAddress,
        known: u64,
        checkpoint: &[u8],
        signed: bool,
    ) -> Result<Option<signed_note::Signature>, AskError> {
        if signed {
            return Ok(None);
        }
        let parse = || SignedCheckpoint::parse(checkpoint).map_err(|_own| AskError::NotSigned);
        let mut old = known;
        // The first answer may be which size it knows.
        for _ in 0..2 {
            let checkpoint = parse()?;
            let head = checkpoint.head();
            let path = self.reader.prove_consistency(old, head).await.map_err(AskError::Proof)?;
            let request = AddCheckpoint { old, path, checkpoint };
            let (status, size, body) = self.send(witness, request.to_bytes()).await?;
            match (status, size) {
                (StatusCode::OK, _) => {
                    let signature = own_signature(&body, &witness.key, request.checkpoint.text());
                    return signature.map(Some).ok_or(AskError::NotSigned);
                }
                (StatusCode::CONFLICT, Some(theirs)) if theirs > head.size => {
                    return Err(AskError::RolledBack { theirs, ours: head.size });
                }
                (StatusCode::CONFLICT, Some(theirs)) if theirs != old => old = theirs,
                (status, _) => return Err(AskError::Refused { status, text: one_line(&body) }),
            }
        }
        Err(AskError::Refused { status: StatusCode::CONFLICT, text: "again".to_owned() })
    }

    /// The status, the size if the answer is one, and the body.
    async fn send(
        &self,
        witness: &WitnessAddress,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Option<u64>, Vec<u8>), AskError> {
        let failed = |error: reqwest::Error| AskError::Send(error.without_url());
        let url = format!("{}/add-checkpoint", witness.url.as_str().trim_end_matches('/'));
        let mut response = self.client.post(url).body(body).send().await.map_err(failed)?;
        let status = response.status();
        let is_size = response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes() == b"text/x.tlog.size");
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(AskError::TooLong);
            }
            body.extend_from_slice(&part);
        }
        let text = std::str::from_utf8(&body).unwrap_or_default().trim_end_matches('\n');
        let size = is_size.then(|| text.parse().ok()).flatten();
        Ok((status, size, body))
    }
}

#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("the ledger could not be read for its witnesses")]
    Read(#[from] ReadError),
    #[error("what the witnesses signed could not be kept")]
    Keep(#[source] io::Error),
}

fn client(authority: Option<&[u8]>) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .timeout(ANSWER_LIMIT)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    let builder = match authority {
        Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem)?),
        None => builder,
    };
    builder.build()
}

/// The line of this key in an answer, if it signs the checkpoint. Other lines are nobody's.
fn own_signature(body: &[u8], key: &VerifierKey, text: &[u8]) -> Option<signed_note::Signature> {
    body.split(|&byte| byte == b'\n').find_map(|line| {
        let signature = signed_note::Signature::from_bytes(line).ok()?;
        let own = (signature.name(), signature.id()) == (key.name(), key.id());
        (own && key.verifies(text, signature.signature())).then_some(signature)
    })
}

/// An error and what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What a witness wrote, as far as one line shows it.
fn one_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
