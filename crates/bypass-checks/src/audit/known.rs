//! The times of which a log can speak.
//!
//! An API server is never silent for long: controllers renew leases every few seconds. Where a log has nothing for longer
//! than `silence`, a piece of it is missing, or the audit policy leaves out so much that nobody can tell; either way,
//! that nothing stands there does not show that nothing happened.

use std::collections::BTreeMap;

/// From and until, both included, in microseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub from_us: i64,
    pub until_us: i64,
}

/// Times at which something was written, joined where they are close.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    silence_us: i64,
    /// Ends by begins. Spans are further apart than `silence_us`.
    spans: BTreeMap<i64, i64>,
    /// The span that was added to last: events come nearly in order.
    last: Option<Span>,
}

impl Span {
    #[must_use]
    pub const fn contains(&self, at_us: i64) -> bool {
        self.from_us <= at_us && at_us <= self.until_us
    }
}

impl Known {
    #[must_use]
    pub fn new(silence_us: i64) -> Self {
        Self { silence_us, ..Self::default() }
    }

    /// Something was written at this time.
    pub fn add(&mut self, at_us: i64) {
        if self.last.is_some_and(|last| last.contains(at_us)) {
            return;
        }
        self.join(Span { from_us: at_us, until_us: at_us });
    }

    fn join(&mut self, new: Span) {
        let reach = new.until_us.saturating_add(self.silence_us);
        let Span { mut from_us, mut until_us } = new;
        // Spans do not touch each other, so those that touch the new one are a run before `reach`.
        while let Some((&begin, &end)) = self.spans.range(..=reach).next_back() {
            if end < new.from_us.saturating_sub(self.silence_us) {
                break;
            }
            self.spans.remove(&begin);
            from_us = from_us.min(begin);
            until_us = until_us.max(end);
        }
        self.spans.insert(from_us, until_us);
        self.last = Some(Span { from_us, until_us });
    }

    /// In order.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        self.spans.iter().map(|(&from_us, &until_us)| Span { from_us, until_us })
    }

    /// From the first to the last.
    #[must_use]
    pub fn extent(&self) -> Option<Span> {
        let (&from_us, _) = self.spans.first_key_value()?;
        let (_, &until_us) = self.spans.last_key_value()?;
        Some(Span { from_us, until_us })
    }

    /// What of `window` it cannot speak of, in order.
    #[must_use]
    pub fn holes(&self, window: Span) -> Vec<Span> {
        let mut holes = Vec::new();
        let mut from_us = window.from_us;
        for span in self.spans() {
            if span.until_us < from_us || span.from_us > window.until_us {
                continue;
            }
            if span.from_us > from_us {
                holes.push(Span { from_us, until_us: span.from_us });
            }
            from_us = from_us.max(span.until_us);
        }
        if from_us < window.until_us {
            holes.push(Span { from_us, until_us: window.until_us });
        }
        holes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from_us: i64, until_us: i64) -> Span {
        Span { from_us, until_us }
    }

    #[test]
    fn times_join_where_they_are_close_in_any_order() {
        let times = [10, 30, 12, 20, 51, 60, 40, 31];
        let mut orders = vec![times.to_vec(), times.iter().rev().copied().collect()];
        orders.push(vec![60, 10, 51, 12, 40, 20, 31, 30]);
        for order in orders {
            let mut known = Known::new(10);
            order.iter().for_each(|at| known.add(*at));
            assert_eq!(
                known.spans().collect::<Vec<_>>(),
                [span(10, 40), span(51, 60)],
                "{order:?}"
            );
        }
    }

    #[test]
    fn holes_are_what_is_left_of_a_window() {
        let mut known = Known::new(10);
        [10, 20, 100, 105, 300].iter().for_each(|at| known.add(*at));
        assert_eq!(known.extent(), Some(span(10, 300)));
        assert_eq!(
            known.holes(span(0, 400)),
            [span(0, 10), span(20, 100), span(105, 300), span(300, 400)]
        );
        assert_eq!(known.holes(span(15, 102)), [span(20, 100)]);
        assert_eq!(known.holes(span(12, 18)), []);
        assert_eq!(known.holes(span(30, 50)), [span(30, 50)]);
        assert_eq!(Known::new(10).holes(span(1, 2)), [span(1, 2)]);
    }
}
