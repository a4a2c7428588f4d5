//! What a kernel that answers as the tables do would report is attributed to the rule, or the policies,
//! that the engine names: for random worlds, both sides, and every packet between known addresses.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a pod without tables is a broken test"
)]

use finding_model::SourceFiles;
use flow_attribution::{Attribution, Epoch};
use flow_model::{
    Counters, Decider, Flow, FlowVerdict, Identity, PodWord, Report, SightedVerdicts, Sighting,
    Timestamp, Trace,
};
use net_types::{Family, Protocol};
use policy_engine::{Assumptions, Cause, End, PodId, Program, Semantics, Verdict};
use policy_model::{Direction, PeerMatch, Peers, PolicyId, RuleRef, Snapshot};
use policy_oracle::worlds::{Contents, addresses, snapshots};
use policy_tables::{LocalPod, Mode, Modes, ProfileId, ProfileTable, Tables};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

const PORTS: [u16; 4] = [53, 80, 81, 8080];
const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Other(1)];

const GENERATION: u32 = 70;

/// The kernel counts profiles by itself, and has another number for nearly each.
fn kernel_number(profile: ProfileId) -> u32 {
    if profile == ProfileId::DENY_EVERYTHING { 1 } else { 3000 - u32::from(profile.0) }
}

fn kernel_profiles(tables: &Tables) -> BTreeMap<u32, Arc<ProfileTable>> {
    let profiles = tables.profiles().iter();
    profiles.map(|(id, table)| (kernel_number(*id), Arc::clone(table))).collect()
}

fn word(tables: &Tables, pod: PodId) -> PodWord {
    let profiles = tables.pods()[&pod];
    PodWord {
        generation: GENERATION,
        ingress: kernel_number(profiles.ingress),
        egress: kernel_number(profiles.egress),
        keeps_established: false,
    }
}

/// Each pod with an interface of its own gets an address that no other has.
fn with_addresses(mut snapshot: Snapshot) -> Snapshot {
    for (slot, pod) in (1_u8..).zip(&mut snapshot.pods) {
        if !pod.host_network {
            pod.addresses = vec![IpAddr::from([10, 9, 9, slot])];
        }
    }
    snapshot
}

struct World {
    program: Arc<Program>,
    tables: Tables,
    modes: Modes,
    attribution: Attribution,
}

fn ids(mentions: &[flow_model::PolicyMention]) -> Vec<PolicyId> {
    mentions.iter().map(|mention| mention.policy.clone()).collect()
}

impl World {
    fn new(snapshot: Snapshot, modes: Modes) -> Self {
        let program = Arc::new(Program::compile(snapshot, Assumptions::new(Semantics::Upstream)));
        let pods = program.pods().filter(|(_, pod)| !pod.host_network).map(|(id, _)| id);
        let pods: Vec<PodId> = pods.collect();
        let locals: Vec<LocalPod> = pods.iter().map(|pod| LocalPod { pod: *pod }).collect();
        let tables = Tables::build(&program, &locals, &modes, None);
        let first = Epoch {
            number: 7,
            since: Timestamp(0),
            program: Arc::clone(&program),
            modes: modes.clone(),
            files: Arc::new(SourceFiles::default()),
            words: (100..).zip(&pods).map(|(number, pod)| (number, word(&tables, *pod))).collect(),
            profiles: kernel_profiles(&tables),
            pods: (100..).zip(pods).collect(),
        };
        let most = NonZeroUsize::MIN;
        let attribution = Attribution::new("node".into(), first, most);
        Self { program, tables, modes, attribution }
    }

    fn number(&self, pod: PodId) -> u32 {
        (100..).zip(self.tables.pods().keys()).find(|(_, id)| **id == pod).unwrap().0
    }

    /// What the kernel reports of a packet that opens a connection.
    fn sighting(&self, number: u32, pod: PodId, packet: Packet) -> Sighting {
        let Packet { side, local, remote, protocol, port } = packet;
        let profiles = self.tables.pods()[&pod];
        let profile = match side {
            Direction::Ingress => profiles.ingress,
            Direction::Egress => profiles.egress,
        };
        let found = self.tables.evaluate(profile, remote, protocol, port).unwrap();
        let bit = |rule: Option<usize>| rule.map(|rule| u16::try_from(rule).unwrap());
        let denied = !found.enforced.allow;
        let (local_port, remote_port) = match side {
            Direction::Ingress => (port, 40_000),
            Direction::Egress => (40_000, port),
        };
        Sighting {
            time: Timestamp(5),
            report: if denied { Report::Denied } else { Report::Opened },
            pod: number,
            side,
            local,
            remote,
            local_port,
            remote_port,
            protocol,
            icmp: None,
            backend: None,
            profile: kernel_number(profile),
            verdicts: Some(SightedVerdicts {
                denied,
                rule: bit(found.enforced.rule),
                observed_denied: !found.observed.allow,
                observed_rule: bit(found.observed.rule),
                staged_denied: !found.staged.allow,
                staged_rule: bit(found.staged.rule),
            }),
            vector: found.vector,
            dropped: denied,
            opened: None,
            counters: Counters::default(),
            count: 1,
            generation: GENERATION,
            lost_before: 0,
        }
    }

