//! How long each took, and how many there were a second.

use std::fmt;
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Latencies {
    each: Vec<Duration>,
    entries: u64,
    time: Duration,
    cpu: Option<Duration>,
}

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration, entries: u64) {
        self.each.push(took);
        self.entries += entries;
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.each.extend(other.each);
        self.entries += other.entries;
    }

    pub(crate) fn over(mut self, time: Duration) -> Self {
        self.each.sort_unstable();
        self.time = time;
        self
    }

    pub(crate) fn with_cpu(self, cpu: Duration) -> Self {
        Self { cpu: Some(cpu), ..self }
    }

    fn at(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list of some millions"
        )]
        let place = (self.each.len() as f64 * share) as usize;
        self.each.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let rate = self.entries as f64 / self.time.as_secs_f64();
        let (p50, p99) = (self.at(0.5), self.at(0.99));
        write!(out, "{rate:.0} entries/s, p50 {p50:.0?}, p99 {p99:.0?}")?;
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        match self.cpu {
            Some(cpu) => {
                write!(out, ", {:.1} µs of CPU each", cpu.as_secs_f64() * 1e6 / self.entries as f64)
            }
            None => Ok(()),
        }
    }
}
