//! `weir sessions verify`.

use super::folder::{FilterArgs, FolderArgs, KeyArgs, failed, fetch};
use super::in_ledger::{InLedger, LedgerArgs};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use finding_model::Code;
use report_formats::{Palette, Role, json, visible};
use serde_json::{Value, json};
use session_record::{Anchors, Fault, Keys, SessionId, Verdict};
use session_store::{FetchError, Recordings};
use std::io::{self, Write as _};

/// Say of recordings what is proven, and what is not
///
/// Without a key: that no byte changed since the recording was sealed. With a key: that the gateway wrote it, and that
/// it is complete. With the ledger: that it is the recording that was acknowledged then, and that none is missing.
/// Never: that a gateway which was taken over recorded what happened.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The session's id, or its beginning; without one, all that the filters leave
    id: Option<String>,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: VerifyFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum VerifyFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

const ALTERED: Code = Code("recording-altered");
const CUT_SHORT: Code = Code("recording-cut-short");
const NOT_THE_LEDGERS: Code = Code("recording-not-the-ledgers");
const NOT_IN_LEDGER: Code = Code("recording-not-in-ledger");
const LOST: Code = Code("recording-lost");
const NOT_READ: Code = Code("recording-not-read");

/// What was found of one session.
pub(super) struct Verified {
    session: SessionId,
    state: State,
    wrong: Vec<Wrong>,
    proven: Vec<String>,
    unproven: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// Nothing is wrong, and it has no seal yet.
    Open,
    Altered,
    Unreadable,
    Missing,
}

/// Something that is not as it must be.
struct Wrong {
    code: Code,
    message: String,
}

pub(crate) fn run(args: &VerifyArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let recordings = args.folder.open()?;
    // Before the ledger is read: what begins meanwhile is in neither.
    let sessions: Vec<SessionId> = match &args.id {
        Some(id) => vec![args.folder.find(id)?],
        None => args.folder.list(&args.filter)?.iter().map(|listed| listed.session).collect(),
    };
    let ledger = args.ledger.read(console)?;
    let mut verified = Vec::new();
    for session in &sessions {
        // Its key may be gone while the recording is there; that is for the recording's own verification to say.
        let keys = match args.keys.keys(&recordings, *session) {
            Ok(keys) => keys,
            Err(error) if args.id.is_some() => return Err(error),
            Err(_) => Keys::none(),
        };
        verified.push(one(&recordings, *session, &keys, ledger.as_ref())?);
    }
    if args.id.is_none()
        && let Some(ledger) = &ledger
    {
        let all = recordings.sessions().map_err(failed)?;
        verified.extend(ledger.missing(&all, &args.filter).map(|(session, _)| missing(session)));
    }
    print(args.output, ledger.as_ref(), &verified, console)?;
    let is_sound = ledger.as_ref().is_none_or(|ledger| ledger.faults.is_empty())
        && verified.iter().all(|verified| verified.wrong.is_empty());
    Ok(if is_sound { Outcome::Yes } else { Outcome::No })
}

/// Verifies a recording, with a ledger where there is one.
pub(super) fn one(
    recordings: &Recordings,
    session: SessionId,
    keys: &Keys,
    ledger: Option<&InLedger>,
) -> Result<Verified, ExpectedError> {
    let opened = ledger.map(|ledger| ledger.opened(session));
    let anchors = opened.flatten().map_or_else(Anchors::default, |of| of.anchors.clone());
    let mut verified = match recordings.verify(session, keys, &anchors) {
        Ok(report) => {
            let state = match report.verdict() {
                Verdict::Sound => State::Sound,
                Verdict::Open => State::Open,
                Verdict::Broken => State::Altered,
            };
            let wrong = |fault: &Fault| Wrong { code: code(fault), message: fault.to_string() };
            Verified {
                session,
                state,
                wrong: report.faults.iter().map(wrong).collect(),
                proven: report.proven.iter().map(ToString::to_string).collect(),
                unproven: report.unproven.iter().map(ToString::to_string).collect(),
            }
        }
        Err(FetchError::Read(why)) => {
            let wrong = vec![Wrong { code: NOT_READ, message: why.to_string() }];
            let (proven, unproven) = (Vec::new(), Vec::new());
            Verified { session, state: State::Unreadable, wrong, proven, unproven }
        }
        Err(error) => return Err(fetch(error)),
    };
    if matches!(opened, Some(None)) {
        verified.state = State::Altered;
        let message = "the ledger never heard that this session began".to_owned();
        verified.wrong.push(Wrong { code: NOT_IN_LEDGER, message });
    }
    Ok(verified)
}

