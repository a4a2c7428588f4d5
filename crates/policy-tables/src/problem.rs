//! What could not be written into tables, on whom that falls, and what to do.

use crate::profile::MAX_RULES;
use policy_engine::PodId;
use policy_model::{Direction, PolicyId, RuleRef};
use std::fmt;
use std::net::IpAddr;

/// One direction of some pods, which denies everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedSide {
    /// `namespace/name`.
    pub pods: Vec<String>,
    pub direction: Direction,
    pub policies: Vec<PolicyId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A profile holds 1,024 rules; a port name counts once for each number that it stands for.
    TooManyRules { side: DeniedSide, n_rules: usize },
    /// There may be 65,535 classes of addresses.
    TooManyClasses { sides: Vec<DeniedSide>, n_classes: usize },
    /// There may be 65,535 classes of ports.
    TooManyPortClasses { sides: Vec<DeniedSide>, n_classes: usize },
    /// There may be 65,534 profiles, the previous ones included.
    TooManyProfiles { sides: Vec<DeniedSide>, n_profiles: usize },
    /// Several pods have one address. It counts as the first one's.
    SharedAddress { address: IpAddr, pods: Vec<String> },
    /// A pod on the host network was given as local. No interface is its own: nothing is enforced.
    OnHostNetwork { pod: String },
    /// A pod that is not in the program was given as local. It denies everything.
    UnknownPod { pod: PodId },
    /// Domain names match nothing here, so these rules do not allow by them.
    DomainNames { rules: Vec<RuleRef> },
}

impl Problem {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::TooManyRules { .. } => {
                "join rules of these policies, or give ports by number where names stand for many"
            }
            Self::TooManyClasses { .. } => {
                "select peers by fewer different labels and blocks, or move pods to other nodes"
            }
            Self::TooManyPortClasses { .. } => {
                "name fewer different ports and ranges, or move pods to other nodes"
            }
            Self::TooManyProfiles { .. } => "move pods to other nodes",
            Self::SharedAddress { .. } => "remove the pods that no longer run",
            Self::OnHostNetwork { .. } => {
                "take the pod off the host network to enforce its policies"
            }
            Self::UnknownPod { .. } => "wait until the pod is known, or remove its interface",
            Self::DomainNames { .. } => "allow the addresses by networks",
        }
    }
}

fn count(sides: &[DeniedSide]) -> usize {
    sides.iter().map(|side| side.pods.len()).sum()
}

impl fmt::Display for DeniedSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.direction, self.pods.join(", "))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRules { side, n_rules } => write!(
                f,
                "{side} has {n_rules} rules, of which {MAX_RULES} fit, and denies everything"
            ),
            Self::TooManyClasses { sides, n_classes } => write!(
                f,
                "the rules tell {n_classes} classes of addresses apart, of which 65535 fit: {} pods deny everything",
                count(sides)
            ),
            Self::TooManyPortClasses { sides, n_classes } => write!(
                f,
                "the rules tell {n_classes} classes of ports apart, of which 65535 fit: {} pods deny everything",
                count(sides)
            ),
            Self::TooManyProfiles { sides, n_profiles } => write!(
                f,
                "there are {n_profiles} profiles, of which 65534 fit: {} pods deny everything",
                count(sides)
            ),
            Self::SharedAddress { address, pods } => {
                write!(f, "the address {address} belongs to {}", pods.join(" and "))
            }
            Self::OnHostNetwork { pod } => {
                write!(f, "{pod} is on the host network, where nothing is enforced on it")
            }
            Self::UnknownPod { pod } => write!(f, "pod {pod} is not known and denies everything"),
            Self::DomainNames { rules } => {
                let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
                write!(f, "domain names are not looked up here: {}", rules.join(", "))
            }
        }
    }
}
