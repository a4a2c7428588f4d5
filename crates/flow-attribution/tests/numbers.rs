//! A kernel that uses its numbers again at once: a report names the rule that decided, or says that it is
//! not known, and never names another.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a pod without tables is a broken test"
)]

use finding_model::SourceFiles;
use flow_attribution::{Attribution, Epoch};
use flow_model::{
    Counters, Decider, PodWord, Report, SightedVerdicts, Sighting, TableBit, Timestamp,
};
use net_types::Protocol;
use policy_engine::{Assumptions, PodId, Program};
use policy_model::{Direction, Snapshot};
use policy_oracle::worlds::{Contents, snapshots};
use policy_tables::{LocalPod, Modes, ProfileId, ProfileTable, RuleOrigin, Tables};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The first number that pods have here.
const FIRST_POD: u32 = 40;
const KEPT: usize = 3;

/// What holds in the kernel, and what it gave numbers to. A number is free once no word names it.
#[derive(Default)]
struct Kernel {
    words: BTreeMap<u32, PodWord>,
    profiles: BTreeMap<u32, Arc<ProfileTable>>,
}

impl Kernel {
    fn write(&mut self, tables: &Tables, pods: &BTreeMap<u32, PodId>) {
        let mut written: BTreeMap<u32, Arc<ProfileTable>> = BTreeMap::new();
        let mut numbers: BTreeMap<ProfileId, u32> = BTreeMap::new();
        for (id, table) in tables.profiles() {
            let same = |known: &ProfileTable| {
                known.rules() == table.rules() && known.words() == table.words()
            };
            let known = self.profiles.iter().find(|(_, known)| same(known));
            let taken =
                |number: &u32| self.profiles.contains_key(number) || written.contains_key(number);
            let number = match (*id, known) {
                (ProfileId::DENY_EVERYTHING, _) => 1,
                (_, Some((number, _))) => *number,
                (_, None) => (2..).find(|number| !taken(number)).unwrap(),
            };
            written.insert(number, Arc::clone(table));
            numbers.insert(*id, number);
        }
        for (pod, id) in pods {
            let of_pod = tables.pods()[id];
            let (ingress, egress) = (numbers[&of_pod.ingress], numbers[&of_pod.egress]);
            let old = self.words.get(pod).copied();
            let generation = old.map_or(0, |old| old.generation);
            let keeps_established = keeps(*pod);
            let same = PodWord { generation, ingress, egress, keeps_established };
            if old != Some(same) {
                self.words.insert(*pod, PodWord { generation: generation + 1, ..same });
            }
        }
        self.profiles = written;
    }
}

/// Every other pod keeps its connections through changes.
fn keeps(pod: u32) -> bool {
    pod.is_multiple_of(2)
}

/// A connection, with what the kernel remembers of its decision and what that was.
struct Connection {
    sighting: Sighting,
    epoch: usize,
    origin: RuleOrigin,
}

/// One rule of each profile lets a connection in; each is reported while later policies hold.
fn open(kernel: &Kernel, at: usize) -> Vec<Connection> {
    let mut opened = Vec::new();
    for (pod, word) in &kernel.words {
        for side in Direction::BOTH {
            let profile = word.profile(side);
            let rules = kernel.profiles[&profile].rules();
            opened.extend(rules.iter().zip(0..).map(|(origin, bit)| Connection {
                sighting: sighting(*pod, side, (profile, bit), *word, at),
                epoch: at,
                origin: origin.clone(),
            }));
        }
    }
    opened
}

fn sighting(
    pod: u32,
    side: Direction,
    (profile, bit): (u32, u16),
    word: PodWord,
    at: usize,
) -> Sighting {
    let verdicts = SightedVerdicts {
        denied: false,
        rule: Some(bit),
        observed_denied: false,
        observed_rule: Some(bit),
        staged_denied: false,
        staged_rule: Some(bit),
    };
    Sighting {
        time: time(at),
        report: Report::Opened,
        pod,
        side,
        local: IpAddr::from([10, 9, 9, 1]),
        remote: IpAddr::from([8, 8, 8, 8]),
        local_port: 1,
        remote_port: 2,
        protocol: Protocol::Tcp,
        icmp: None,
        backend: None,
        profile,
        vector: Vec::new(),
        verdicts: Some(verdicts),
        dropped: false,
        opened: Some(time(at)),
        counters: Counters::default(),
        count: 1,
        generation: word.generation,
        lost_before: 0,
    }
}

/// A little after the epoch came into force.
fn time(at: usize) -> Timestamp {
    Timestamp(at as u64 * 100 + 150)
}

/// How many were named, and how many were not.
#[derive(Debug, Default)]
struct Found {
    named: usize,
    unknown: usize,
    kept_and_named: usize,
    kept_and_unknown: usize,
    reused: usize,
}

