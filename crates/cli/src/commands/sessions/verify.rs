//! `weir sessions verify`.

mod anchors;

use super::folder::{FilterArgs, FolderArgs, KeyArgs, failed, fetch};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use anchors::{Anchored, InLedger};
use report_formats::{Palette, Role, json, visible};
use serde_json::{Value, json};
use session_record::{Anchors, Report, SessionId, Verdict};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Say of recordings what is proven, and what is not
///
/// Without a key: that no byte changed since the recording was sealed. With a key: that the gateway wrote it, and that
/// it is complete. With the ledger: that it is the recording that was acknowledged then, and that none is missing.
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
    /// The ledger's folder; it is verified first
    #[arg(long, value_name = "DIR", requires = "ledger_key", help_heading = "Ledger")]
    ledger: Option<PathBuf>,
    /// The ledger's public key, as `weir gateway run` prints it; may be given again after a rotation
    #[arg(long, value_name = "KEY", requires = "ledger", help_heading = "Ledger")]
    ledger_key: Vec<String>,
    /// How to print it
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = "Output"
    )]
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

/// What was found of one session.
struct Verified {
    session: SessionId,
    kind: Kind,
}

enum Kind {
    Read(Box<Report>),
    /// It cannot be read at all.
    Unreadable(String),
    /// The ledger has it, and there is no recording.
    Missing,
    /// There is a recording, and the ledger does not have it.
    NotInLedger,
}

pub(crate) fn run(args: &VerifyArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let recordings = args.folder.open()?;
    let ledger = match &args.ledger {
        Some(folder) => Some(anchors::read(folder, &args.ledger_key, console)?),
        None => None,
    };
    let sessions: Vec<SessionId> = match &args.id {
        Some(id) => vec![args.folder.find(id)?],
        None => args.folder.list(&args.filter)?.iter().map(|listed| listed.session).collect(),
    };
    let mut verified = Vec::new();
    for session in &sessions {
        let anchored = ledger.as_ref().map(|ledger| ledger.session(*session));
        let anchors = match &anchored {
            Some(Anchored::Known(anchors)) => anchors.clone(),
            Some(Anchored::Unknown) | None => Anchors::default(),
        };
        let keys = args.keys.keys(&recordings, *session)?;
        let kind = match recordings.verify(*session, &keys, &anchors) {
            Ok(report) => Kind::Read(Box::new(report)),
            Err(session_store::FetchError::Read(why)) => Kind::Unreadable(why.to_string()),
            Err(error) => return Err(fetch(error)),
        };
        verified.push(Verified { session: *session, kind });
        if matches!(anchored, Some(Anchored::Unknown)) {
            verified.push(Verified { session: *session, kind: Kind::NotInLedger });
        }
    }
    if args.id.is_none()
        && let Some(ledger) = &ledger
    {
        let all = recordings.sessions().map_err(failed)?;
        let missing = ledger.missing(&all, &args.filter);
        verified
            .extend(missing.into_iter().map(|session| Verified { session, kind: Kind::Missing }));
    }
    print(args.output, ledger.as_ref(), &verified, console)?;
    let is_sound = ledger.as_ref().is_none_or(|ledger| ledger.is_sound)
        && verified.iter().all(Verified::is_sound);
    Ok(if is_sound { Outcome::Yes } else { Outcome::No })
}

impl Verified {
    fn is_sound(&self) -> bool {
        match &self.kind {
            Kind::Read(report) => report.verdict() != Verdict::Broken,
            Kind::Unreadable(_) | Kind::Missing | Kind::NotInLedger => false,
        }
    }

    const fn word(&self) -> (Role, &'static str) {
        match &self.kind {
            Kind::Unreadable(_) => (Role::Error, "unreadable"),
            Kind::Missing => (Role::Error, "missing"),
            Kind::NotInLedger => (Role::Error, "not in the ledger"),
            Kind::Read(_) => (Role::Allow, "sound"),
        }
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
            let items: Vec<Value> = verified.iter().map(item).collect();
            let ledger =
                ledger.map(|ledger| json!({ "sound": ledger.is_sound, "entries": ledger.entries }));
            let report = json!({ "apiVersion": json::API_VERSION, "kind": "SessionVerification", "ledger": ledger, "items": items });
            json::write_pretty(&mut console.out, &report)
        }
        VerifyFormat::Text => {
            let palette = console.out_palette;
            for verified in verified {
                text(verified, palette, console)?;
            }
            let n_bad = verified.iter().filter(|verified| !verified.is_sound()).count();
            writeln!(console.out, "{} looked at, {n_bad} not as they must be", verified.len())
        }
    }
}

fn text(verified: &Verified, palette: Palette, console: &mut Console) -> io::Result<()> {
    let out = &mut console.out;
    let (role, word) = match &verified.kind {
        Kind::Read(report) => match report.verdict() {
            Verdict::Sound => (Role::Allow, "sound"),
            Verdict::Open => (Role::Warning, "open"),
            Verdict::Broken => (Role::Error, "altered"),
        },
        Kind::Unreadable(_) | Kind::Missing | Kind::NotInLedger => verified.word(),
    };
    writeln!(out, "{}  {}", verified.session, palette.paint(role, word))?;
    match &verified.kind {
        Kind::Read(report) => {
            for fault in &report.faults {
                writeln!(
                    out,
                    "  {} {}",
                    palette.paint(Role::Error, "✗"),
                    visible(&fault.to_string())
                )?;
            }
            for proven in &report.proven {
                writeln!(
                    out,
                    "  {} {}",
                    palette.paint(Role::Allow, "✓"),
                    visible(&proven.to_string())
                )?;
            }
            for unproven in &report.unproven {
                writeln!(
                    out,
                    "  {} {}",
                    palette.paint(Role::Faint, "?"),
                    visible(&unproven.to_string())
                )?;
            }
            Ok(())
        }
        Kind::Unreadable(why) => writeln!(out, "  ✗ {}", visible(why)),
        Kind::Missing => {
            writeln!(out, "  ✗ the ledger has this session, and the folder has no recording of it")
        }
        Kind::NotInLedger => {
            writeln!(out, "  ✗ there is a recording, and the ledger never heard of the session")
        }
    }
}

fn item(verified: &Verified) -> Value {
    let session = verified.session.to_string();
    match &verified.kind {
        Kind::Read(report) => {
            let strings = |values: Vec<String>| values;
            json!({
                "session": session,
                "verdict": match report.verdict() {
                    Verdict::Sound => "sound",
                    Verdict::Open => "open",
                    Verdict::Broken => "altered",
                },
                "faults": strings(report.faults.iter().map(ToString::to_string).collect()),
                "proven": strings(report.proven.iter().map(ToString::to_string).collect()),
                "unproven": strings(report.unproven.iter().map(ToString::to_string).collect()),
            })
        }
        Kind::Unreadable(why) => {
            json!({ "session": session, "verdict": "unreadable", "faults": [why] })
        }
        Kind::Missing => json!({ "session": session, "verdict": "missing" }),
        Kind::NotInLedger => json!({ "session": session, "verdict": "not-in-ledger" }),
    }
}
