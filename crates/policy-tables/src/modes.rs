//! What is done with a policy's verdict.

use policy_model::PolicyId;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It drops what it denies.
    #[default]
    Enforce,
    /// What it would deny beside the enforced ones is reported, and passes.
    Observe,
    /// It is evaluated beside all others, and its would-be verdict is in each event.
    Staged,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Observe, Self::Staged];
}

/// The mode of each policy; what is not named is enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// Never [`Mode::Enforce`].
    others: BTreeMap<PolicyId, Mode>,
}

impl Modes {
    pub fn set(&mut self, policy: PolicyId, mode: Mode) {
        match mode {
            Mode::Enforce => self.others.remove(&policy),
            Mode::Observe | Mode::Staged => self.others.insert(policy, mode),
        };
    }

    pub fn of(&self, policy: &PolicyId) -> Mode {
        self.others.get(policy).copied().unwrap_or_default()
    }

    /// The policies whose mode differs.
    pub(crate) fn changes<'a>(&'a self, other: &'a Self) -> Vec<&'a PolicyId> {
        let policies = self.others.keys().chain(other.others.keys());
        policies.filter(|policy| self.of(policy) != other.of(policy)).collect()
    }
}

impl FromIterator<(PolicyId, Mode)> for Modes {
    fn from_iter<I: IntoIterator<Item = (PolicyId, Mode)>>(modes: I) -> Self {
        let mut all = Self::default();
        for (policy, mode) in modes {
            all.set(policy, mode);
        }
        all
    }
}
