//! A generator of traffic, and whether what it promises holds.

use super::step::cells;
use crate::client::Client;
use crate::probe::Observed;
use crate::traffic::PATIENCE;
use crate::wire::{Attempt, TrafficRequest};
use lab_scenario::{Promise, Question, Traffic, TrafficKind, TrafficResult, TrafficTally};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Broken promises that are told one by one.
const MOST: usize = 5;
/// What had begun before the last step ended has ended after this.
const LINGER: Duration = PATIENCE.saturating_add(Duration::from_millis(200));

/// What the lab is asked for.
pub(super) fn request(traffic: &Traffic) -> TrafficRequest {
    let Traffic { from, to, port, per_second, kind, promise: _, span: _, name: _ } = traffic;
    TrafficRequest {
        from: from.to_string(),
        to: to.to_string(),
        port: port.to_string(),
        per_second: *per_second,
        kept: match kind {
            TrafficKind::New => false,
            TrafficKind::Kept => true,
        },
    }
}

/// Says once that it has begun.
pub(super) fn run(
    client: &Client,
    traffic: &Traffic,
    is_over: &AtomicBool,
    begun: &Sender<()>,
) -> TrafficResult {
    let Traffic { from, to, port, per_second: _, kind: _, promise, span, name: _ } = traffic;
    let request = request(traffic);
    // The kernel brings a new link up when it gets to it, and drops what comes before: a probe is patient
    // enough to outlast that. What it finds is not the traffic's business.
    let question = Question { from: Some(from.clone()), to: Some(to.clone()), port: port.clone() };
    let warmed_up = cells(client, &question);
    let mut said = Some(begun);
    let mut seen = Seen { promise: *promise, ..Seen::default() };
    let mut last: Option<Instant> = None;
    let ran = client.traffic(request, |attempts| {
        if let Some(begun) = said.take() {
            tell(begun);
        }
        attempts.iter().for_each(|attempt| seen.attempt(attempt));
        if last.is_none() && is_over.load(Ordering::Relaxed) {
            last = Some(Instant::now() + LINGER);
        }
        match last {
            Some(last) if Instant::now() > last => ControlFlow::Break(()),
            Some(_) | None => ControlFlow::Continue(()),
        }
    });
    if let Some(begun) = said.take() {
        tell(begun);
    }
    let Seen { promise, tally, broken, mut problems } = seen;
    if broken > problems.len() {
        problems.push(format!("and {} more", broken - problems.len()));
    }
    match warmed_up.and(ran) {
        Err(error) => problems.push(format!("the traffic could not go on: {error}")),
        Ok(()) if tally.passed + tally.failed == 0 => {
            problems.push("nothing was tried".to_owned());
        }
        Ok(()) => {}
    }
    TrafficResult { title: traffic.title(), span: *span, promise, tally, problems }
}

/// The steps wait for it, so somebody listens.
fn tell(begun: &Sender<()>) {
    let told = begun.send(());
    debug_assert!(told.is_ok());
}

#[derive(Default)]
struct Seen {
    promise: Option<Promise>,
    tally: TrafficTally,
    /// How often the promise was.
    broken: usize,
    problems: Vec<String>,
}

impl Seen {
    fn attempt(&mut self, attempt: &Attempt) {
        let Attempt { begun_ms, took_ms, observed } = attempt;
        let passed = match observed {
            Observed::Open { .. } | Observed::Refused => true,
            Observed::NoAnswer | Observed::Unreachable | Observed::Failed(_) => false,
        };
        if passed {
            self.tally.passed += 1;
            self.tally.slowest_ms = self.tally.slowest_ms.max(*took_ms);
        } else {
            self.tally.failed += 1;
        }
        // What could not even be tried shows nothing, so it keeps no promise.
        let holds = match self.promise {
            None => true,
            Some(Promise::NeverAllowed) => !passed && !matches!(observed, Observed::Failed(_)),
            Some(Promise::NeverBroken) => passed,
        };
        if holds {
            return;
        }
        self.broken += 1;
        if self.problems.len() < MOST {
            let what = told(observed);
            self.problems.push(format!("{begun_ms} ms after it began: {what} ({took_ms} ms)"));
        }
    }
}

pub(super) fn told(observed: &Observed) -> String {
    match observed {
        Observed::Open { by: Some(by) } => format!("{by} answered"),
        Observed::Open { by: None } => "it was answered".to_owned(),
        Observed::Refused => "the host answered that nothing listens".to_owned(),
        Observed::NoAnswer => "nothing came back".to_owned(),
        Observed::Unreachable => "the network answered that there is no way".to_owned(),
        Observed::Failed(why) => format!("it failed: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(promise: Promise, observed: Observed) -> usize {
        let mut seen = Seen { promise: Some(promise), ..Seen::default() };
        seen.attempt(&Attempt { begun_ms: 7, took_ms: 1, observed });
        seen.broken
    }

    #[test]
    fn a_promise_is_broken_by_one_attempt() {
        let open = Observed::Open { by: None };
        assert_eq!(seen(Promise::NeverBroken, open.clone()), 0);
        assert_eq!(seen(Promise::NeverBroken, Observed::NoAnswer), 1);
        assert_eq!(seen(Promise::NeverAllowed, open), 1);
        assert_eq!(seen(Promise::NeverAllowed, Observed::Refused), 1);
        assert_eq!(seen(Promise::NeverAllowed, Observed::NoAnswer), 0);
    }

    #[test]
    fn what_could_not_be_tried_keeps_no_promise() {
        let failed = Observed::Failed("too many open files".to_owned());
        assert_eq!(seen(Promise::NeverAllowed, failed.clone()), 1);
        assert_eq!(seen(Promise::NeverBroken, failed), 1);
    }
}
