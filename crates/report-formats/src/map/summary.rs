//! What stands above and below every map that people read.

use super::{MapReport, addresses};
use crate::counted;
use net_types::Traffic;
use policy_engine::{Assumptions, Granularity, PairTraffic, PodId, Reason, Reasons};
use policy_model::Direction;

/// Numbers of rows, counted while they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowCounts {
    pub(crate) allowed: usize,
    pub(crate) undefined: usize,
    /// All reasons of undefined parts.
    pub(crate) reasons: Reasons,
}

/// Why ports are undefined. A map shows only protocols that have ports.
pub(crate) fn reasons(traffic: &PairTraffic) -> Reasons {
    if traffic.undefined.has_no_ports() {
        return Reasons::NONE;
    }
    let of_ports = traffic.reasons.iter().filter(|reason| *reason != Reason::OtherProtocol);
    of_ports.fold(Reasons::NONE, Reasons::with)
}

/// What a map shows of it: nothing of protocols without ports.
pub(crate) fn shown(traffic: &PairTraffic) -> PairTraffic {
    let with_ports = |traffic: &Traffic| Traffic { other: false, ..traffic.clone() };
    PairTraffic {
        allowed: with_ports(&traffic.allowed),
        undefined: with_ports(&traffic.undefined),
        reasons: reasons(traffic),
    }
}

/// `host-network, pod-address`.
pub(crate) fn reason_codes(traffic: &PairTraffic) -> Vec<&'static str> {
    reasons(traffic).iter().map(Reason::code).collect()
}

impl RowCounts {
    pub(crate) fn add(&mut self, traffic: &PairTraffic) {
        if traffic.allowed.has_no_ports() {
            self.undefined += 1;
        } else {
            self.allowed += 1;
        }
        self.reasons = self.reasons.union(reasons(traffic));
    }

    /// `host-network: the API does not say …`, one line for each.
    pub(crate) fn legend(&self) -> impl Iterator<Item = (Reason, &'static str)> {
        self.reasons.iter().map(|reason| (reason, reason.text()))
    }
}

/// `profile upstream; pods without an address are taken to be in 10.0.0.0/8, …`.
pub(crate) fn assumed(assumptions: &Assumptions) -> String {
    let networks = addresses::networks(&assumptions.pod_networks);
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    format!(
        "profile {}; pods without an address are taken to be in {}",
        assumptions.semantics,
        networks.join(", ")
    )
}

impl MapReport<'_> {
    /// `profile upstream; pods without an address are taken to be in 10.0.0.0/8, …`.
    pub(crate) fn assumed(&self) -> String {
        assumed(self.program.assumptions())
    }

    /// `left out because of errors: NetworkPolicy shop/web; …`, if anything was.
    pub(crate) fn caveat(&self) -> Option<String> {
        let objects: Vec<&str> =
            self.program.left_out().iter().map(|left_out| left_out.object.as_str()).collect();
        (!objects.is_empty()).then(|| {
            format!(
                "left out because of errors: {}; what they could have changed is marked with !, and \
                 something may be missing",
                objects.join(", ")
            )
        })
    }

    /// `17 workloads, 54 connections; isolated for ingress 15, for egress 12`.
    pub(crate) fn counts(&self, rows: &RowCounts) -> String {
        let noun = match self.by {
            Granularity::Pod => "pod",
            Granularity::Workload => "workload",
            Granularity::Namespace => "namespace",
        };
        let undefined = match rows.undefined {
            0 => String::new(),
            undefined => format!(", {undefined} more undefined"),
        };
        let [ingress, egress] = Direction::BOTH.map(|direction| self.n_isolated(direction));
        format!(
            "{}, {}{undefined}; isolated for ingress {ingress}, for egress {egress}",
            counted(self.n_peers(), noun),
            counted(rows.allowed, "connection"),
        )
    }

    /// Peers all of whose pods some NetworkPolicy isolates.
    pub(crate) fn n_isolated(&self, direction: Direction) -> usize {
        let isolated = |pod: PodId| self.program.is_isolated(pod, direction);
        (0..self.n_peers()).filter(|peer| self.map.pods(*peer).all(isolated)).count()
    }
}
