//! An agent under a flood: what it is told changes all the time, pods come and go, and it is killed again and
//! again, the first time as the successor of an older version.
//!
//! Needs root; all of it is in namespaces of the test's own.
#![cfg(test)]

mod agent;
#[path = "../../../dataplane/tests/support/dying.rs"]
mod dying;
#[path = "../../../dataplane/tests/support/fabric.rs"]
mod fabric;
mod journal;
#[path = "../../../dataplane/tests/support/schema_4.rs"]
mod schema_4;
#[path = "../../../dataplane/tests/support/mod.rs"]
mod support;
mod traffic;
mod world;

use agent::{GUESTS_AT_ONCE, life};
use dataplane::Inspection;
use dying::End;
use journal::{Entry, Journal};
use net_fabric::{Namespace, set_sysctl};
use node_agent::Agent;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use support::apart;
use traffic::Seen;
use world::{CLIENT, SERVER, Variant, options, wanted};

const KILLS: u32 = 20;
const CHANGES: usize = 100;
const GUESTS: usize = 1_000;
/// Longer than any connection lives that nobody uses, and than denials are summed up.
const SETTLED: Duration = Duration::from_secs(40);

#[test]
fn nothing_wrong_passes_and_nothing_right_breaks() {
    apart(|root| {
        let node = fabric::become_node();
        let pods = fabric::add_pods(&node, &[CLIENT, SERVER].map(fabric::place));
        for pod in &pods {
            // A stream that was cut sends again for minutes, also when nobody has it any more.
            pod.enter(|| set_sysctl("ipv4/tcp_orphan_retries", "1")).unwrap().unwrap();
        }
        let mut journal = Journal::create();
        let mut agent = Agent::open("node", root, &options()).unwrap();
        agent.apply(wanted(0, Variant::First, &[])).unwrap();
        journal.write(Entry::Holds(Variant::First));
        drop(agent);
        schema_4::downgrade(root, &options());

        let seen = traffic::flow(&pods, || flood(root, &node, &mut journal));
        let history = journal.history();
        judge(&seen, &history);
        is_clean(root);
    });
}

/// Twenty agents that are killed, and one that comes to its end.
fn flood(root: &Path, node: &Namespace, journal: &mut Journal) {
    thread::sleep(Duration::from_millis(500));
    for number in 0..KILLS {
        let process = dying::start(|| life(root, node, number, usize::MAX, journal));
        thread::sleep(Duration::from_millis(150 + u64::from(number) * 337 % 1_900));
        assert_eq!(process.kill(), End::Killed);
    }
    let done = journal.history().rounds();
    let rounds = (GUESTS / GUESTS_AT_ONCE).saturating_sub(done).max(1);
    let process = dying::start(|| life(root, node, KILLS, rounds, journal));
    assert_eq!(process.wait(), End::Finished);
}

fn judge(seen: &Seen, history: &journal::History) {
    let (changes, guests) = (history.changes(), history.rounds() * GUESTS_AT_ONCE);
    #[expect(clippy::print_stdout, reason = "how much was tried")]
    {
        println!("{changes} changes, {guests} guests, {seen}");
    }
    assert!(changes >= CHANGES && guests >= GUESTS, "{changes} changes, {guests} guests");
    for arrival in &seen.arrivals {
        assert!(!history.denies(arrival), "the policy of that moment denies it: {arrival:?}");
    }
    assert_eq!(seen.broken, Vec::<String>::new(), "connections that every policy allowed");
    seen.must_have_seen_everything();
}

/// What the flood left behind goes by itself.
fn is_clean(root: &Path) {
    let mut agent = Agent::open("node", root, &options()).unwrap();
    agent.apply(wanted(u64::MAX, Variant::First, &[])).unwrap();
    let since = Instant::now();
    loop {
        agent.flows().unwrap();
        agent.turn().unwrap();
        let state = Inspection::open(root).unwrap().unwrap().state().unwrap();
        let entries =
            |name: &str| state.tables.iter().find(|table| table.name == name).unwrap().entries;
        let counts =
            ["connections", "fragments", "denials", "pods", "local_addresses"].map(entries);
        let shares: Vec<u32> = state.pods.iter().map(|pod| pod.connections).collect();
        if counts == [0, 0, 0, 2, 2] && shares == [0, 0] {
            // Both columns of both pods' addresses, and the rows of one profile that is not open.
            assert!(entries("addresses") <= 4 + 2 * GUESTS_AT_ONCE, "{}", entries("addresses"));
            assert!(entries("vectors") < 64, "{}", entries("vectors"));
            assert_eq!(state.links.len(), 4 + 2 * 2, "{:?}", state.links);
            break;
        }
        assert!(since.elapsed() < SETTLED, "{counts:?} {shares:?}");
        thread::sleep(Duration::from_millis(200));
    }
    let interfaces = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    assert_eq!(interfaces.lines().count(), 2 + 3, "lo and two pods: {interfaces}");
}