    /// The NetworkPolicies of a mode that isolate the pod; those without rules first, each in their order.
    fn isolating(&self, pod: PodId, side: Direction, mode: Mode) -> Vec<PolicyId> {
        let all = self.program.policies_of(pod, side).into_iter();
        let mut isolating: Vec<_> = all
            .filter(|policy| {
                policy.tier == policy_model::Tier::NetworkPolicy
                    && self.modes.of(&policy.id) == mode
            })
            .filter_map(|policy| Some((!policy.rules(side)?.is_empty(), policy.id.clone())))
            .collect();
        isolating.sort();
        isolating.into_iter().map(|(_, id)| id).collect()
    }

    fn has_domain_names(&self, rule: &RuleRef) -> bool {
        let rule = self.program.rule(self.program.rule_id(rule).unwrap()).unwrap();
        match &rule.peers {
            Peers::Any => false,
            Peers::Listed(peers) => {
                peers.iter().any(|peer| matches!(peer.matches, PeerMatch::DomainNames(_)))
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    side: Direction,
    local: IpAddr,
    remote: IpAddr,
    protocol: Protocol,
    port: u16,
}

/// Compares with the engine, and returns what it compared: nothing where the API leaves the answer open.
fn compare(
    world: &mut World,
    pod: PodId,
    packet: Packet,
    flow: &Flow,
) -> Result<Option<Cause>, TestCaseError> {
    let program = Arc::clone(&world.program);
    let remote = program.end_at(packet.remote).unwrap_or(End::Address(packet.remote));
    let (from, to) = match packet.side {
        Direction::Egress => (End::Pod(pod), remote),
        Direction::Ingress => (remote, End::Pod(pod)),
    };
    let decision = program.decide(&from, &to, packet.protocol, packet.port);
    let side = decision.side(packet.side);
    let matching = program.matching_rules(packet.side, (&from, &to), packet.protocol, packet.port);
    let matching: BTreeSet<RuleRef> =
        matching.into_iter().map(|rule| program.rule_ref(rule).unwrap()).collect();
    let expected = match side.verdict {
        Verdict::Allow => FlowVerdict::Allow,
        Verdict::Deny => FlowVerdict::Deny,
        Verdict::Undefined => return Ok(None),
    };
    // The kernel takes one reading of names, and of pods on the host network.
    if matching.iter().any(|rule| world.has_domain_names(rule)) {
        return Ok(None);
    }
    let trace = flow.decision.as_ref().unwrap();
    if matches!(side.cause, Cause::OwnNode | Cause::SelfTraffic) {
        return exempt(world, (pod, packet), side.cause);
    }
    prop_assert_eq!(trace.verdict, expected, "{:?}", packet);
    match side.cause {
        Cause::Rule(rule) => {
            let rule = program.rule_ref(rule).unwrap();
            let Decider::Rule(mention) = &trace.decider else {
                return Err(TestCaseError::fail(format!("{packet:?} {:?}", trace.decider)));
            };
            prop_assert_eq!(&mention.rule, &rule, "{:?}", packet);
            prop_assert!(flow.matched.contains(mention));
        }
        Cause::Isolation(_) => {
            let policies = world.isolating(pod, packet.side, Mode::Enforce);
            let first = &program.deciding_policy(side.cause).unwrap().id;
            prop_assert_eq!(policies.first(), Some(first));
            let Decider::DefaultDeny(mentions) = &trace.decider else {
                return Err(TestCaseError::fail(format!("{packet:?} {:?}", trace.decider)));
            };
            prop_assert_eq!(ids(mentions), policies);
        }
        Cause::NoPolicy => prop_assert_eq!(&trace.decider, &Decider::NoPolicy, "{:?}", packet),
        Cause::NotAPod | Cause::OwnNode | Cause::SelfTraffic => {
            return Err(TestCaseError::fail(format!("{packet:?} {side:?}")));
        }
    }
    let set: BTreeSet<RuleRef> = flow.matched.iter().map(|mention| mention.rule.clone()).collect();
    prop_assert_eq!(flow.matched.len(), set.len(), "a rule is named twice");
    prop_assert_eq!(set, matching, "{:?}", packet);
    Ok(Some(side.cause))
}

/// The kernel asks no profile about these.
fn exempt(
    world: &mut World,
    (pod, packet): (PodId, Packet),
    cause: Cause,
) -> Result<Option<Cause>, TestCaseError> {
    let number = world.number(pod);
    let sighting = Sighting {
        profile: 0,
        verdicts: None,
        vector: Vec::new(),
        report: Report::Opened,
        ..world.sighting(number, pod, packet)
    };
    let flow = world.attribution.attribute(&sighting);
    let decider = if cause == Cause::OwnNode { Decider::OwnNode } else { Decider::SelfTraffic };
    let expected = Trace { verdict: FlowVerdict::Allow, decider };
    prop_assert_eq!(flow.decision, Some(expected), "{:?}", packet);
    prop_assert_eq!(flow.epoch, None);
    Ok(Some(cause))
}

fn packets(world: &World, pod: PodId) -> Vec<Packet> {
    let local = world.program.pod(pod).unwrap().addresses[0];
    let pods = world.program.pods().flat_map(|(_, pod)| pod.addresses.clone());
    let nodes = world.program.nodes().flat_map(|node| node.addresses.clone());
    let all: BTreeSet<IpAddr> = pods.chain(nodes).chain(addresses()).collect();
    let mut packets = Vec::new();
    for remote in all {
        if Family::of(remote) != Family::of(local) || remote == local {
            continue;
        }
        for side in Direction::BOTH {
            for protocol in PROTOCOLS {
                let ports = if protocol.has_ports() { &PORTS[..] } else { &[0] };
                packets.extend(ports.iter().map(|port| Packet {
                    side,
                    local,
                    remote,
                    protocol,
                    port: *port,
                }));
            }
        }
    }
    packets
}

/// How many flows were by a rule, by a default deny, by no policy, and asked none.
fn check(snapshot: Snapshot, modes: Modes) -> Result<[usize; 4], TestCaseError> {
    let mut world = World::new(with_addresses(snapshot), modes);
    let mut compared = [0; 4];
    let locals: Vec<PodId> = world.tables.pods().keys().copied().collect();
    for (number, pod) in (100..).zip(locals) {
        for packet in packets(&world, pod) {
            let on_host = world
                .program
                .pods()
                .any(|(_, pod)| pod.host_network && pod.addresses.contains(&packet.remote));
            if on_host {
                continue;
            }
            let sighting = world.sighting(number, pod, packet);
            let flow = world.attribution.attribute(&sighting);
            let end = match packet.side {
                Direction::Egress => &flow.source,
                Direction::Ingress => &flow.destination,
            };
            let Identity::Pod(identity) = &end.identity else {
                return Err(TestCaseError::fail(format!("{end:?}")));
            };
            let object = world.program.pod(pod).unwrap();
            prop_assert_eq!(
                (identity.namespace(), &identity.name),
                (object.namespace.as_str(), &object.name)
            );
            prop_assert_eq!(flow.epoch, Some(7));
            match compare(&mut world, pod, packet, &flow)? {
                Some(Cause::Rule(_)) => compared[0] += 1,
                Some(Cause::Isolation(_)) => compared[1] += 1,
                Some(Cause::NoPolicy) => compared[2] += 1,
                Some(_) => compared[3] += 1,
                None => {}
            }
        }
    }
    Ok(compared)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_flow_names_what_the_engine_names(snapshot in snapshots(Contents::Everything)) {
        check(snapshot, Modes::default())?;
    }

    #[test]
    fn policies_of_other_modes_have_traces_of_their_own(
        snapshot in snapshots(Contents::Everything),
        pick in any::<u64>(),
    ) {
        let modes = snapshot.policies.keys().enumerate();
        let modes: Modes = modes
            .map(|(index, id)| (id.clone(), Mode::ALL[(pick >> (2 * (index % 32)) & 3) as usize % 3]))
            .collect();
        let mut world = World::new(with_addresses(snapshot), modes);
        let locals: Vec<PodId> = world.tables.pods().keys().copied().collect();
        for (number, pod) in (100..).zip(locals) {
            for packet in packets(&world, pod) {
                let sighting = world.sighting(number, pod, packet);
                let flow = world.attribution.attribute(&sighting);
                let verdicts = sighting.verdicts.unwrap();
                for (trace, denied, mode) in [
                    (&flow.observed, verdicts.observed_denied, Mode::Observe),
                    (&flow.staged, verdicts.staged_denied, Mode::Staged),
                ] {
                    let policies = world.program.policies_of(pod, packet.side);
                    let has = policies.iter().any(|policy| world.modes.of(&policy.id) == mode);
                    prop_assert_eq!(trace.is_some(), has, "{:?} {:?}", packet, mode);
                    let Some(trace) = trace else { continue };
                    prop_assert_eq!(trace.verdict == FlowVerdict::Deny, denied);
                    if let Decider::DefaultDeny(policies) = &trace.decider {
                        let of = world.modes.of(&policies[0].policy);
                        prop_assert_eq!(ids(policies), world.isolating(pod, packet.side, of));
                    }
                }
            }
        }
    }
}

/// The property would hold of worlds in which nothing happens.
#[test]
fn worlds_have_every_way_to_a_verdict() {
    let mut compared = [0; 4];
    for seed in 0..40 {
        let counts = check(policy_oracle::worlds::random(seed).snapshot, Modes::default()).unwrap();
        compared.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
    }
    assert!(compared.iter().all(|count| *count > 200), "{compared:?}");
}
