//! The rules of a group with features for terms and numbers for ports, before port names of egress
//! rules are looked up on the destinations.

use crate::features::{Features, PortName};
use crate::modes::{Mode, Modes};
use crate::numbers::{AddressClass, Classes, FeatureNumber};
use crate::port_classes::PortKey;
use net_types::{PortRange, Protocol};
use policy_engine::{ListedRule, Program, RuleList};
use policy_model::{Action, ContainerPort, Direction, PolicyId, PortMatch, Ports};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    pub(crate) direction: Direction,
    pub(crate) rules: Vec<SketchRule>,
    pub(crate) admin_end: usize,
    pub(crate) baseline_start: usize,
    /// The first isolating policy of each mode.
    pub(crate) isolating: Vec<(Mode, Arc<PolicyId>)>,
}

#[derive(Clone, Debug)]
pub(crate) struct SketchRule {
    pub(crate) policy: Arc<PolicyId>,
    /// Within the policy's direction.
    pub(crate) index: usize,
    pub(crate) action: Action,
    pub(crate) mode: Mode,
    pub(crate) any_peer: bool,
    pub(crate) features: Vec<FeatureNumber>,
    pub(crate) has_domain_names: bool,
    /// Also of protocols without ports.
    pub(crate) all_ports: bool,
    pub(crate) ports: Vec<PortKey>,
    /// Egress only.
    pub(crate) names: Vec<PortName>,
}

/// A number that a port name stands for, and the features of those that serve it by the name.
pub(crate) type NamedPorts = BTreeMap<(Protocol, u16), Vec<FeatureNumber>>;

/// The classes that serve a named port, by the feature of serving it.
#[derive(Debug)]
pub(crate) struct Servers<'a> {
    ports: Vec<(&'a ContainerPort, FeatureNumber)>,
    classes: BTreeMap<FeatureNumber, Vec<&'a [FeatureNumber]>>,
}

/// The policies of a list that isolate: the first of each mode, those without rules before others.
pub(crate) fn isolating(
    program: &Program,
    list: &RuleList,
    modes: &Modes,
) -> Vec<(Mode, Arc<PolicyId>)> {
    let first = |mode| {
        let mut policies = program.isolating_policies(list);
        let policy = policies.find(|policy| modes.of(&policy.id) == mode)?;
        Some((mode, Arc::new(policy.id.clone())))
    };
    Mode::ALL.into_iter().filter_map(first).collect()
}

impl Sketch {
    /// `served`: the ports of the subject, on which names of ingress rules are looked up.
    pub(crate) fn new(
        program: &Program,
        list: &RuleList,
        served: &[ContainerPort],
        features: &Features,
        modes: &Modes,
    ) -> Self {
        let mut rules: Vec<SketchRule> = Vec::with_capacity(list.n_rules());
        for rule in program.listed_rules(list) {
            let same = rules.last().map(|last| &last.policy).filter(|id| ***id == rule.policy.id);
            let policy = same.map_or_else(|| Arc::new(rule.policy.id.clone()), Arc::clone);
            let mode = modes.of(&policy);
            let mut sketch = SketchRule::new(policy, mode, &rule, features);
            if list.direction() == Direction::Ingress {
                sketch.look_up_names(served);
            }
            rules.push(sketch);
        }
        Self {
            direction: list.direction(),
            rules,
            admin_end: list.admin_end(),
            baseline_start: list.baseline_start(),
            isolating: isolating(program, list, modes),
        }
    }

    /// What each rule's port names stand for on some destination that the rule admits.
    pub(crate) fn named_ports(&self, servers: &Servers<'_>) -> Vec<NamedPorts> {
        self.rules.iter().map(|rule| rule.named_ports(servers)).collect()
    }
}

/// The names of ports in a rule.
pub(crate) fn port_names(ports: &Ports) -> impl Iterator<Item = PortName> {
    let specs = match ports {
        Ports::All => &[],
        Ports::Listed(specs) => specs.as_slice(),
    };
    specs.iter().filter_map(|spec| match &spec.matches {
        PortMatch::Named { protocol, name } => {
            Some(PortName { protocol: *protocol, name: name.clone() })
        }
        PortMatch::Numbers { .. } => None,
    })
}

impl SketchRule {
    fn new(policy: Arc<PolicyId>, mode: Mode, rule: &ListedRule<'_>, features: &Features) -> Self {
        let mut ports = Vec::new();
        if let Ports::Listed(specs) = rule.ports {
            for spec in specs {
                if let PortMatch::Numbers { protocol, range } = spec.matches {
                    ports.push(PortKey { protocol, range });
                }
            }
        }
        Self {
            policy,
            index: rule.id.index(),
            action: rule.action,
            mode,
            any_peer: rule.any_peer,
            features: rule.terms.iter().filter_map(|term| features.of_term(*term)).collect(),
            has_domain_names: rule.has_domain_names,
            all_ports: *rule.ports == Ports::All,
            ports,
            names: port_names(rule.ports).collect(),
        }
    }

    fn look_up_names(&mut self, served: &[ContainerPort]) {
        let names = std::mem::take(&mut self.names);
        for port in served.iter().filter(|port| names.iter().any(|name| name.fits(port))) {
            let range = PortRange::single(port.port);
            self.ports.extend(range.map(|range| PortKey { protocol: port.protocol, range }));
        }
    }

    fn named_ports(&self, servers: &Servers<'_>) -> NamedPorts {
        let mut found = NamedPorts::new();
        for (port, feature) in &servers.ports {
            let is_listed = self
                .ports
                .iter()
                .any(|key| key.protocol == port.protocol && key.range.contains(port.port));
            let is_named = self.names.iter().any(|name| name.fits(port));
            if is_named && !is_listed && self.admits_one_of(servers.classes.get(feature)) {
                found.entry((port.protocol, port.port)).or_default().push(*feature);
            }
        }
        found
    }

    fn admits_one_of(&self, classes: Option<&Vec<&[FeatureNumber]>>) -> bool {
        let admits = |class: &[FeatureNumber]| {
            self.any_peer || self.features.iter().any(|feature| class.contains(feature))
        };
        classes.into_iter().flatten().any(|class| admits(class))
    }
}

impl<'a> Servers<'a> {
    pub(crate) fn new(
        features: &'a Features,
        classes: &'a Classes<FeatureNumber, AddressClass>,
    ) -> Self {
        let ports: Vec<_> = features.served().collect();
        let mut by_feature: BTreeMap<FeatureNumber, Vec<&[FeatureNumber]>> =
            ports.iter().map(|(_, feature)| (*feature, Vec::new())).collect();
        if !ports.is_empty() {
            for (key, _) in classes.iter() {
                for feature in key {
                    if let Some(serving) = by_feature.get_mut(feature) {
                        serving.push(key);
                    }
                }
            }
        }
        Self { ports, classes: by_feature }
    }
}
