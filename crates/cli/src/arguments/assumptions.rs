//! What the input does not say and every answer depends on.

use net_types::{AddressSet, IpNet};
use policy_engine::{Assumptions, Semantics};
use question_syntax::parse_network;
use std::fmt;

/// Who reads the policies, where the API leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProfileArgument {
    /// The Kubernetes API, with every reading that it permits.
    #[default]
    Upstream,
    /// Cilium: networks never match pods or nodes of the cluster.
    Cilium,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct AssumptionArgs {
    /// Who reads the policies, where the API leaves it open
    #[arg(long, value_enum, default_value_t, help_heading = "Assumptions")]
    pub profile: ProfileArgument,

    /// Networks of pods whose address is not in the input
    ///
    /// Without it 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and 100.64.0.0/10 are assumed.
    #[arg(long, value_name = "CIDR", help_heading = "Assumptions", value_delimiter = ',', value_parser = parse_network)]
    pub pod_cidr: Vec<IpNet>,
}

impl AssumptionArgs {
    /// What a program is compiled for.
    pub fn assumptions(&self) -> Assumptions {
        let assumptions = Assumptions::new(match self.profile {
            ProfileArgument::Upstream => Semantics::Upstream,
            ProfileArgument::Cilium => Semantics::Cilium,
        });
        let pod_networks = self.pod_networks().unwrap_or(assumptions.pod_networks);
        Assumptions { pod_networks, ..assumptions }
    }

    /// `None` where the default networks are to be assumed.
    pub fn pod_networks(&self) -> Option<AddressSet> {
        let networks = self.pod_cidr.iter().map(|network| (*network).into());
        (!self.pod_cidr.is_empty()).then(|| networks.collect())
    }
}

impl fmt::Display for ProfileArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upstream => "upstream",
            Self::Cilium => "cilium",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pod_networks_is_not_an_empty_set() {
        assert_eq!(AssumptionArgs::default().pod_networks(), None);
        let pod_cidr = vec!["10.0.0.0/9".parse().unwrap(), "10.128.0.0/9".parse().unwrap()];
        let args = AssumptionArgs { pod_cidr, ..AssumptionArgs::default() };
        assert_eq!(args.pod_networks().unwrap().to_string(), "10.0.0.0-10.255.255.255");
    }
}
