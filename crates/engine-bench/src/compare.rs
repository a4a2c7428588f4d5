//! One question to the engine and to the naive oracle, under the same assumptions.

use ipnet::IpNet;
use net_types::AddressSet;
use policy_engine::{End, PodId, Program, Semantics, TrafficCache, Verdict};
use policy_model::{Direction, Snapshot};
use policy_oracle::worlds::{Asked, AskedEnd, PodKey};
use std::fmt;

/// What both are told to assume.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) semantics: Semantics,
    /// `None`: the IPv4 networks that both assume unasked. Else networks of both families.
    pub(crate) pod_networks: Option<AddressSet>,
}

impl Reading {
    /// Both profiles, each with pods of IPv4 only and with pods of both families.
    pub(crate) fn all() -> Vec<Self> {
        let dual = ["10.0.0.0/8", "fd00::/8"];
        let dual: Vec<IpNet> = dual.iter().filter_map(|net| net.parse().ok()).collect();
        let dual: AddressSet = dual.into_iter().map(net_types::AddressRange::from).collect();
        let both = [None, Some(dual)];
        let of = |semantics| both.clone().map(|pod_networks| Self { semantics, pod_networks });
        Semantics::ALL.into_iter().flat_map(of).collect()
    }

    pub(crate) fn of_engine(&self) -> policy_engine::Assumptions {
        let mut assumptions = policy_engine::Assumptions::new(self.semantics);
        if let Some(networks) = &self.pod_networks {
            assumptions.pod_networks = networks.clone();
        }
        assumptions
    }

    pub(crate) fn of_oracle(&self) -> policy_oracle::Assumptions {
        let profile = match self.semantics {
            Semantics::Upstream => policy_oracle::Profile::Upstream,
            Semantics::Cilium => policy_oracle::Profile::Cilium,
        };
        let mut assumptions = policy_oracle::Assumptions { profile, ..Default::default() };
        if let Some(networks) = &self.pod_networks {
            assumptions.pod_networks = networks.clone();
        }
        assumptions
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pod_networks {
            None => write!(f, "{}", self.semantics),
            Some(_) => write!(f, "{}, dual-stack pods", self.semantics),
        }
    }
}

/// What one of them says of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) egress: Verdict,
    pub(crate) ingress: Verdict,
    /// By the set of all ports that the pair may use.
    pub(crate) by_set: Verdict,
}

/// `None` where the program lacks an end.
pub(crate) fn by_engine(
    program: &Program,
    snapshot: &Snapshot,
    asked: &Asked,
    cache: &mut TrafficCache,
) -> Option<Said> {
    let (from, to) = (end(snapshot, &asked.from)?, end(snapshot, &asked.to)?);
    let decision = program.decide(&from, &to, asked.protocol, asked.port);
    let traffic = program.traffic(&from, &to, cache);
    let by_set = if traffic.allowed.contains(asked.protocol, asked.port) {
        Verdict::Allow
    } else if traffic.undefined.contains(asked.protocol, asked.port) {
        Verdict::Undefined
    } else {
        Verdict::Deny
    };
    Some(Said {
        verdict: decision.verdict,
        egress: decision.egress.verdict,
        ingress: decision.ingress.verdict,
        by_set,
    })
}

/// `None` where the snapshot lacks an end.
pub(crate) fn by_oracle(snapshot: &Snapshot, asked: &Asked, reading: &Reading) -> Option<Said> {
    let assumptions = reading.of_oracle();
    let question = asked.question(snapshot)?;
    let side = |direction| {
        translate(policy_oracle::evaluate_side(snapshot, &assumptions, &question, direction))
    };
    let verdict = translate(policy_oracle::evaluate(snapshot, &assumptions, &question));
    Some(Said {
        verdict,
        egress: side(Direction::Egress),
        ingress: side(Direction::Ingress),
        by_set: verdict,
    })
}

fn end(snapshot: &Snapshot, asked: &AskedEnd) -> Option<End> {
    Some(match asked {
        AskedEnd::Pod(key) => {
            let index = snapshot.pods.iter().position(|pod| PodKey::of(pod) == *key)?;
            End::Pod(PodId::from_index(index))
        }
        AskedEnd::Address(address) => End::Address(*address),
        AskedEnd::Name(name) => End::Name((*name).to_owned()),
    })
}

pub(crate) fn translate(verdict: policy_oracle::Verdict) -> Verdict {
    match verdict {
        policy_oracle::Verdict::Allow => Verdict::Allow,
        policy_oracle::Verdict::Deny => Verdict::Deny,
        policy_oracle::Verdict::Undefined => Verdict::Undefined,
    }
}
