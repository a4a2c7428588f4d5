//! Which workload a pod belongs to.
//!
//! A Deployment owns its pods through a ReplicaSet, and a CronJob through a Job. Where the one between
//! is not in the input, the ReplicaSet's name still tells the Deployment's: the rest of it is the hash
//! that the pod's label repeats.

use crate::objects::{OwnedPod, OwnerRef, Workload};
use policy_model::{WorkloadKind, WorkloadRef};
use std::collections::HashMap;

const TEMPLATE_HASH_LABEL: &str = "pod-template-hash";

/// The owners of ReplicaSets and Jobs, where the input has them.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    above: HashMap<WorkloadRef, Option<WorkloadRef>>,
}

impl Owners {
    pub(crate) fn new<'w>(workloads: impl Iterator<Item = &'w Workload>) -> Self {
        let above = workloads
            .filter(|workload| {
                matches!(workload.id.kind, WorkloadKind::ReplicaSet | WorkloadKind::Job)
            })
            .map(|workload| (workload.id.clone(), owner_above(workload)))
            .collect();
        Self { above }
    }

    /// A pod without an owner, or with one of a kind that is not read, is its own workload.
    pub(crate) fn workload_of(&self, owned: &OwnedPod) -> WorkloadRef {
        let pod = &owned.pod;
        let Some(direct) =
            owned.controller.as_ref().and_then(|owner| reference(&pod.namespace, owner))
        else {
            return pod.workload.clone();
        };
        match self.above.get(&direct) {
            Some(above) => above.clone().unwrap_or(direct),
            None => match pod.labels.value(TEMPLATE_HASH_LABEL) {
                Some(hash) if direct.kind == WorkloadKind::ReplicaSet => without_hash(direct, hash),
                Some(_) | None => direct,
            },
        }
    }
}

/// The Deployment of a ReplicaSet, or the CronJob of a Job.
pub(crate) fn owner_above(workload: &Workload) -> Option<WorkloadRef> {
    let owner = reference(&workload.id.namespace, workload.controller.as_ref()?)?;
    let fits = matches!(
        (workload.id.kind, owner.kind),
        (WorkloadKind::ReplicaSet, WorkloadKind::Deployment)
            | (WorkloadKind::Job, WorkloadKind::CronJob)
    );
    fits.then_some(owner)
}

fn reference(namespace: &str, owner: &OwnerRef) -> Option<WorkloadRef> {
    let kind = match owner.kind.as_str() {
        "Deployment" => WorkloadKind::Deployment,
        "ReplicaSet" => WorkloadKind::ReplicaSet,
        "StatefulSet" => WorkloadKind::StatefulSet,
        "DaemonSet" => WorkloadKind::DaemonSet,
        "ReplicationController" => WorkloadKind::ReplicationController,
        "Job" => WorkloadKind::Job,
        "CronJob" => WorkloadKind::CronJob,
        _ => return None,
    };
    Some(WorkloadRef { namespace: namespace.to_owned(), name: owner.name.clone(), kind })
}

fn without_hash(replica_set: WorkloadRef, hash: &str) -> WorkloadRef {
    let stem = replica_set.name.strip_suffix(hash).and_then(|stem| stem.strip_suffix('-'));
    match stem {
        Some(name) if !name.is_empty() => WorkloadRef {
            namespace: replica_set.namespace.clone(),
            name: name.to_owned(),
            kind: WorkloadKind::Deployment,
        },
        Some(_) | None => replica_set,
    }
}
