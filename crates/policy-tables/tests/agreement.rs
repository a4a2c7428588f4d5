//! The tables, the engine and the naive oracle agree on random worlds: verdict, deciding rule and
//! every matching rule, for each mode of policies.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a table without what it names is a broken test"
)]

mod support;

use net_types::{Family, Protocol};
use policy_engine::{Assumptions, Cause, End, PodId, Program, Semantics, Verdict};
use policy_model::{Direction, PeerMatch, Peers, PolicyId, RuleRef, Snapshot};
use policy_oracle::worlds::{Contents, snapshots};
use policy_tables::{Mode, Modes, Outcome, ProfileTable, RuleOrigin, Tables};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;
use support::{PORTS, PROTOCOLS, locals, peers, with_addresses};

const PROFILES: [(Semantics, policy_oracle::Profile); 2] = [
    (Semantics::Upstream, policy_oracle::Profile::Upstream),
    (Semantics::Cilium, policy_oracle::Profile::Cilium),
];

/// The policies of some modes, and pods with their addresses of one family: a packet has one.
struct View {
    snapshot: Snapshot,
    program: Program,
}

impl View {
    fn new(
        snapshot: &Snapshot,
        semantics: Semantics,
        family: Family,
        modes: (&Modes, Mode),
    ) -> Self {
        let mut snapshot = snapshot.clone();
        snapshot.policies.retain(|id, _| modes.0.of(id) <= modes.1);
        for pod in &mut snapshot.pods {
            pod.addresses.retain(|address| Family::of(*address) == family);
        }
        let program = Program::compile(snapshot.clone(), Assumptions::new(semantics));
        Self { snapshot, program }
    }
}

/// One packet at one side of a local pod.
#[derive(Clone, Copy, Debug)]
struct Packet {
    pod: PodId,
    direction: Direction,
    peer: IpAddr,
    protocol: Protocol,
    port: u16,
}

impl Packet {
    fn ends(self, program: &Program) -> (End, End) {
        let peer = host_pod_at(program, self.peer).map_or(End::Address(self.peer), End::Pod);
        match self.direction {
            Direction::Egress => (End::Pod(self.pod), peer),
            Direction::Ingress => (peer, End::Pod(self.pod)),
        }
    }
}

/// The pod on the host network that has the address, where no node and no other pod has it.
fn host_pod_at(program: &Program, address: IpAddr) -> Option<PodId> {
    if program.node_at(address).is_some() || program.end_at(address) != Ok(End::Address(address)) {
        return None;
    }
    let mut pods = program.pods().filter(|(_, pod)| pod.host_network);
    pods.find(|(_, pod)| pod.addresses.contains(&address)).map(|(id, _)| id)
}

fn has_domain_names(program: &Program, rule: &RuleRef) -> bool {
    let rule = program.rule(program.rule_id(rule).unwrap()).unwrap();
    match &rule.peers {
        Peers::Any => false,
        Peers::Listed(peers) => {
            peers.iter().any(|peer| matches!(peer.matches, PeerMatch::DomainNames(_)))
        }
    }
}

/// Whether another reading than the kernel's may add rules.
fn has_readings(view: &View, packet: Packet, rules: &BTreeSet<RuleRef>) -> bool {
    host_pod_at(&view.program, packet.peer).is_some()
        || rules.iter().any(|rule| has_domain_names(&view.program, rule))
}

fn matching(view: &View, packet: Packet) -> BTreeSet<RuleRef> {
    let (from, to) = packet.ends(&view.program);
    let rules =
        view.program.matching_rules(packet.direction, (&from, &to), packet.protocol, packet.port);
    rules.into_iter().map(|rule| view.program.rule_ref(rule).unwrap()).collect()
}