fn check_one(
    attribution: &mut Attribution,
    connection: &Connection,
    now: usize,
    kept: Option<u32>,
) -> Result<bool, TestCaseError> {
    let mut sighting = connection.sighting.clone();
    sighting.time = time(now);
    sighting.report = if now > connection.epoch { Report::Active } else { Report::Opened };
    sighting.generation = kept.unwrap_or(sighting.generation);
    let bit = sighting.verdicts.unwrap().rule.unwrap();
    let flow = attribution.attribute(&sighting);
    match flow.decision.unwrap().decider {
        Decider::Rule(mention) => {
            prop_assert_eq!(connection.origin.rule(), Some(mention.rule.clone()));
        }
        Decider::DefaultDeny(policies) => {
            let RuleOrigin::DefaultDeny { policy, .. } = &connection.origin else {
                return Err(TestCaseError::fail(format!("{:?}", connection.origin)));
            };
            prop_assert_eq!(&policies[0].policy, policy.as_ref());
        }
        Decider::DenyEverything => {
            prop_assert_eq!(&connection.origin, &RuleOrigin::DenyEverything);
        }
        Decider::Unknown(gone) => {
            prop_assert_eq!(gone, Some(TableBit { profile: sighting.profile, bit }));
            return Ok(false);
        }
        other @ (Decider::NoPolicy
        | Decider::OwnNode
        | Decider::SelfTraffic
        | Decider::NoPolicyYet
        | Decider::Policies(_)) => return Err(TestCaseError::fail(format!("{other:?}"))),
    }
    Ok(true)
}

fn check(snapshot: &Snapshot, masks: &[u16]) -> Result<Found, TestCaseError> {
    let mut found = Found::default();
    let mut kernel = Kernel::default();
    let mut connections: Vec<Connection> = Vec::new();
    let mut attribution: Option<Attribution> = None;
    let mut previous: Option<Tables> = None;
    let mut meanings: BTreeMap<u32, BTreeSet<Vec<RuleOrigin>>> = BTreeMap::new();
    for (now, mask) in masks.iter().enumerate() {
        let mut snapshot = snapshot.clone();
        let mut kept = (0..16).map(|bit| mask >> bit & 1 == 1).cycle();
        snapshot.policies.retain(|_, _| kept.next() == Some(true));
        let program = Program::compile(snapshot, Assumptions::default());
        let locals = program.pods().filter(|(_, pod)| !pod.host_network);
        let locals: Vec<LocalPod> = locals.map(|(pod, _)| LocalPod { pod }).collect();
        let tables = Tables::build(&program, &locals, &Modes::default(), previous.as_ref());
        let pods: BTreeMap<u32, PodId> =
            (FIRST_POD..).zip(locals.iter().map(|local| local.pod)).collect();
        kernel.write(&tables, &pods);
        let epoch = Epoch {
            number: now as u64,
            since: Timestamp(now as u64 * 100 + 100),
            program: Arc::new(program),
            modes: Modes::default(),
            files: Arc::new(SourceFiles::default()),
            pods,
            words: kernel.words.clone(),
            profiles: kernel.profiles.clone(),
        };
        match &mut attribution {
            Some(attribution) => attribution.install(epoch),
            None => {
                let most = NonZeroUsize::new(KEPT).unwrap();
                attribution = Some(Attribution::new("node".into(), epoch, most));
            }
        }
        let attribution = attribution.as_mut().unwrap();
        for (number, table) in &kernel.profiles {
            meanings.entry(*number).or_default().insert(table.rules().to_vec());
        }
        connections.extend(open(&kernel, now));
        for connection in &connections {
            let is_named = check_one(attribution, connection, now, None)?;
            prop_assert!(is_named || now >= connection.epoch + KEPT, "its epoch is kept");
            *(if is_named { &mut found.named } else { &mut found.unknown }) += 1;
            let generation = kernel.words[&connection.sighting.pod].generation;
            if keeps(connection.sighting.pod) && generation != connection.sighting.generation {
                let is_named = check_one(attribution, connection, now, Some(generation))?;
                *(if is_named {
                    &mut found.kept_and_named
                } else {
                    &mut found.kept_and_unknown
                }) += 1;
            }
        }
        previous = Some(tables);
    }
    found.reused = meanings.values().filter(|meanings| meanings.len() > 1).count();
    Ok(found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_report_names_a_rule_that_did_not_decide(
        snapshot in snapshots(Contents::Everything),
        masks in proptest::collection::vec(any::<u16>(), 2..9),
    ) {
        check(&snapshot, &masks)?;
    }
}

/// The property would hold of an attribution that knows nothing, and of numbers that never come back.
#[test]
fn reports_are_of_every_kind() {
    let mut all = Found::default();
    for seed in 0..40_u64 {
        let snapshot = policy_oracle::worlds::random(seed).snapshot;
        let masks: Vec<u16> =
            (1..9).map(|step| (seed.wrapping_mul(0x9e37_79b9) >> step & 0xffff) as u16).collect();
        let found = check(&snapshot, &masks).unwrap();
        all.named += found.named;
        all.unknown += found.unknown;
        all.kept_and_named += found.kept_and_named;
        all.kept_and_unknown += found.kept_and_unknown;
        all.reused += found.reused;
    }
    let Found { named, unknown, kept_and_named, kept_and_unknown, reused } = all;
    let least = [named, unknown, kept_and_named, kept_and_unknown].into_iter().min();
    assert!(least > Some(500) && reused > 40, "{all:?}");
}
