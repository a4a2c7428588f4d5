//! Who reaches whom, tried out with real packets and compared with what the engine says of the lab's
//! snapshot.
//!
//! `cells.rs` lists what is to be tried, `attempt.rs` tries it, `verdicts.rs` asks the engine, and
//! [`disagreement`] compares. Without something that enforces policies everything is open, so there is
//! nothing to compare and a cell only says both.

mod attempt;
mod cells;
mod verdicts;

pub(crate) use attempt::{of_error, once};
use cells::Question;
pub(crate) use cells::{Filter, Target};
pub(crate) use verdicts::expected_between;

use crate::network::Host;
use crate::running::Moment;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

/// What happened to a connection that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// Answered, by whom if it said so.
    Open { by: Option<String> },
    /// The host answered that nothing listens: packets pass.
    Refused,
    /// Nothing came back in time, as where packets are dropped.
    NoAnswer,
    /// The network answered that there is no way.
    Unreachable,
    /// The attempt itself failed.
    Failed(String),
}

/// What the engine says of the same connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    pub verdict: ExpectedVerdict,
    /// What decided each side, with file and line.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectedVerdict {
    Allow,
    Deny,
    /// The API leaves it open: whatever happens is one of its readings.
    Undefined,
}

/// One connection that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub from: String,
    /// A pod, `service/namespace/name` or an address.
    pub to: String,
    /// `8080/tcp`.
    pub port: String,
    pub address: IpAddr,
    pub observed: Observed,
    /// Not for what no single verdict is about, such as a Service without pods.
    pub expected: Option<Expected>,
    /// Why the two contradict each other, where policies are enforced.
    pub disagreement: Option<String>,
}

/// How what happened contradicts what was expected; `None` where it does not.
pub fn disagreement(observed: &Observed, expected: &Expected) -> Option<String> {
    let passed = match observed {
        Observed::Open { .. } | Observed::Refused => true,
        Observed::NoAnswer | Observed::Unreachable => false,
        Observed::Failed(why) => return Some(format!("could not be tried: {why}")),
    };
    let seen = match observed {
        Observed::Open { by: Some(by) } => format!("{by} answered"),
        Observed::Open { by: None } => "it was answered".to_owned(),
        Observed::Refused => "the host answered that nothing listens".to_owned(),
        Observed::NoAnswer => "nothing came back".to_owned(),
        Observed::Unreachable => "the network answered that there is no way".to_owned(),
        Observed::Failed(why) => why.clone(),
    };
    match (passed, expected.verdict) {
        (true, ExpectedVerdict::Deny) => Some(format!("{seen}, but denied: {}", expected.why)),
        (false, ExpectedVerdict::Allow) => Some(format!("{seen}, but allowed: {}", expected.why)),
        (true, ExpectedVerdict::Allow)
        | (false, ExpectedVerdict::Deny)
        | (true | false, ExpectedVerdict::Undefined) => None,
    }
}

/// Whether packets meet policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enforcement {
    None,
    Enforced,
}

/// Sources that are tried at once; each has a thread.
const AT_ONCE: usize = 16;

/// Tries everything that the filter asks for; the cells of one source go to `done` together.
pub(crate) fn run(
    moment: &Moment,
    enforcement: Enforcement,
    filter: &Filter,
    done: &Sender<Vec<Cell>>,
) {
    let sources = cells::sources(&moment.world.plan, filter);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(sources.len()) {
            scope.spawn(|| {
                while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let cells = of_source(moment, enforcement, filter, *source);
                    if done.send(cells).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

fn of_source(
    Moment { world, network, leaving: _ }: &Moment,
    enforcement: Enforcement,
    filter: &Filter,
    source: Host,
) -> Vec<Cell> {
    let plan = &world.plan;
    let questions = cells::of_source(plan, filter, source);
    let expected: Vec<Option<Expected>> =
        questions.iter().map(|question| verdicts::expected(world, question)).collect();
    // What is undefined agrees with either, so there is nothing to be patient for.
    let is_denied = |expected: &Option<Expected>| {
        enforcement == Enforcement::Enforced
            && expected.as_ref().is_some_and(|e| e.verdict != ExpectedVerdict::Allow)
    };
    let tries: Vec<(Question, bool)> =
        (questions.iter().cloned()).zip(expected.iter().map(is_denied)).collect();
    let observed = match network.namespace(source).map(|n| n.enter(|| attempt::all(&tries))) {
        Some(Ok(observed)) => observed,
        Some(Err(error)) => vec![Observed::Failed(error.to_string()); questions.len()],
        None => vec![Observed::Failed("it has no network".to_owned()); questions.len()],
    };
    let answers = questions.into_iter().zip(expected).zip(observed);
    answers
        .map(|((question, expected), observed)| {
            let disagreement = match (enforcement, &expected) {
                (Enforcement::Enforced, Some(expected)) => disagreement(&observed, expected),
                (Enforcement::None, _) | (Enforcement::Enforced, None) => None,
            };
            question.cell(plan, observed, expected, disagreement)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(observed: &Observed, verdict: ExpectedVerdict) -> Option<String> {
        let why = "ingress: NetworkPolicy shop/db (db.yaml:3)".to_owned();
        disagreement(observed, &Expected { verdict, why })
    }

    #[test]
    fn what_passes_although_denied_is_told_with_both_reasons() {
        let open = Observed::Open { by: Some("shop/db-0 5432".to_owned()) };
        assert_eq!(
            of(&open, ExpectedVerdict::Deny).unwrap(),
            "shop/db-0 5432 answered, but denied: ingress: NetworkPolicy shop/db (db.yaml:3)"
        );
        assert!(of(&Observed::Refused, ExpectedVerdict::Deny).is_some());
        assert!(of(&Observed::NoAnswer, ExpectedVerdict::Allow).is_some());
        assert!(of(&Observed::Unreachable, ExpectedVerdict::Allow).is_some());
    }

    #[test]
    fn agreement_and_open_questions_are_none() {
        let open = Observed::Open { by: None };
        assert_eq!(of(&open, ExpectedVerdict::Allow), None);
        assert_eq!(of(&Observed::Refused, ExpectedVerdict::Allow), None);
        assert_eq!(of(&Observed::NoAnswer, ExpectedVerdict::Deny), None);
        assert_eq!(of(&open, ExpectedVerdict::Undefined), None);
        assert_eq!(of(&Observed::NoAnswer, ExpectedVerdict::Undefined), None);
    }

    #[test]
    fn what_could_not_be_tried_agrees_with_nothing() {
        let failed = Observed::Failed("too many open files".to_owned());
        for verdict in [ExpectedVerdict::Allow, ExpectedVerdict::Deny, ExpectedVerdict::Undefined] {
            assert!(of(&failed, verdict).is_some());
        }
    }
}