/// Compares one verdict, and returns whether the engine had one.
fn check_outcome(
    view: &View,
    packet: Packet,
    mode: Mode,
    outcome: Outcome,
    table: &ProfileTable,
) -> Result<bool, TestCaseError> {
    let (from, to) = packet.ends(&view.program);
    let decision = view.program.decide(&from, &to, packet.protocol, packet.port);
    let side = decision.side(packet.direction);
    let expected = match side.verdict {
        Verdict::Allow => true,
        Verdict::Deny => false,
        Verdict::Undefined => return Ok(false),
    };
    prop_assert_eq!(outcome.allow, expected, "{:?} {:?} {:?}", packet, mode, side);
    if has_readings(view, packet, &matching(view, packet)) {
        return Ok(true);
    }
    let origin = outcome.rule.map(|bit| &table.rules()[bit]);
    match side.cause {
        Cause::Rule(rule) => {
            let rule = view.program.rule_ref(rule);
            prop_assert_eq!(origin.and_then(RuleOrigin::rule), rule, "{:?} {:?}", packet, mode);
        }
        Cause::Isolation(_) => {
            let policy = view.program.deciding_policy(side.cause).map(|policy| policy.id.clone());
            let Some(RuleOrigin::DefaultDeny { policy: found, .. }) = origin else {
                return Err(TestCaseError::fail(format!("{packet:?} {origin:?}")));
            };
            let found: PolicyId = found.as_ref().clone();
            if mode == Mode::Enforce {
                prop_assert_eq!(Some(found), policy, "{:?}", packet);
            } else {
                prop_assert!(view.snapshot.policies.contains_key(&found));
            }
        }
        Cause::NoPolicy => prop_assert_eq!(outcome.rule, None, "{:?}", packet),
        Cause::NotAPod | Cause::OwnNode | Cause::SelfTraffic => {
            return Err(TestCaseError::fail(format!("{packet:?} {side:?}")));
        }
    }
    Ok(true)
}

fn check_vector(view: &View, packet: Packet, bits: BTreeSet<RuleRef>) -> Result<(), TestCaseError> {
    let expected = matching(view, packet);
    if !has_readings(view, packet, &expected) {
        prop_assert_eq!(bits, expected, "{:?}", packet);
        return Ok(());
    }
    prop_assert!(bits.is_subset(&expected), "{:?} {:?} {:?}", packet, bits, expected);
    if host_pod_at(&view.program, packet.peer).is_none() {
        let missing = expected.difference(&bits);
        let mut missing = missing.filter(|rule| !has_domain_names(&view.program, rule));
        prop_assert_eq!(missing.next(), None, "{:?}", packet);
    }
    Ok(())
}

fn by_oracle(
    view: &View,
    packet: Packet,
    profile: policy_oracle::Profile,
) -> policy_oracle::Verdict {
    let assumptions = policy_oracle::Assumptions { profile, ..Default::default() };
    let end = |end: End| match end {
        End::Pod(id) => policy_oracle::End::Pod(&view.snapshot.pods[id.index()]),
        End::Address(address) => policy_oracle::End::Address(address),
        End::Name(_) => unreachable!("packets have addresses"),
    };
    let (from, to) = packet.ends(&view.program);
    let (protocol, port) = (packet.protocol, packet.port);
    let question = policy_oracle::Question { from: end(from), to: end(to), protocol, port };
    policy_oracle::evaluate_side(&view.snapshot, &assumptions, &question, packet.direction)
}

/// Packets of the node to its own pods are let through before any profile is asked.
fn is_exempt(view: &View, packet: Packet) -> bool {
    let (from, to) = packet.ends(&view.program);
    let decision = view.program.decide(&from, &to, packet.protocol, packet.port);
    matches!(decision.side(packet.direction).cause, Cause::OwnNode | Cause::SelfTraffic)
}

struct Checked<'a> {
    tables: &'a Tables,
    views: [View; 3],
    profile: policy_oracle::Profile,
    n_packets: usize,
    n_decided: usize,
}

