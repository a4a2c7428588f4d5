//! Which pods there are, and on which nodes.

use super::{Assigned, NodePlan, PlanOptions, PodKey, Slot, workload_key};
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
    let mut making = Making { nodes, assigned, options, notes, names, placed };
    let (live, templates): (Vec<Pod>, Vec<Pod>) = std::mem::take(&mut snapshot.pods)
        .into_iter()
        .partition(|pod| pod.origin == PodOrigin::Live);
    // Live pods of a workload that was rolled are gone; one of them says what those to come look like.
    let is_rolled = |pod: &Pod| options.rolled.contains_key(&workload_key(&pod.workload));
    let (replaced, live): (Vec<Pod>, Vec<Pod>) = live.into_iter().partition(is_rolled);
    let mut models: BTreeMap<WorkloadRef, (Pod, usize)> = BTreeMap::new();
    for pod in replaced {
        let workload = pod.workload.clone();
        models.entry(workload).or_insert_with(|| (as_template(pod), 0)).1 += 1;
    }
    making.names.extend(live.iter().map(|pod| (pod.namespace.clone(), pod.name.clone())));
    making.names.extend(options.rolled.iter().flat_map(|(key, slots)| {
        let workload = key.rsplit_once(' ').map_or(&**key, |(_, workload)| workload);
        let namespace = workload.split_once('/').map_or(workload, |(namespace, _)| namespace);
        slots.iter().map(|slot| (namespace.to_owned(), slot.name.clone()))
    }));
    making.keep_live(live);
    let live_models = models.into_values();
    let live_models = live_models.map(|(model, count)| (model, Some(count)));
    for (template, count) in templates.into_iter().map(|pod| (pod, None)).chain(live_models) {
        making.replicate(&template, count, replicas);
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
    options: &'a PlanOptions,
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
            if *kept < self.options.replicas || is_one_a_node {
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

    /// `count` is how many live pods the template stands for.
    fn replicate(
        &mut self,
        template: &Pod,
        count: Option<usize>,
        replicas: &BTreeMap<WorkloadRef, u32>,
    ) {
        let asked = match template.workload.kind {
            WorkloadKind::DaemonSet => self.nodes.len(),
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::ReplicaSet
            | WorkloadKind::ReplicationController => count.unwrap_or_else(|| {
                replicas
                    .get(&template.workload)
                    .map_or(1, |asked| usize::try_from(*asked).unwrap_or(usize::MAX))
            }),
            WorkloadKind::Job | WorkloadKind::CronJob | WorkloadKind::Pod => count.unwrap_or(1),
        };
        let is_one_a_node = template.workload.kind == WorkloadKind::DaemonSet;
        let count = if is_one_a_node { asked } else { asked.min(self.options.replicas) };
        if count < asked {
            self.notes.push(format!("{}: {count} of {asked} replicas", template.workload));
        }
        if asked == 0 {
            self.notes.push(format!("{}: scaled to no replicas", template.workload));
        }
        for (turn, slot) in self.slots(template, count).into_iter().enumerate() {
            self.fill(template, turn, slot);
        }
    }

    /// Names and places of a workload's pods.
    fn slots(&mut self, template: &Pod, count: usize) -> Vec<Slot> {
        let is_one_a_node = template.workload.kind == WorkloadKind::DaemonSet;
        let rolled = self.options.rolled.get(&workload_key(&template.workload));
        let mut slots = rolled.cloned().unwrap_or_default();
        if self.options.old.is_some() && rolled.is_some() {
            return slots;
        }
        slots.truncate(count);
        let first = rolled.map_or(0, |slots| next_number(&template.name, slots));
        for turn in slots.len()..count {
            let name = self.free_name(template, first.max(turn));
            let node = is_one_a_node.then_some(turn);
            slots.push(Slot { name, node, is_old: false });
        }
        slots
    }

    fn fill(&mut self, template: &Pod, turn: usize, Slot { name, node, is_old }: Slot) {
        let node = node.and_then(|place| self.nodes.get(place)).map(|node| node.name.clone());
        if !is_old {
            let node = node.or_else(|| template.node.clone());
            let pod = Pod { name, node, origin: PodOrigin::Live, ..template.clone() };
            return self.place(pod, turn);
        }
        let mut old = self.options.old.iter().flatten();
        let is_it = |pod: &&Pod| pod.namespace == template.namespace && pod.name == name;
        if let Some(pod) = old.find(is_it).cloned() {
            self.place(pod, turn);
        }
    }

    /// `web-0`, `web-1`, …, as a StatefulSet has them.
    fn free_name(&mut self, template: &Pod, first: usize) -> String {
        let mut number = first;
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

/// What a pod to come looks like, from one that is there.
fn as_template(pod: Pod) -> Pod {
    Pod { name: pod.workload.name.clone(), addresses: Vec::new(), node: None, ..pod }
}

/// Behind all that these pods of a workload have behind its name.
pub(crate) fn next_number(workload: &str, slots: &[Slot]) -> usize {
    let number = |slot: &Slot| {
        let rest = slot.name.strip_prefix(workload)?.strip_prefix('-')?;
        rest.parse::<usize>().ok()
    };
    slots.iter().filter_map(number).max().map_or(0, |highest| highest + 1)
}
