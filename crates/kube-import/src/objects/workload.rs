//! Workloads: the owners of pods, each with the template of its pods.

use super::metadata::{Metadata, OwnerRef, Strictness, labels, metadata};
use super::pod::pod_spec;
use super::{Object, in_namespace};
use crate::document::{Decoder, Fields, Node};
use finding_model::SourceSpan;
use policy_model::{Pod, PodOrigin, WorkloadKind, WorkloadRef};

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub id: WorkloadRef,
    pub controller: Option<OwnerRef>,
    pub template: Template,
    /// `spec.replicas`, where it is written.
    pub replicas: Option<u32>,
    /// Of the template as it is written.
    pub template_print: u64,
    pub span: Option<SourceSpan>,
}

/// Whether the workload can have pods that are not in the input.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    Pod(Box<Pod>),
    /// A finished Job, or a ReplicaSet that its owner has scaled to none.
    Spent,
}

pub(super) fn lower(
    decoder: &mut Decoder,
    object: &Fields<'_, '_>,
    kind: WorkloadKind,
) -> Option<Object> {
    let Metadata { name, namespace, labels: _, controller } =
        metadata(decoder, object, Strictness::Lenient)?;
    let id = WorkloadRef { namespace: in_namespace(namespace), name, kind };
    let spec = object.required(decoder, "spec")?;
    let spec = decoder.lenient(spec, "the workload's spec")?;
    let replicas = match kind {
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::ReplicaSet
        | WorkloadKind::ReplicationController => replicas(decoder, &spec)?,
        WorkloadKind::DaemonSet | WorkloadKind::Job | WorkloadKind::CronJob | WorkloadKind::Pod => {
            None
        }
    };
    let is_spent = match kind {
        WorkloadKind::Job => is_finished(decoder, object)?,
        WorkloadKind::ReplicaSet => controller.is_some() && replicas == Some(0),
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::ReplicationController
        | WorkloadKind::CronJob
        | WorkloadKind::Pod => false,
    };
    let (template, template_print) = if is_spent {
        (Template::Spent, 0)
    } else {
        let holder = if kind == WorkloadKind::CronJob { job_spec(decoder, &spec)? } else { spec };
        let print = holder.field("template").map_or(0, Node::print);
        (Template::Pod(Box::new(template(decoder, &holder, &id, object)?)), print)
    };
    let span = Some(decoder.span(object.place));
    let workload = Workload { id, controller, template, replicas, template_print, span };
    Some(Object::Workload(Box::new(workload)))
}

/// The outer `None` is an error. A number that no cluster takes is as good as none: no verdict depends on
/// it.
fn replicas(decoder: &mut Decoder, spec: &Fields<'_, '_>) -> Option<Option<u32>> {
    match spec.field("replicas") {
        Some(node) => Some(u32::try_from(decoder.integer(node)?).ok()),
        None => Some(None),
    }
}

fn job_spec<'n, 't>(decoder: &mut Decoder, spec: &Fields<'n, 't>) -> Option<Fields<'n, 't>> {
    let template = spec.required(decoder, "jobTemplate")?;
    let template = decoder.lenient(template, "the job template")?;
    let spec = template.required(decoder, "spec")?;
    decoder.lenient(spec, "the job's spec")
}

fn template(
    decoder: &mut Decoder,
    spec: &Fields<'_, '_>,
    id: &WorkloadRef,
    object: &Fields<'_, '_>,
) -> Option<Pod> {
    let template = spec.required(decoder, "template")?;
    let template = decoder.lenient(template, "the pod template")?;
    let labels = match template.field("metadata") {
        Some(node) => {
            let metadata = decoder.lenient(node, "the template's metadata")?;
            labels(decoder, &metadata)
        }
        None => policy_model::Labels::default(),
    };
    let pod_spec = pod_spec(decoder, template.field("spec"))?;
    Some(Pod {
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        workload: id.clone(),
        origin: PodOrigin::Template,
        labels,
        addresses: Vec::new(),
        host_network: pod_spec.host_network,
        node: pod_spec.node,
        ports: pod_spec.ports,
        span: Some(decoder.span(object.place)),
    })
}

/// A Job that is complete or has failed makes no more pods.
fn is_finished(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<bool> {
    let Some(status) = object.field("status") else { return Some(false) };
    let status = decoder.lenient(status, "status")?;
    if status.field("completionTime").is_some() {
        return Some(true);
    }
    let Some(conditions) = status.field("conditions") else { return Some(false) };
    for condition in decoder.sequence(conditions)? {
        let text = |key| condition.child(key).and_then(|node| node.text());
        if matches!(text("type"), Some("Complete" | "Failed")) && text("status") == Some("True") {
            return Some(true);
        }
    }
    Some(false)
}