impl Checked<'_> {
    fn packet(&mut self, packet: Packet) -> Result<(), TestCaseError> {
        let [enforced, _, all] = &self.views;
        if is_exempt(all, packet) || is_exempt(enforced, packet) {
            return Ok(());
        }
        let pod = self.tables.pods()[&packet.pod];
        let id = match packet.direction {
            Direction::Ingress => pod.ingress,
            Direction::Egress => pod.egress,
        };
        let table = &self.tables.profiles()[&id];
        let found = self.tables.evaluate(id, packet.peer, packet.protocol, packet.port).unwrap();
        let outcomes = [found.enforced, found.observed, found.staged];
        for ((view, mode), outcome) in self.views.iter().zip(Mode::ALL).zip(outcomes) {
            let decided = check_outcome(view, packet, mode, outcome, table)?;
            self.n_decided += usize::from(decided);
        }
        let bits = found.matching().filter_map(|bit| table.rules()[bit].rule()).collect();
        check_vector(all, packet, bits)?;
        self.n_packets += 1;
        if self.n_packets.is_multiple_of(13) {
            let expected = match by_oracle(enforced, packet, self.profile) {
                policy_oracle::Verdict::Allow => true,
                policy_oracle::Verdict::Deny => false,
                policy_oracle::Verdict::Undefined => return Ok(()),
            };
            prop_assert_eq!(found.enforced.allow, expected, "oracle {:?}", packet);
        }
        Ok(())
    }
}

fn agree(snapshot: &Snapshot, modes: &Modes) -> Result<(usize, usize), TestCaseError> {
    let mut n = (0, 0);
    for (semantics, profile) in PROFILES {
        let program = Program::compile(snapshot.clone(), Assumptions::new(semantics));
        let tables = Tables::build(&program, &locals(&program), modes, None);
        for family in [Family::V4, Family::V6] {
            let views = Mode::ALL.map(|mode| View::new(snapshot, semantics, family, (modes, mode)));
            let mut checked =
                Checked { tables: &tables, views, profile, n_packets: 0, n_decided: 0 };
            for packet in packets(&program, family) {
                checked.packet(packet)?;
            }
            n = (n.0 + checked.n_packets, n.1 + checked.n_decided);
        }
    }
    Ok(n)
}

fn packets(program: &Program, family: Family) -> Vec<Packet> {
    let mut packets = Vec::new();
    for (pod, object) in program.pods().filter(|(_, pod)| !pod.host_network) {
        if !object.addresses.iter().any(|address| Family::of(*address) == family) {
            continue;
        }
        let others = peers(program)
            .into_iter()
            .filter(|peer| Family::of(*peer) == family && !object.addresses.contains(peer));
        for peer in others {
            for direction in Direction::BOTH {
                for protocol in PROTOCOLS {
                    let ports = if protocol.has_ports() { &PORTS[..] } else { &[0] };
                    packets.extend(ports.iter().map(|port| Packet {
                        pod,
                        direction,
                        peer,
                        protocol,
                        port: *port,
                    }));
                }
            }
        }
    }
    packets
}

fn modes_of(snapshot: &Snapshot, picked: &[Mode]) -> Modes {
    let picked = picked.iter().copied().chain(std::iter::repeat(Mode::Enforce));
    snapshot.policies.keys().cloned().zip(picked).collect()
}

fn modes() -> impl Strategy<Value = Vec<Mode>> {
    let mode = prop_oneof![
        3 => Just(Mode::Enforce),
        1 => Just(Mode::Observe),
        1 => Just(Mode::Staged)
    ];
    proptest::collection::vec(mode, 0..=9)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("WEIR_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60), failure_persistence: None, ..Default::default() })]

    #[test]
    fn tables_engine_and_oracle_agree(
        snapshot in snapshots(Contents::Everything),
        picked in modes(),
    ) {
        let snapshot = with_addresses(snapshot);
        agree(&snapshot, &modes_of(&snapshot, &picked))?;
    }
}

#[test]
fn most_packets_of_random_worlds_have_one_answer() {
    let mut n = (0, 0);
    for seed in 0..20 {
        let snapshot = with_addresses(policy_oracle::worlds::random(seed).snapshot);
        let (packets, decided) = agree(&snapshot, &Modes::default()).unwrap();
        n = (n.0 + packets, n.1 + decided);
    }
    assert!(n.0 > 20_000 && n.1 > 3 * n.0 / 2, "{n:?}");
}
