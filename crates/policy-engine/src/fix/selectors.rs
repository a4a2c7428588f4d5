//! Labels that select one workload and nothing else, as far as labels can.

use crate::ids::PodId;
use crate::program::Program;
use policy_model::{
    LabelSelector, Labels, NamespaceScope, Operator, Pod, Requirement, WorkloadRef,
};
use std::collections::BTreeSet;

/// No stable label tells the workload apart from these, of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedLabels {
    pub workload: WorkloadRef,
    pub others: Vec<WorkloadRef>,
}

/// Set by controllers or by releases: another one tomorrow. (Kubernetes "Well-Known Labels", Helm's
/// and Argo Rollouts' own.)
const UNSTABLE: [&str; 18] = [
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "chart",
    "controller-revision-hash",
    "controller-uid",
    "helm.sh/chart",
    "heritage",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// The labels that people name applications by, best first; any other comes after them.
const NAMING: [&str; 7] = [
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
    "name",
    "component",
];

/// The pods of a workload and a selector for them.
#[derive(Clone, Debug)]
pub(super) struct WorkloadSelector {
    pub(super) namespace: String,
    pub(super) selector: LabelSelector,
    /// The workload's own, ascending.
    pub(super) pods: Vec<PodId>,
    pub(super) shared: Option<SharedLabels>,
}

impl Program {
    /// The fewest and best-known stable labels that select the workload's pods and the fewest others.
    pub(super) fn select_workload(&self, pod: &Pod) -> WorkloadSelector {
        let workload = &pod.workload;
        let namespace = &workload.namespace;
        let of_workload: Vec<(PodId, &Pod)> =
            self.pods().filter(|(_, pod)| pod.workload == *workload).collect();
        let pods: Vec<PodId> = of_workload.iter().map(|(id, _)| *id).collect();
        let mut wanted = common_labels(of_workload.iter().map(|(_, pod)| &pod.labels));
        let least = self.selected(namespace, &wanted);
        // From the least known label on, whatever is not needed goes; one stays, for the pods to come.
        while let Some(drop) = wanted.iter().rposition(|requirement| {
            let rest: Vec<Requirement> =
                wanted.iter().filter(|other| *other != requirement).cloned().collect();
            !rest.is_empty() && self.selected(namespace, &rest) == least
        }) {
            wanted.remove(drop);
        }
        wanted.extend(self.exclusions(&least, &of_workload));
        let selected = self.selected(namespace, &wanted);
        let others: BTreeSet<WorkloadRef> = selected
            .iter()
            .filter_map(|id| self.pod(*id))
            .filter(|other| other.workload != *workload)
            .map(|other| other.workload.clone())
            .collect();
        let shared = (!others.is_empty()).then(|| SharedLabels {
            workload: workload.clone(),
            others: others.into_iter().collect(),
        });
        let namespace = namespace.clone();
        WorkloadSelector { namespace, selector: wanted.into_iter().collect(), pods, shared }
    }

    fn selected(&self, namespace: &str, requirements: &[Requirement]) -> Vec<PodId> {
        let selector = requirements.iter().cloned().collect();
        self.select(&NamespaceScope::Own(namespace.to_owned()), &selector)
    }

    /// Labels that the workload lacks and that others among `selected` have.
    fn exclusions(&self, selected: &[PodId], workload: &[(PodId, &Pod)]) -> Vec<Requirement> {
        let own = |key: &str| workload.iter().any(|(_, pod)| pod.labels.value(key).is_some());
        let mut absent: BTreeSet<&str> = BTreeSet::new();
        let others = selected.iter().filter_map(|id| self.pod(*id));
        let strangers =
            others.filter(|pod| workload.iter().all(|(_, own)| own.workload != pod.workload));
        for stranger in strangers {
            let keys: Vec<&str> = by_renown(&stranger.labels)
                .into_iter()
                .map(|(key, _)| key)
                .filter(|key| !own(key))
                .collect();
            if !keys.iter().any(|key| absent.contains(key)) {
                absent.extend(keys.first());
            }
        }
        let requirement =
            |key: &str| Requirement { key: key.to_owned(), operator: Operator::DoesNotExist };
        absent.into_iter().map(requirement).collect()
    }
}

/// Stable labels that all have, the best known first.
fn common_labels<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Vec<Requirement> {
    let Some(first) = all.next() else { return Vec::new() };
    let mut common = by_renown(first);
    for labels in all {
        common.retain(|(key, value)| labels.value(key) == Some(value));
    }
    common.into_iter().map(|(key, value)| Requirement::equals(key, value)).collect()
}

fn by_renown(labels: &Labels) -> Vec<(&str, &str)> {
    let stable = labels.0.iter().filter(|(key, _)| !UNSTABLE.contains(&key.as_str()));
    let mut labels: Vec<(&str, &str)> =
        stable.map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let rank = |key: &str| NAMING.iter().position(|known| *known == key).unwrap_or(NAMING.len());
    labels.sort_by_key(|(key, _)| (rank(key), *key));
    labels
}
