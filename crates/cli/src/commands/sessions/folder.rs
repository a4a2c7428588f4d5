//! What all commands about recordings share: where they are, which are meant, and the keys at hand.

use crate::exit::ExpectedError;
use ledger_model::SessionOpened;
use session_record::{Keys, Reader, SessionId};
use session_replay::quoted;
use session_store::{
    AgeIdentities, Condition, FetchError, Listed, RecordingSource, Recordings, UnwrapKey,
    unwrap_keys,
};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The state of a session that the ledger knows and the folder does not.
pub(crate) const MISSING: &str = "missing";
const MAX_TEXT_BYTES: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct FolderArgs {
    /// The folder in which a gateway keeps its recordings
    #[arg(long, value_name = "DIR", env = "WEIR_RECORDINGS")]
    pub(crate) recordings: PathBuf,
}

/// Where there may be a gateway instead.
#[derive(Debug, clap::Args)]
pub(crate) struct MaybeFolderArgs {
    /// The folder in which a gateway keeps its recordings
    #[arg(long, value_name = "DIR", env = "WEIR_RECORDINGS", required_unless_present = "gateway")]
    recordings: Option<PathBuf>,
}

impl MaybeFolderArgs {
    pub(crate) fn folder(&self) -> Result<FolderArgs, ExpectedError> {
        let none = || ExpectedError::Usage("name the folder with --recordings DIR".to_owned());
        Ok(FolderArgs { recordings: self.recordings.clone().ok_or_else(none)? })
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// A file of age identities (AGE-SECRET-KEY-1…), as age-keygen writes it; may be given again
    #[arg(long, value_name = "FILE", env = "WEIR_IDENTITY")]
    pub(crate) identity: Vec<PathBuf>,
}

/// Which sessions are meant.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Which sessions")]
pub(crate) struct FilterArgs {
    /// Of this user
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// In this cluster
    #[arg(long)]
    pub(crate) cluster: Option<String>,
    /// In this namespace
    #[arg(long, short)]
    pub(crate) namespace: Option<String>,
    /// On this pod or node
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// exec, attach, port-forward, debug, logs, proxy, …
    #[arg(long)]
    pub(crate) verb: Option<String>,
    /// open, sealed, recovered, damaged, unreadable, or missing, which the ledger knows
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Whose command line has this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) command: Option<String>,
    /// That began at this time or later: RFC 3339, or a date (UTC)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) since: Option<i64>,
    /// That began before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) until: Option<i64>,
}

pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let midnight = date.ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    midnight
        .map(|time| time.and_utc().timestamp_millis())
        .ok_or_else(|| "write a time as 2026-03-31T08:00:00Z, or a date as 2026-03-31".to_owned())
}

impl FilterArgs {
    pub(crate) fn wants(&self, listed: &Listed) -> bool {
        let state = self.state.as_deref().is_none_or(|state| state == state_word(listed));
        let Some(opening) = listed.opening() else {
            // Nothing else is known of it; who asks for nothing else sees it.
            return state && self.wants_everything();
        };
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        let access = &opening.access;
        state
            && is(&self.user, Some(&opening.user.name))
            && is(&self.cluster, Some(&opening.cluster))
            && is(&self.namespace, access.namespace.as_deref())
            && is(&self.name, access.name.as_deref())
            && is(&self.verb, Some(&access.verb))
            && self.command.as_deref().is_none_or(|text| quoted(&access.command).contains(text))
            && self.since.is_none_or(|since| opening.at_ms >= since)
            && self.until.is_none_or(|until| opening.at_ms < until)
    }

    /// As far as a ledger's entry says.
    pub(crate) fn wants_opened(&self, at_ms: i64, opened: &SessionOpened) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        is(&self.user, Some(&opened.user))
            && is(&self.cluster, Some(&opened.cluster))
            && is(&self.verb, Some(&opened.verb))
            && is(&self.namespace, opened.namespace.as_deref())
            && is(&self.name, opened.object.as_deref())
            && is(&self.state, Some(MISSING))
            && self.command.is_none()
            && self.since.is_none_or(|since| at_ms >= since)
            && self.until.is_none_or(|until| at_ms < until)
    }

    const fn wants_everything(&self) -> bool {
        let Self { user, cluster, namespace, name, verb, state: _, command, since, until } = self;
        user.is_none()
            && cluster.is_none()
            && namespace.is_none()
            && name.is_none()
            && verb.is_none()
            && command.is_none()
            && since.is_none()
            && until.is_none()
    }
}

impl FolderArgs {
    pub(crate) fn open(&self) -> Result<Recordings, ExpectedError> {
        if self.recordings.is_dir() {
            return Ok(Recordings::new(&self.recordings));
        }
        let message = format!(
            "there is no folder `{}`: give the gateway's `recordings.folder`",
            self.recordings.display()
        );
        Err(ExpectedError::Usage(message))
    }

