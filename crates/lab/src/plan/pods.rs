//! Which pods there are, and on which nodes.

use super::{Assigned, NodePlan, PlanOptions, PodKey};
use policy_model::{Pod, PodOrigin, Snapshot, WorkloadKind, WorkloadRef};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Makes every pod a live one with a node; the answer is the place of each one's node.
pub(super) fn plan(
    snapshot: &mut Snapshot,
    replicas: &BTreeMap<WorkloadRef, u32>,
    options: &PlanOptions,
    (nodes, assigned): (&[NodePlan], &Assigned),
    notes: &mut Vec<String>,
) -> Vec<usize> {
    let (names, placed) = (HashSet::new(), Vec::new());
    let most = options.replicas;
    let mut making = Making { nodes, assigned, most, notes, names, placed };
    let (live, templates): (Vec<Pod>, Vec<Pod>) = std::mem::take(&mut snapshot.pods)
        .into_iter()
        .partition(|pod| pod.origin == PodOrigin::Live);
    making.names.extend(live.iter().map(|pod| (pod.namespace.clone(), pod.name.clone())));
    making.keep_live(live);
    for template in templates {
        making.replicate(&template, replicas);
    }
    let mut placed = making.placed;
    placed.sort_by(|(a, _), (b, _)| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    placed.retain(|(pod, _)| !options.stopped.contains(&pod.to_string()));
    let (pods, places) = placed.into_iter().unzip();
    snapshot.pods = pods;
    places
}

struct Making<'a> {
    nodes: &'a [NodePlan],
    assigned: &'a Assigned,
    most: usize,
    notes: &'a mut Vec<String>,
    /// Names that are taken, by namespace.
    names: HashSet<(String, String)>,
    placed: Vec<(Pod, usize)>,
}

impl Making<'_> {
    fn keep_live(&mut self, live: Vec<Pod>) {
        let mut counts: HashMap<WorkloadRef, (usize, usize)> = HashMap::new();
        for pod in live {
            let (kept, all) = counts.entry(pod.workload.clone()).or_default();
            *all += 1;
            let is_one_a_node = pod.workload.kind == WorkloadKind::DaemonSet;
            if *kept < self.most || is_one_a_node {
                let turn = *kept;
                *kept += 1;
                self.place(pod, turn);
            }
        }
        let mut capped: Vec<_> = counts.into_iter().filter(|(_, (kept, all))| kept < all).collect();
        capped.sort();
        for (workload, (kept, all)) in capped {
            self.notes.push(format!("{workload}: {kept} of {all} pods"));
        }
    }

    fn replicate(&mut self, template: &Pod, replicas: &BTreeMap<WorkloadRef, u32>) {
        let asked = match template.workload.kind {
            WorkloadKind::DaemonSet => self.nodes.len(),
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::ReplicaSet
            | WorkloadKind::ReplicationController => replicas
                .get(&template.workload)
                .map_or(1, |asked| usize::try_from(*asked).unwrap_or(usize::MAX)),
            WorkloadKind::Job | WorkloadKind::CronJob | WorkloadKind::Pod => 1,
        };
        let is_one_a_node = template.workload.kind == WorkloadKind::DaemonSet;
        let count = if is_one_a_node { asked } else { asked.min(self.most) };
        if count < asked {
            self.notes.push(format!("{}: {count} of {asked} replicas", template.workload));
        }
        if asked == 0 {
            self.notes.push(format!("{}: scaled to no replicas", template.workload));
        }
        for turn in 0..count {
            let name = self.free_name(template, turn);
            let node = is_one_a_node.then(|| self.nodes.get(turn)).flatten();
            let node = node.map(|node| node.name.clone()).or_else(|| template.node.clone());
            self.place(Pod { name, node, origin: PodOrigin::Live, ..template.clone() }, turn);
        }
    }

    /// `web-0`, `web-1`, …, as a StatefulSet has them.
    fn free_name(&mut self, template: &Pod, turn: usize) -> String {
        let mut number = turn;
        loop {
            let name = format!("{}-{number}", template.name);
            if self.names.insert((template.namespace.clone(), name.clone())) {
                return name;
            }
            number += 1;
        }
    }

    /// Where it was, or on its own node if that is in the lab, else on the next one: workloads begin at
    /// different nodes, so that connections of all kinds cross between nodes.
    fn place(&mut self, mut pod: Pod, turn: usize) {
        let earlier = self.assigned.pods.get(&PodKey::of(&pod)).map(|earlier| earlier.node);
        let own = || self.nodes.iter().position(|node| Some(&node.name) == pod.node.as_ref());
        let place = earlier
            .or_else(own)
            .unwrap_or_else(|| (self.placed.len() + turn) % self.nodes.len().max(1));
        pod.node = self.nodes.get(place).map(|node| node.name.clone());
        self.placed.push((pod, place));
    }
}
