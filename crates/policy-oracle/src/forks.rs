//! Possible worlds: a pass that meets forks is repeated until it took every branch of each.

/// What the worlds said so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub allow: bool,
    pub deny: bool,
}

impl Outcomes {
    pub(crate) const ALLOW: Self = Self { allow: true, deny: false };

    fn add(&mut self, allowed: bool) {
        self.allow |= allowed;
        self.deny |= !allowed;
    }

    pub(crate) fn is_both(self) -> bool {
        self.allow && self.deny
    }
}

/// The branches that this world takes, in the order in which its pass meets the forks.
#[derive(Debug, Default)]
pub(crate) struct Forks {
    met: Vec<Fork>,
    n_met_in_this_pass: usize,
}

#[derive(Clone, Copy, Debug)]
struct Fork {
    branch: usize,
    n_branches: usize,
}

impl Forks {
    /// The branch, from 0, that this world takes of the next fork. The pass must meet the same fork
    /// again whenever it took the same branches before, and each question to the world only once.
    pub(crate) fn branch(&mut self, n_branches: usize) -> usize {
        debug_assert!(n_branches > 0, "a fork has a branch");
        if self.n_met_in_this_pass == self.met.len() {
            self.met.push(Fork { branch: 0, n_branches });
        }
        let fork = self.met.get(self.n_met_in_this_pass).copied();
        self.n_met_in_this_pass += 1;
        fork.map_or(0, |fork| {
            debug_assert_eq!(fork.n_branches, n_branches, "the pass repeats itself");
            fork.branch
        })
    }

    /// Goes to the next world; false after the last.
    fn advance(&mut self) -> bool {
        self.n_met_in_this_pass = 0;
        while let Some(last) = self.met.last_mut() {
            last.branch += 1;
            if last.branch < last.n_branches {
                return true;
            }
            self.met.pop();
        }
        false
    }
}

/// Runs the pass in every world. Stops early once both outcomes were seen: no more can come.
pub(crate) fn in_every_world(mut pass: impl FnMut(&mut Forks) -> bool) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let mut forks = Forks::default();
    loop {
        outcomes.add(pass(&mut forks));
        if outcomes.is_both() || !forks.advance() {
            return outcomes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_of_nested_forks_is_taken_once() {
        let mut seen = Vec::new();
        in_every_world(|forks| {
            let first = forks.branch(3);
            let second = if first == 1 { forks.branch(2) } else { 9 };
            seen.push((first, second));
            true
        });
        assert_eq!(seen, [(0, 9), (1, 0), (1, 1), (2, 9)]);
    }

    #[test]
    fn a_pass_without_forks_runs_once() {
        let mut n_passes = 0;
        let outcomes = in_every_world(|_| {
            n_passes += 1;
            false
        });
        assert_eq!((n_passes, outcomes), (1, Outcomes { allow: false, deny: true }));
    }
}
