//! What findings claim, checked on random worlds: a rule, peer or policy that is said to have no effect can
//! be removed, and no verdict on either side of any connection changes.

use finding_model::Finding;
use net_types::Protocol;
use policy_checks::{Settings, run};
use policy_engine::{Assumptions, End, PodId, Program, Semantics, Verdict};
use policy_model::{Direction, PeerMatch, Peers, Policy, PortMatch, Ports, Rule, Snapshot};
use policy_oracle::worlds::random;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

const N_WORLDS: u64 = 400;

/// Each code with how often it was checked.
type Checked = BTreeMap<&'static str, usize>;

#[test]
fn what_is_said_to_have_no_effect_can_be_removed() {
    let mut checked = Checked::new();
    for seed in 0..N_WORLDS {
        let snapshot = random(seed).snapshot;
        for semantics in Semantics::ALL {
            check_world(seed, &snapshot, semantics, &mut checked);
        }
    }
    for code in ["shadowed-rule", "duplicate-rule", "duplicate-policy", "unselected-policy"] {
        let n = checked.get(code).copied().unwrap_or_default();
        assert!(n >= 5, "{code} was found {n} times only: {checked:?}");
    }
}

fn check_world(seed: u64, snapshot: &Snapshot, semantics: Semantics, checked: &mut Checked) {
    let program = Program::compile(snapshot.clone(), Assumptions::new(semantics));
    let findings = run(&program, &Settings::default());
    let (ends, points) = (ends(snapshot), points(snapshot));
    let mut before = None;
    for finding in findings {
        let Some(changed) = without(snapshot, &finding) else { continue };
        *checked.entry(finding.code.0).or_default() += 1;
        let before = before.get_or_insert_with(|| answers(&program, &ends, &points));
        let after = Program::compile(changed, Assumptions::new(semantics));
        let after = answers(&after, &ends, &points);
        for (old, new) in before.iter().zip(&after) {
            assert_eq!(old, new, "seed {seed} {semantics}: {finding:#?}");
        }
    }
}

/// The snapshot without what the finding says has no effect.
fn without(snapshot: &Snapshot, finding: &Finding) -> Option<Snapshot> {
    let object = finding.object.as_deref()?;
    let id = snapshot.policies.keys().find(|id| id.to_string() == object)?.clone();
    let mut changed = snapshot.clone();
    match finding.code.0 {
        "shadowed-rule" | "duplicate-rule" => {
            let policy = changed.policies.get_mut(&id)?;
            let (direction, index) = rule_named(&finding.message)?;
            rules(policy, direction)?.remove(index);
        }
        "duplicate-policy" | "unselected-policy" => {
            changed.policies.remove(&id)?;
        }
        _ => return None,
    }
    Some(changed)
}

fn rules(policy: &mut Policy, direction: Direction) -> Option<&mut Vec<Rule>> {
    match direction {
        Direction::Ingress => policy.ingress.as_mut(),
        Direction::Egress => policy.egress.as_mut(),
    }
}

/// `egress[1] …`.
fn rule_named(message: &str) -> Option<(Direction, usize)> {
    let (name, rest) = message.split_once('[')?;
    let direction = Direction::BOTH.into_iter().find(|direction| direction.to_string() == name)?;
    Some((direction, rest.split_once(']')?.0.parse().ok()?))
}

fn ends(snapshot: &Snapshot) -> Vec<End> {
    let pods = (0..snapshot.pods.len()).map(|index| End::Pod(PodId::from_index(index)));
    let mut addresses: BTreeSet<IpAddr> = ["203.0.113.9", "2001:db8::9"]
        .into_iter()
        .filter_map(|address| address.parse().ok())
        .collect();
    for rule in all_rules(snapshot) {
        let Peers::Listed(peers) = &rule.peers else { continue };
        for peer in peers {
            if let PeerMatch::Networks(networks) = &peer.matches {
                for network in networks {
                    let nets = std::iter::once(&network.block).chain(&network.except);
                    addresses.extend(nets.flat_map(|net| [net.network(), net.broadcast()]));
                }
            }
        }
    }
    addresses.extend(snapshot.nodes.values().flat_map(|node| node.addresses.iter().copied()));
    pods.chain(addresses.into_iter().map(End::Address)).collect()
}

fn points(snapshot: &Snapshot) -> Vec<(Protocol, u16)> {
    let mut points = BTreeSet::from([(Protocol::Tcp, 1), (Protocol::Other(1), 0)]);
    for rule in all_rules(snapshot) {
        let Ports::Listed(specs) = &rule.ports else { continue };
        for spec in specs {
            if let PortMatch::Numbers { protocol, range } = &spec.matches {
                points.extend([(*protocol, range.first()), (*protocol, range.last())]);
            }
        }
    }
    let served = snapshot.pods.iter().flat_map(|pod| &pod.ports);
    points.extend(served.map(|port| (port.protocol, port.port)));
    points.into_iter().collect()
}

fn all_rules(snapshot: &Snapshot) -> impl Iterator<Item = &Rule> {
    let policies = snapshot.policies.values();
    policies.flat_map(|p| Direction::BOTH.into_iter().flat_map(|d| p.rules(d).unwrap_or_default()))
}

/// A connection, and the verdicts on it and on both its sides.
type Answer<'e> = (&'e End, &'e End, (Protocol, u16), [Verdict; 3]);

fn answers<'e>(program: &Program, ends: &'e [End], points: &[(Protocol, u16)]) -> Vec<Answer<'e>> {
    let mut answers = Vec::with_capacity(ends.len() * ends.len() * points.len());
    for from in ends {
        for to in ends {
            answers.extend(points.iter().map(|point| {
                let decision = program.decide(from, to, point.0, point.1);
                let sides = [decision.egress.verdict, decision.ingress.verdict];
                (from, to, *point, [decision.verdict, sides[0], sides[1]])
            }));
        }
    }
    answers
}
