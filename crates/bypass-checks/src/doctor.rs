//! `weir gateway doctor`: who could go round the gateway, by which right, as far as a cluster's objects show it.
//!
//! Rights are read from roles and bindings as the API server's RBAC authoriser does (`rbac.authorization.k8s.io/v1`).
//! What other authorisers allow, and what happens on nodes, is not in objects; one finding says so each time, because a
//! list that looks complete and is not would be worse than none.

mod cluster;
mod codes;
mod installed;
mod pods;
mod rights;
mod ways;

pub use cluster::{Cluster, ClusterError};
pub use codes::DOCTOR_CODES;

use crate::install::{BreakGlass, GatewayIdentity};
use finding_model::{Finding, Severity};
use std::cmp::Reverse;

/// What the doctor takes for granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    pub gateway: GatewayIdentity,
    pub break_glass: BreakGlass,
}

impl Cluster {
    /// Every way round that the objects show, the worst first.
    #[must_use]
    pub fn ways_round(&self, expected: &Expected) -> Vec<Finding> {
        let mut findings = installed::findings(self, expected);
        findings.extend(ways::findings(self, expected));
        findings.extend(pods::findings(self));
        findings.extend(self.incomplete());
        findings.push(not_seen());
        findings.sort_by_key(|finding| Reverse(finding.severity));
        findings
    }
}

/// Said every time.
fn not_seen() -> Finding {
    let message = "ways round that leave no trace in objects are not looked at";
    let help = "see who has certificates with the group system:masters, that kubelets refuse anonymous requests and have no \
                read-only port, who can log in to nodes, who reaches etcd and the runtime's socket, what the API server's flags allow (other authorisers, extra values of \
                authenticators), and who has the cloud's console";
    Finding::new(codes::NOT_SEEN, Severity::Info, message, help)
        .because("a shell on a node reaches every container on it, and no API server hears of it")
}

#[cfg(test)]
mod tests;
