//! `weir doctor`: what this machine offers for enforcement and labs.

use crate::{Console, ExpectedError, Outcome};
use lab::{Check, CheckState, examine, examine_as_user, examine_inside};
use report_formats::{Role, visible};
use std::io::{self, Write as _};
use std::process::Command;

const EXIT_CODES: &str =
    "Exit codes: 0 policies can be enforced here, 1 they cannot, 3 it could not be found out.";

/// Say what this machine's kernel offers, and what each lack costs
///
/// Everything is tried out in namespaces of its own, of which nothing stays.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct DoctorArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: DoctorFormat,

    /// What the command starts in namespaces of its own
    #[arg(long, hide = true, value_enum)]
    inside: Option<Inside>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Inside {
    Root,
    User,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum DoctorFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

pub(crate) fn run(args: &DoctorArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match args.inside {
        Some(Inside::Root) => return Ok(examine_inside().map(|()| Outcome::Yes)?),
        Some(Inside::User) => return Ok(examine_as_user().map(|()| Outcome::Yes)?),
        None => {}
    }
    let program = std::env::current_exe().map_err(ExpectedError::OwnProgram)?;
    let mut as_root = Command::new(&program);
    let mut as_user = Command::new(&program);
    as_root.args(["doctor", "--inside", "root"]);
    as_user.args(["doctor", "--inside", "user"]);
    let checks = examine(&mut as_root, &mut as_user)?;
    match args.output {
        DoctorFormat::Text => write_text(&checks, console)?,
        DoctorFormat::Json => {
            serde_json::to_writer_pretty(&mut console.out, &checks).map_err(io::Error::from)?;
            writeln!(console.out)?;
        }
    }
    let has = |code: &str| {
        checks.iter().any(|check| check.code == code && check.state == CheckState::Present)
    };
    let is_fatal = checks.iter().any(|check| check.state == CheckState::Fatal);
    let enforces = !is_fatal && (has("tcx") || has("clsact"));
    Ok(if enforces { Outcome::Yes } else { Outcome::No })
}

fn write_text(checks: &[Check], console: &mut Console) -> io::Result<()> {
    let palette = console.out_palette;
    let out = &mut console.out;
    for Check { code: _, name, state, found, cost } in checks {
        let (role, word) = match state {
            CheckState::Present => (Role::Allow, "ok     "),
            CheckState::Missing => (Role::Warning, "missing"),
            CheckState::Fatal => (Role::Error, "missing"),
            CheckState::NotTried => (Role::Faint, "?      "),
        };
        writeln!(out, "{}  {name}: {}", palette.paint(role, word), visible(found))?;
        if *state != CheckState::Present {
            writeln!(out, "         without it: {cost}")?;
        }
    }
    Ok(())
}
