//! Rows in their order, computed ahead by other threads.
//!
//! Computing rows and writing them take about as long as each other. With more than one thread, parts of
//! the map are computed while earlier ones are written. What is written is the same in any case, and no
//! more than a few parts wait at a time.

use policy_engine::{ConnectionMap, MapRow};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Parts of one thread that wait to be written.
const AHEAD: usize = 2;
/// More would wait for the one that writes.
const MOST_COMPUTING: usize = 4;
/// Below this many parts, starting threads costs more than it saves.
const PARTS_FOR_THREADS: usize = 16;

/// [`ConnectionMap::visit`] with this many threads.
pub(crate) fn visit(
    map: &ConnectionMap<'_>,
    n_threads: NonZero<usize>,
    mut visit: impl FnMut(MapRow<'_>) -> bool,
) {
    let n_computing = (n_threads.get() - 1).min(MOST_COMPUTING);
    let n_parts = map.n_parts();
    if n_computing == 0 || n_parts < PARTS_FOR_THREADS {
        map.visit(visit);
        return;
    }
    thread::scope(|scope| {
        // Each thread has every n-th part, so that parts arrive in order without being sorted.
        let computed = (0..n_computing).map(|first| {
            let (sender, receiver) = sync_channel(AHEAD);
            scope.spawn(move || {
                let mut parts = map.parts();
                // Nobody receives any more once no more rows are wanted.
                let places = (first..n_parts).step_by(n_computing);
                places.map(|place| parts.part(place)).try_for_each(|part| sender.send(part)).ok()
            });
            receiver
        });
        let computed: Vec<Receiver<_>> = computed.collect();
        for receiver in computed.iter().cycle().take(n_parts) {
            // A thread that panicked has nothing more to send, and the scope passes its panic on.
            let Ok(part) = receiver.recv() else { return };
            if !map.visit_part(&part, &mut visit) {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_engine::{Assumptions, Granularity, MapPeer, PairTraffic, Program, Semantics};
    use policy_model::{
        Direction, LabelSelector, NamespaceScope, Pod, PodOrigin, Policy, PolicyId, PolicyKind,
        Requirement, Snapshot, Subject, Tier, WorkloadKind, WorkloadRef,
    };

    fn pod(number: usize) -> Pod {
        let (namespace, name) = ("shop".to_owned(), format!("pod-{number:03}"));
        let kind = WorkloadKind::Deployment;
        Pod {
            workload: WorkloadRef { namespace: namespace.clone(), name: name.clone(), kind },
            namespace,
            labels: [("app", name.as_str())].into_iter().collect(),
            name,
            origin: PodOrigin::Template,
            addresses: Vec::new(),
            host_network: false,
            node: None,
            ports: Vec::new(),
            span: None,
        }
    }

    /// Nothing may open a connection from the pod, or to it.
    fn isolating(number: usize, direction: Direction) -> (PolicyId, Policy) {
        let id = PolicyId {
            kind: PolicyKind::NetworkPolicy,
            namespace: Some("shop".to_owned()),
            name: format!("policy-{number}"),
        };
        let app = Requirement::equals("app", format!("pod-{number:03}"));
        let subject = Subject {
            namespaces: NamespaceScope::Own("shop".to_owned()),
            pods: [app].into_iter().collect::<LabelSelector>(),
        };
        let rules = |of| (of == direction).then(Vec::new);
        let policy = Policy {
            id: id.clone(),
            tier: Tier::NetworkPolicy,
            priority: 0,
            subject,
            ingress: rules(Direction::Ingress),
            egress: rules(Direction::Egress),
            span: None,
        };
        (id, policy)
    }

    type Row = (MapPeer, MapPeer, [Option<usize>; 2], PairTraffic);

    /// The first rows of a map of 150 pods.
    fn first_rows(program: &Program, n_threads: usize, most: usize) -> Vec<Row> {
        let map = program.map(Granularity::Pod);
        assert!(map.n_parts() >= PARTS_FOR_THREADS);
        let mut rows: Vec<Row> = Vec::new();
        visit(&map, NonZero::new(n_threads).unwrap(), |row| {
            rows.push((row.from.clone(), row.to.clone(), row.places, row.traffic.clone()));
            rows.len() < most
        });
        rows
    }

    #[test]
    fn rows_do_not_depend_on_threads() {
        let policies = [isolating(3, Direction::Egress), isolating(77, Direction::Ingress)];
        let snapshot = Snapshot {
            pods: (0..150).map(pod).collect(),
            policies: policies.into(),
            ..Snapshot::default()
        };
        let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
        let alone = first_rows(&program, 1, usize::MAX);
        // Both ends, less the pairs that a policy denies, and a row to and from outside for the others.
        assert_eq!(alone.len(), 150 * 149 - 149 - 149 + 1 + 2 * 149);
        for n_threads in [2, 3, 9] {
            assert_eq!(first_rows(&program, n_threads, usize::MAX), alone);
            assert_eq!(first_rows(&program, n_threads, 1_000), alone[..1_000]);
        }
    }
}
