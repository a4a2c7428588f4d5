//! `weir sessions play`.

mod keys;
mod player;

use super::audit::AuditArgs;
use super::folder::{FolderArgs, KeyArgs, failed, micros, parse_moment};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use keys::Keys;
use player::{Command, Pace, Player};
use session_record::{Reader, SessionId};
use session_replay::{CommandLine, Keyframes, Source, Story};
use session_store::{RecordingSource, Recordings};
use std::io::{self, IsTerminal as _, Write as _};

const HELP: &str = "\
Keys: space pauses, → and ← go 10 seconds, n and p to the next and the previous command, . one step, + and - change
the speed, 0 begins again, q ends.

What is shown is drawn from a model of the terminal: no escape sequence of the recording reaches yours.";

/// Play a session in this terminal
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct PlayArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// How much faster than it was
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, value_parser = parse_speed)]
    speed: f64,
    /// Longest pause, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = parse_speed)]
    max_idle: f64,
    /// Begin at this time: seconds, or h:mm:ss.t
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_moment)]
    from: u64,
    /// Begin at this command, as `show` counts them from 1
    #[arg(long, value_name = "N", conflicts_with = "from")]
    command: Option<usize>,
    #[command(flatten)]
    audit: AuditArgs,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.01..=10_000.0).contains(&value) => Ok(value),
        _ => Err("write a number between 0.01 and 10000".to_owned()),
    }
}

pub(crate) fn run(args: &PlayArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let message =
            "playing needs a terminal: `weir sessions export --format text` writes what was shown";
        return Err(ExpectedError::Usage(message.to_owned()));
    }
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    args.audit.viewed(session, "play")?;
    let (commands, keyframes, is_whole) = overview(args, &recordings, session)?;
    let from_us = match args.command {
        Some(number) => {
            let command = number.checked_sub(1).and_then(|number| commands.get(number));
            let none =
                || ExpectedError::Usage(format!("the session has {} commands", commands.len()));
            command.ok_or_else(none)?.at_us
        }
        None => args.from,
    };
    let pace = Pace {
        speed: args.speed,
        max_idle_us: micros(args.max_idle).unwrap_or(u64::MAX),
        is_paused: false,
    };
    let reader = args.keys.reader(&recordings, session)?;
    let mut player = Player::new(reader, keyframes, commands, pace);
    let keys = Keys::begin()?;
    // The alternate screen, so that what was here before is here again afterwards.
    console.out.write_all(b"\x1b[?1049h")?;
    let played = player.play(from_us, &keys, console);
    console.out.write_all(b"\x1b[0m\x1b[?25h\x1b[?1049l")?;
    console.out.flush()?;
    drop(keys);
    played?;
    if !is_whole {
        let what = "the recording cannot be read to its end: `weir sessions verify` says why";
        writeln!(console.err, "{what}")?;
        return Ok(Outcome::No);
    }
    Ok(Outcome::Yes)
}

/// Commands and screens to begin from, and whether all of the recording could be read.
fn overview(
    args: &PlayArgs,
    recordings: &Recordings,
    session: SessionId,
) -> Result<(Vec<Command>, Keyframes, bool), ExpectedError> {
    let mut reader: Reader<RecordingSource> = args.keys.reader(recordings, session)?;
    let mut story = Story::new(reader.opening());
    let is_whole = loop {
        match reader.next_step() {
            Ok(Some(step)) => story.step(&step),
            Ok(None) => break true,
            Err(error) if story.last_us == 0 => return Err(failed(error)),
            Err(_) => break false,
        }
    };
    let text = |command: &CommandLine| match command.source {
        Source::Hidden => "(typed, and not shown)".to_owned(),
        Source::Arguments
        | Source::Screen
        | Source::Marked
        | Source::FullScreen
        | Source::Input => command.text.clone(),
    };
    let commands = story.commands().iter();
    let commands =
        commands.map(|command| Command { at_us: command.at_us, text: text(command) }).collect();
    Ok((commands, story.into_keyframes(), is_whole))
}
