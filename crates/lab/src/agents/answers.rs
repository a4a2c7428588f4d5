//! Which agents answer at all: one that is stopped, or hangs, must hold up nobody.

use super::{Agents, Known, Shared};
use crate::agent::Word;
use crate::error::LabError;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An agent answers at once, on a machine that is very busy in a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// For who only wants to know.
pub(super) const SHORT_PATIENCE: Duration = Duration::from_secs(2);

impl Agents {
    /// Before anything is changed.
    ///
    /// # Errors
    /// An agent does not answer: what is made for its node would not be enforced there.
    pub(crate) fn must_answer(&self) -> Result<(), LabError> {
        let silent = self.silent(PATIENCE);
        if silent.is_empty() { Ok(()) } else { Err(LabError::Silent(silent)) }
    }

    /// Nodes whose agents run and do not answer.
    pub(super) fn silent(&self, patience: Duration) -> Vec<String> {
        let end = Instant::now() + patience;
        let mut nodes = self.shared.lock();
        let number = self.shared.ask(&mut nodes);
        loop {
            let silent = nodes.iter().filter(|known| known.is_silent(number));
            let silent: Vec<String> = silent.map(|known| known.name.clone()).collect();
            let left = end.saturating_duration_since(Instant::now());
            if silent.is_empty() || left.is_zero() {
                return silent;
            }
            nodes = self.shared.wait(nodes, left);
        }
    }
}

impl Known {
    pub(super) fn is_silent(&self, number: u64) -> bool {
        self.input.is_some() && self.answered < number
    }
}

impl Shared {
    /// The number of the question.
    pub(super) fn ask(&self, nodes: &mut [Known]) -> u64 {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        for known in nodes {
            known.say(Word::Answer(number));
        }
        number
    }

    /// For something to be told.
    pub(super) fn wait<'a>(
        &self,
        nodes: MutexGuard<'a, Vec<Known>>,
        patience: Duration,
    ) -> MutexGuard<'a, Vec<Known>> {
        self.told.wait_timeout(nodes, patience).unwrap_or_else(PoisonError::into_inner).0
    }
}
