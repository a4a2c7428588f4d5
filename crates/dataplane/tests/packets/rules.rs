//! Profiles for tests: a list of rules, written as the tables that the kernel reads.

/// Which addresses or ports a rule matches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    Any,
    Class(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ports {
    All,
    /// A class of ports.
    Class(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Deny,
    Pass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Enforced,
    Observed,
    Staged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Admin,
    NetworkPolicy,
    Baseline,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) peer: Peer,
    pub(crate) ports: Ports,
    pub(crate) action: Action,
    pub(crate) mode: Mode,
    pub(crate) tier: Tier,
}

pub(crate) const fn rule(action: Action, peer: Peer, ports: Ports) -> Rule {
    Rule { peer, ports, action, mode: Mode::Enforced, tier: Tier::NetworkPolicy }
}

impl Rule {
    pub(crate) const fn in_tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

    pub(crate) const fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }
}

/// The default deny that isolates a pod.
pub(crate) const DENY_REST: Rule = rule(Action::Deny, Peer::Any, Ports::All);
