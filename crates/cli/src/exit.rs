//! Exit codes, and what leads to each. Scripts depend on them; they never change.

use crate::terminal::Console;
use kube_import::ImportError;
use lab::LabError;
use question_syntax::PeerError;
use report_formats::findings::Counts;
use report_formats::{Role, visible};
use std::io::{self, Write};
use std::process::ExitCode;

/// Yes: allowed, equal, passed, or no finding at or over `--fail-on`.
pub const YES: u8 = 0;
/// No: denied or undefined, different, failed, or findings at or over `--fail-on`.
pub const NO: u8 = 1;
/// The arguments or the input have errors; there is no answer.
pub const INPUT: u8 = 2;
/// The work could not be done: a file could not be written, the reader of the output went away.
pub const FAILED: u8 = 3;

/// What a command found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Yes,
    No,
    /// Answered, but part of the input had errors (`check --batch`, `lint`).
    BadInput,
    /// What a command that was run said (`lab exec`).
    OfCommand(u8),
}

/// Everything that can keep a command from answering.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(
        "there are no Kubernetes objects in {}: check the path; of a folder the .yaml, .yml and .json files \
         are read",
        paths.join(", ")
    )]
    NothingRead { paths: Vec<String> },
    /// The findings themselves are on standard error already.
    #[error("the input has {0}; correct it, or leave out what has errors with --keep-going")]
    InputHasErrors(Counts),
    /// As [`Self::InputHasErrors`], of tests and scenarios, which are never left out.
    #[error("the {0}s have {1}; correct them: a {0} that is left out would not fail")]
    TestHasErrors(&'static str, Counts),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("no finding has the code `{code}`{}", other_code(near))]
    UnknownCode { code: String, near: Vec<String> },
    #[error("cannot open the queries in {path}")]
    OpenQueries { path: String, source: io::Error },
    #[error("could not read the queries in {path}")]
    ReadQueries { path: String, source: io::Error },
    /// The findings themselves are on standard error already.
    #[error("the configuration has {0}; docs/gateway-config.md says what it may have")]
    ConfigHasErrors(Counts),
    #[error(transparent)]
    Gateway(#[from] session_gateway::ServeError),
    #[error("could not read {path}")]
    ReadFile { path: String, source: io::Error },
    /// Of a recording, a ledger or their keys.
    #[error(transparent)]
    Session(Box<dyn std::error::Error + Send + Sync>),
    #[error("could not write {path}")]
    WriteFile { path: String, source: io::Error },
    #[error("could not find this program's own file")]
    OwnProgram(#[source] io::Error),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("could not read the data plane's pins below {folder}{}", for_root(source))]
    Pins { folder: String, source: io::Error },
    #[error("could not write the output")]
    Output(#[from] io::Error),
}

fn for_root(why: &io::Error) -> &'static str {
    if why.kind() == io::ErrorKind::PermissionDenied { "; run it as root" } else { "" }
}

impl Outcome {
    fn code(self) -> u8 {
        match self {
            Self::Yes => YES,
            Self::No => NO,
            Self::BadInput => INPUT,
            Self::OfCommand(code) => code,
        }
    }
}

impl ExpectedError {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Import(ImportError::Find { .. })
            | Self::NothingRead { .. }
            | Self::InputHasErrors(_)
            | Self::TestHasErrors(..)
            | Self::Peer(_)
            | Self::UnknownCode { .. }
            | Self::ConfigHasErrors(_)
            | Self::OpenQueries { .. } => INPUT,
            Self::Import(
                ImportError::List { .. } | ImportError::Read { .. } | ImportError::Stdin { .. },
            )
            | Self::ReadQueries { .. }
            | Self::ReadFile { .. }
            | Self::Session(_)
            | Self::Gateway(_)
            | Self::WriteFile { .. }
            | Self::OwnProgram(_)
            | Self::Pins { .. }
            | Self::Output(_) => FAILED,
            Self::Lab(LabError::Name(_) | LabError::Refused(_)) => INPUT,
            Self::Lab(_) => FAILED,
        }
    }

    /// Whoever read the output has seen enough (`weir map | head`). No one is left to tell, and the
    /// code still says that not all was delivered.
    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn other_code(near: &[String]) -> String {
    if near.is_empty() {
        ": codes are what `weir lint` shows in brackets, such as not-isolated".to_owned()
    } else {
        question_syntax::did_you_mean(near)
    }
}

/// Help and version are answers; everything else that clap stops at is a usage error.
pub(crate) fn of_clap(error: &clap::Error) -> ExitCode {
    match error.print() {
        Err(_) => ExitCode::from(FAILED),
        Ok(()) if error.use_stderr() => ExitCode::from(INPUT),
        Ok(()) => ExitCode::from(YES),
    }
}

/// Flushes what was written and reports what went wrong.
pub(crate) fn finish(result: Result<Outcome, ExpectedError>, mut console: Console) -> ExitCode {
    let flushed = console.out.flush().map_err(ExpectedError::Output);
    let error = match (result, flushed) {
        (Ok(outcome), Ok(())) => return ExitCode::from(outcome.code()),
        (Err(error), _) | (Ok(_), Err(error)) => error,
    };
    let code = ExitCode::from(error.code());
    if error.is_broken_pipe() {
        return code;
    }
    let label = console.err_palette.paint(Role::Error, "error");
    // When standard error is gone too, the exit code is all that is left to tell.
    match writeln!(console.err, "{label}: {}", chain(&error)) {
        Ok(()) | Err(_) => code,
    }
}

/// The error and what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> =
        sources.map(|error| visible(&error.to_string()).into_owned()).collect();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_line_and_safe_to_show() {
        let source = io::Error::other("no\u{1b}[2J\nspace");
        let error = ExpectedError::WriteFile { path: "out".into(), source };
        assert_eq!(chain(&error), "could not write out: no\\u{1b}[2J\\nspace");
    }

    #[test]
    fn only_output_breaks_quietly() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(ExpectedError::Output(broken()).is_broken_pipe());
        let file = ExpectedError::WriteFile { path: "out".into(), source: broken() };
        assert!(!file.is_broken_pipe());
        assert_eq!(file.code(), FAILED);
    }
}
