//! Answers to single questions: may this peer talk to that one, and which rule says so.
//!
//! `deciding.rs` reads what decided off the program; text, JSON and the lines of a batch only write it
//! down, so they name the same policy and the same place.

pub(crate) mod deciding;
pub mod json;
pub mod line;
pub mod text;

use finding_model::SourceFiles;
use policy_engine::{Answer, End, Program, Reasons, Verdict};
use policy_model::LeftOut;

/// What all formats render.
#[derive(Clone, Copy, Debug)]
pub struct CheckReport<'a> {
    pub program: &'a Program,
    pub files: &'a SourceFiles,
    /// The question as the person wrote it.
    pub asked: Asked<'a>,
    pub overall: Overall,
    /// One for each distinct way to a verdict; not empty.
    pub answers: &'a [Answer],
    /// Objects that were left out and could have changed the answer.
    pub caveats: &'a [&'a LeftOut],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    pub from: &'a str,
    pub to: &'a str,
    pub port: &'a str,
    /// Whether the answers say for which ports they hold.
    pub all_ports: bool,
}

/// The answers taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overall {
    /// All of them are this.
    All(Verdict),
    /// A Service of which a connection may get one answer or another.
    ByEndpoint,
    /// They differ.
    Partly,
}

impl Overall {
    /// Answers are not empty.
    pub fn of(answers: &[Answer], is_one_connection: bool) -> Self {
        let mut verdicts = answers.iter().map(|answer| answer.decision.verdict);
        match verdicts.next() {
            Some(first) if verdicts.all(|verdict| verdict == first) => Self::All(first),
            Some(_) | None if is_one_connection => Self::ByEndpoint,
            Some(_) | None => Self::Partly,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::All(verdict) => verdict.as_str(),
            Self::ByEndpoint => Verdict::Undefined.as_str(),
            Self::Partly => "partly",
        }
    }
}

impl CheckReport<'_> {
    /// Why any answer is undefined.
    fn reasons(&self) -> Reasons {
        let reasons = self.answers.iter().map(|answer| answer.decision.reasons);
        reasons.fold(Reasons::NONE, Reasons::union)
    }
}

/// `shop/web`, `10.0.0.9`, `node/worker-1`: the end of a connection that an answer is about.
pub(crate) fn end_name(program: &Program, end: &End) -> String {
    match end {
        End::Pod(id) => program.pod(*id).map_or_else(|| "?".to_owned(), ToString::to_string),
        End::Address(address) => address.to_string(),
        End::Name(name) => name.clone(),
    }
}
