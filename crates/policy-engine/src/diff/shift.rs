//! Which ports changed their verdict, and in which direction.

use crate::semantics::{Reason, Reasons};
use crate::traffic::PairTraffic;
use crate::verdict::Verdict;
use net_types::Traffic;

/// Ports whose verdict changed in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shift {
    /// Never equal to `after`.
    pub before: Verdict,
    pub after: Verdict,
    /// Never without ports.
    pub traffic: Traffic,
}

/// Which way a verdict moved from deny over undefined to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    Loosened,
    Tightened,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loosened => "loosened",
            Self::Tightened => "tightened",
        }
    }
}

impl Shift {
    /// All changes of a connection, what was loosened first.
    pub fn between(before: &PairTraffic, after: &PairTraffic) -> Vec<Self> {
        const CHANGES: [(Verdict, Verdict); 6] = [
            (Verdict::Deny, Verdict::Allow),
            (Verdict::Undefined, Verdict::Allow),
            (Verdict::Deny, Verdict::Undefined),
            (Verdict::Allow, Verdict::Deny),
            (Verdict::Allow, Verdict::Undefined),
            (Verdict::Undefined, Verdict::Deny),
        ];
        let shift = |(was, is): (Verdict, Verdict)| {
            let traffic = part(before, was).intersection(&part(after, is));
            let traffic = Traffic { other: false, ..traffic };
            (!traffic.is_empty()).then_some(Self { before: was, after: is, traffic })
        };
        CHANGES.into_iter().filter_map(shift).collect()
    }

    /// What becomes possible where nothing was sure is loosened; what is no longer sure is tightened.
    pub fn effect(&self) -> Effect {
        let openness = |verdict| match verdict {
            Verdict::Deny => 0,
            Verdict::Undefined => 1,
            Verdict::Allow => 2,
        };
        if openness(self.after) > openness(self.before) {
            Effect::Loosened
        } else {
            Effect::Tightened
        }
    }
}

fn part(traffic: &PairTraffic, verdict: Verdict) -> Traffic {
    match verdict {
        Verdict::Allow => traffic.allowed.clone(),
        Verdict::Undefined => traffic.undefined.clone(),
        Verdict::Deny => Traffic::all().difference(&traffic.allowed.union(&traffic.undefined)),
    }
}

/// Whether both say the same of every port.
pub(super) fn same_ports(a: &PairTraffic, b: &PairTraffic) -> bool {
    let same = |a: &Traffic, b: &Traffic| (&a.tcp, &a.udp, &a.sctp) == (&b.tcp, &b.udp, &b.sctp);
    same(&a.allowed, &b.allowed) && same(&a.undefined, &b.undefined)
}

/// Without protocols that have no ports, and the reason that only they have.
pub(super) fn shown(traffic: &PairTraffic) -> PairTraffic {
    let with_ports = |traffic: &Traffic| Traffic { other: false, ..traffic.clone() };
    let undefined = with_ports(&traffic.undefined);
    let reasons = traffic.reasons.iter().filter(|reason| *reason != Reason::OtherProtocol);
    let reasons = if undefined.is_empty() {
        Reasons::NONE
    } else {
        reasons.fold(Reasons::NONE, Reasons::with)
    };
    PairTraffic { allowed: with_ports(&traffic.allowed), undefined, reasons }
}