    pub(crate) fn list(&self, filter: &FilterArgs) -> Result<Vec<Listed>, ExpectedError> {
        let mut listed = self.open()?.list().map_err(failed)?;
        listed.retain(|listed| filter.wants(listed));
        Ok(listed)
    }

    /// A session by its id, or by the beginning of it where that is enough.
    pub(crate) fn find(&self, id: &str) -> Result<SessionId, ExpectedError> {
        if let Ok(session) = id.parse() {
            return Ok(session);
        }
        let sessions = self.open()?.sessions().map_err(failed)?;
        let mut found = sessions.into_iter().filter(|session| session.to_string().starts_with(id));
        match (found.next(), found.next()) {
            (Some(session), None) => Ok(session),
            (Some(_), Some(_)) => Err(ExpectedError::Usage(format!(
                "more than one session begins with `{id}`: write more of it"
            ))),
            (None, _) => Err(ExpectedError::Usage(format!(
                "no session here is called `{id}`: `weir sessions ls` lists them"
            ))),
        }
    }
}

impl KeyArgs {
    fn unwrappers(&self) -> Result<Vec<Arc<dyn UnwrapKey>>, ExpectedError> {
        let mut all: Vec<Arc<dyn UnwrapKey>> = Vec::new();
        for path in &self.identity {
            let text = read_text(path)?;
            let identities = AgeIdentities::parse(&text).map_err(failed)?;
            all.push(Arc::new(identities));
        }
        Ok(all)
    }

    /// The keys of a recording that the identities open.
    pub(crate) fn keys(
        &self,
        recordings: &Recordings,
        session: SessionId,
    ) -> Result<Keys, ExpectedError> {
        if self.identity.is_empty() {
            return Ok(Keys::none());
        }
        let file = recordings.keys_file(session).map_err(failed)?;
        unwrap_keys(&file, &self.unwrappers()?).map_err(failed)
    }

    /// A reader with a key for what was shown, or an error that says what to do.
    pub(crate) fn reader(
        &self,
        recordings: &Recordings,
        session: SessionId,
    ) -> Result<Reader<RecordingSource>, ExpectedError> {
        let keys = self.keys(recordings, session)?;
        if keys.output.is_none() {
            let message = if self.identity.is_empty() {
                "recordings are encrypted: give a key with --identity FILE".to_owned()
            } else {
                format!(
                    "none of the identities opens session {session}: it was recorded for other recipients"
                )
            };
            return Err(ExpectedError::Usage(message));
        }
        recordings.reader(session, &keys).map_err(failed)
    }
}

/// In which state a recording is, as one word.
pub(crate) fn state_word(listed: &Listed) -> &'static str {
    match &listed.condition {
        Condition::Open { .. } => "open",
        Condition::Sealed { seal, .. } => match seal.state {
            session_record::State::Sealed => "sealed",
            session_record::State::Recovered => "recovered",
            session_record::State::Damaged => "damaged",
        },
        Condition::Unreadable { .. } => "unreadable",
    }
}

/// `namespace/name`, as far as there is one.
pub(crate) fn place(namespace: &str, name: &str) -> String {
    let parts = [namespace, name].into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}

/// A small text file, such as one with keys.
pub(crate) fn read_text(path: &Path) -> Result<String, ExpectedError> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(MAX_TEXT_BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    let shown = || path.display().to_string();
    read().map_err(|source| ExpectedError::ReadFile { path: shown(), source })
}

/// Seconds, or `h:mm:ss.t` as everything here prints times.
pub(crate) fn parse_moment(text: &str) -> Result<u64, String> {
    let wrong = || "write seconds as 75.5, or h:mm:ss.t as 0:01:15.5".to_owned();
    let mut seconds = 0.0;
    for part in text.split(':') {
        let part: f64 = part.parse().or(Err(wrong()))?;
        if !(0.0..1e9).contains(&part) {
            return Err(wrong());
        }
        seconds = seconds * 60.0 + part;
    }
    micros(seconds).ok_or_else(wrong)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was looked at"
)]
pub(crate) fn micros(seconds: f64) -> Option<u64> {
    (0.0..1e12).contains(&seconds).then(|| (seconds * 1e6).round() as u64)
}

/// `h:mm:ss.t` of microseconds.
pub(crate) fn clock(at_us: u64) -> String {
    let seconds = at_us / 1_000_000;
    let tenth = at_us % 1_000_000 / 100_000;
    format!("{}:{:02}:{:02}.{tenth}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What a library says that failed, with all its causes.
pub(crate) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ExpectedError {
    ExpectedError::Session(Box::new(error))
}

/// An unknown session is a wrong argument; anything else is the disk.
pub(crate) fn fetch(error: FetchError) -> ExpectedError {
    match error {
        FetchError::NoRecording(_) => {
            ExpectedError::Usage(format!("{error}: `weir sessions ls` lists them"))
        }
        FetchError::Folder { .. }
        | FetchError::NoKeys(_)
        | FetchError::Keys { .. }
        | FetchError::KeysFile(_)
        | FetchError::Read(_) => failed(error),
    }
}