fn missing(session: SessionId) -> Verified {
    let message =
        "the ledger says that this session began, and there is no recording of it".to_owned();
    Verified {
        session,
        state: State::Missing,
        wrong: vec![Wrong { code: LOST, message }],
        proven: Vec::new(),
        unproven: Vec::new(),
    }
}

const fn code(fault: &Fault) -> Code {
    match fault {
        Fault::Read(_) | Fault::Seal(_) | Fault::End(_) | Fault::RawChain { .. } | Fault::Torn => {
            ALTERED
        }
        Fault::NoEnd | Fault::LedgerHead(_) => CUT_SHORT,
        Fault::LedgerHeader | Fault::LedgerSeal => NOT_THE_LEDGERS,
    }
}

fn help(code: Code) -> String {
    format!("`weir explain {code}` says what it means and what to do")
}

impl Verified {
    pub(super) const fn word(&self) -> &'static str {
        match self.state {
            State::Sound => "sound",
            State::Open => "open",
            State::Altered => "altered",
            State::Unreadable => "unreadable",
            State::Missing => "missing",
        }
    }

    pub(super) const fn role(&self) -> Role {
        match self.state {
            State::Sound => Role::Allow,
            State::Open => Role::Warning,
            State::Altered | State::Unreadable | State::Missing => Role::Error,
        }
    }

    pub(super) fn json(&self) -> Value {
        let wrong = |wrong: &Wrong| {
            let (code, message) = (wrong.code, &wrong.message);
            json!({ "code": code.to_string(), "severity": "error", "message": message, "help": help(code) })
        };
        json!({
            "session": self.session.to_string(), "verdict": self.word(),
            "findings": self.wrong.iter().map(wrong).collect::<Vec<_>>(),
            "proven": self.proven, "unproven": self.unproven,
        })
    }

    /// What is wrong, what is proven, and what is not.
    pub(super) fn write(&self, palette: Palette, out: &mut dyn io::Write) -> io::Result<()> {
        for wrong in &self.wrong {
            let mark = palette.paint(Role::Error, "✗");
            writeln!(out, "  {mark} {} [{}]", visible(&wrong.message), wrong.code)?;
        }
        for proven in &self.proven {
            writeln!(out, "  {} {}", palette.paint(Role::Allow, "✓"), visible(proven))?;
        }
        for unproven in &self.unproven {
            writeln!(out, "  {} {}", palette.paint(Role::Faint, "?"), visible(unproven))?;
        }
        Ok(())
    }
}

fn print(
    format: VerifyFormat,
    ledger: Option<&InLedger>,
    verified: &[Verified],
    console: &mut Console,
) -> io::Result<()> {
    match format {
        VerifyFormat::Json => {
            let items: Vec<Value> = verified.iter().map(Verified::json).collect();
            let ledger = ledger.map(|ledger| {
                json!({ "sound": ledger.faults.is_empty(), "entries": ledger.entries, "faults": ledger.faults })
            });
            let report = json!({ "apiVersion": json::API_VERSION, "kind": "SessionVerification", "ledger": ledger, "items": items });
            json::write_pretty(&mut console.out, &report)
        }
        VerifyFormat::Text => {
            let palette = console.out_palette;
            for verified in verified {
                let word = palette.paint(verified.role(), verified.word());
                writeln!(console.out, "{}  {word}", verified.session)?;
                verified.write(palette, &mut console.out)?;
            }
            if let Some(ledger) = ledger {
                let word = if ledger.faults.is_empty() { "sound" } else { "not sound" };
                writeln!(console.out, "the ledger is {word}, with {} entries", ledger.entries)?;
            }
            let n_bad = verified.iter().filter(|verified| !verified.wrong.is_empty()).count();
            writeln!(console.out, "{} looked at, {n_bad} not as they must be", verified.len())
        }
    }
}
