//! Assertions agree with a loop over all pairs of ends that asks the naive oracle.

use super::fixture::{read, shown};
use net_types::{AddressSet, Protocol};
use policy_assertions::run_tests;
use policy_engine::{Assumptions, Semantics};
use policy_model::{PeerMatch, Peers, Pod, Snapshot};
use policy_oracle::worlds::{addresses, random};
use policy_oracle::{End, Profile, Question, Verdict, evaluate};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

const N_WORLDS: u64 = 150;
const NAMESPACES: [&str; 3] = ["shop", "pay", "ops"];
const PORTS: [u16; 3] = [53, 80, 8080];

/// What a pair of ends answers on TCP.
struct Naive<'s> {
    snapshot: &'s Snapshot,
    outside: Vec<IpAddr>,
    port: u16,
}

impl<'s> Naive<'s> {
    fn verdict(&self, from: End<'s>, to: &'s Pod) -> Verdict {
        let question =
            Question { from, to: End::Pod(to), protocol: Protocol::Tcp, port: self.port };
        let assumptions =
            policy_oracle::Assumptions { profile: Profile::Upstream, ..Default::default() };
        evaluate(self.snapshot, &assumptions, &question)
    }

    fn allows(&self, from: &'s Pod, to: &'s Pod) -> bool {
        self.verdict(End::Pod(from), to) == Verdict::Allow
    }

    fn of(&self, namespace: &str) -> Vec<&'s Pod> {
        self.snapshot.pods.iter().filter(|pod| pod.namespace == namespace).collect()
    }

    /// Nothing of all ends that `is_banned` names gets through to the pods, not even possibly.
    fn none_reaches(&self, to: &[&'s Pod], is_banned: impl Fn(End<'s>) -> bool) -> bool {
        let pods = self.snapshot.pods.iter().map(End::Pod);
        let ends = pods.chain(self.outside.iter().copied().map(End::Address));
        let banned: Vec<End<'s>> = ends.filter(|end| is_banned(*end)).collect();
        to.iter().all(|to| {
            let mut others = banned.iter().filter(|from| !is_itself(**from, to));
            others.all(|from| self.verdict(*from, to) == Verdict::Deny)
        })
    }
}

/// The template of a workload stands for several pods, which may talk to each other.
fn is_itself(from: End<'_>, to: &Pod) -> bool {
    match from {
        End::Pod(from) => {
            from == to
                && (from.origin == policy_model::PodOrigin::Live
                    || from.workload.kind == policy_model::WorkloadKind::Pod)
        }
        End::Address(_) | End::Name(_) => false,
    }
}

/// Addresses outside the cluster in every piece that blocks cut out.
fn outside(snapshot: &Snapshot) -> Vec<IpAddr> {
    let mut points: BTreeSet<IpAddr> = addresses().into_iter().collect();
    points.extend([IpAddr::from([0, 0, 0, 0]), IpAddr::from([0_u16; 8])]);
    let rules = snapshot.policies.values().flat_map(|policy| policy.ingress.iter().flatten());
    for rule in rules {
        let Peers::Listed(peers) = &rule.peers else { continue };
        for peer in peers {
            let PeerMatch::Networks(networks) = &peer.matches else { continue };
            for net in
                networks.iter().flat_map(|one| std::iter::once(&one.block).chain(&one.except))
            {
                points.insert(net.network());
                let rest = AddressSet::all().difference(&AddressSet::from(*net));
                points.extend(rest.ranges().iter().map(|range| range.first()));
            }
        }
    }
    let in_cluster = |address: &IpAddr| {
        snapshot.pods.iter().any(|pod| pod.addresses.contains(address))
            || snapshot.nodes.values().any(|node| node.addresses.contains(address))
            || snapshot.services.iter().any(|service| match &service.kind {
                policy_model::ServiceKind::ClusterIp { addresses } => addresses.contains(address),
                policy_model::ServiceKind::Headless
                | policy_model::ServiceKind::ExternalName(_) => false,
            })
    };
    points.into_iter().filter(|address| !in_cluster(address)).collect()
}

/// Each assertion as it is written, and whether it holds.
fn claims(naive: &Naive<'_>, source: &str, destination: &str) -> Vec<(String, bool)> {
    let (from, to) = (naive.of(source), naive.of(destination));
    let port = naive.port;
    let set =
        |quantifier: &str, namespace: &str| format!("{{{quantifier}: {{namespace: {namespace}}}}}");
    let require = |of_from: &str, of_to: &str| {
        let (from, to) = (set(of_from, source), set(of_to, destination));
        format!("require: {{from: {from}, to: {to}, port: {port}}}")
    };
    let between =
        format!("from: {{namespace: {source}}}, to: {{namespace: {destination}}}, port: {port}");
    let some = from.iter().any(|from| to.iter().any(|to| naive.allows(from, to)));
    let is_of_source = |end: End<'_>| matches!(end, End::Pod(pod) if pod.namespace == source);
    let only = some && naive.none_reaches(&to, |end| !is_of_source(end));
    vec![
        (format!("forbid: {{{between}}}"), naive.none_reaches(&to, is_of_source)),
        (format!("only: {{{between}}}"), only),
        (
            require("every", "every"),
            from.iter().all(|from| to.iter().all(|to| naive.allows(from, to))),
        ),
        (
            require("every", "some"),
            from.iter().all(|from| to.iter().any(|to| naive.allows(from, to))),
        ),
        (
            require("some", "every"),
            to.iter().all(|to| from.iter().any(|from| naive.allows(from, to))),
        ),
        (require("some", "some"), some),
    ]
}

#[test]
fn assertions_are_what_a_loop_over_all_pairs_says() {
    let mut outcomes: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for seed in 0..N_WORLDS {
        let snapshot = random(seed).snapshot;
        for port in PORTS {
            let naive = Naive { snapshot: &snapshot, outside: outside(&snapshot), port };
            for (source, destination) in pairs(&naive) {
                let claims = claims(&naive, source, destination);
                let lines = claims.iter().map(|(claim, _)| format!("- {claim}\n"));
                let test = read(&format!("assertions:\n{}", lines.collect::<String>()));
                let results = run_tests(&snapshot, Assumptions::new(Semantics::Upstream), &[&test]);
                for (check, (claim, holds)) in results.checks().zip(&claims) {
                    assert_eq!(check.passed(), *holds, "seed {seed}: {claim}\n{}", shown(&results));
                    let kind = claim.replace(source, "A").replace(destination, "B");
                    let kind = kind.split(", port").next().unwrap_or_default().to_owned();
                    *outcomes.entry((kind, *holds)).or_default() += 1;
                }
            }
        }
    }
    let rare: Vec<_> = outcomes.iter().filter(|(_, n)| **n < 5).collect();
    assert_eq!((outcomes.len(), rare), (12, vec![]), "each claim holds and fails: {outcomes:?}");
}

/// Two namespaces with pods each.
fn pairs(naive: &Naive<'_>) -> Vec<(&'static str, &'static str)> {
    let all = NAMESPACES.into_iter().flat_map(|from| NAMESPACES.map(|to| (from, to)));
    all.filter(|(from, to)| from != to && !naive.of(from).is_empty() && !naive.of(to).is_empty())
        .collect()
}
