//! Objects to a snapshot: each object once, pods with their workloads, all in the order of names.

use crate::codes;
use crate::objects::{Lowered, Object, OwnedPod, Template, Workload, cap};
use crate::owners::{Owners, owner_above};
use finding_model::{Finding, Severity, SourceFiles, SourceSpan};
use policy_model::{LeftOut, Namespace, Pod, Policy, Snapshot, WorkloadRef};
use std::collections::{BTreeMap, HashMap, HashSet};

#[derive(Debug)]
pub(crate) struct Assembled {
    pub snapshot: Snapshot,
    pub findings: Vec<Finding>,
    pub n_terminated: usize,
    pub replicas: BTreeMap<WorkloadRef, u32>,
    pub templates: BTreeMap<WorkloadRef, u64>,
}

/// `lowered` is all there is, in the order of the input.
pub(crate) fn assemble(lowered: &mut Lowered, files: &SourceFiles) -> Assembled {
    let mut findings = std::mem::take(&mut lowered.findings);
    findings.extend(std::mem::take(&mut lowered.unread_policies).into_values());
    let mut snapshot =
        Snapshot { left_out: std::mem::take(&mut lowered.left_out), ..Snapshot::default() };
    let objects = std::mem::take(&mut lowered.objects);
    let objects = unique(objects, files, &mut findings, &mut snapshot.left_out);
    let n_terminated = objects.iter().filter(|object| matches!(object, Object::Terminated)).count();
    let mut pods = Vec::new();
    let mut workloads = Vec::new();
    for object in objects {
        match object {
            Object::Namespace(namespace) => {
                snapshot.namespaces.insert(namespace.name.clone(), namespace);
            }
            Object::Node(node) => {
                snapshot.nodes.insert(node.name.clone(), node);
            }
            Object::Pod(pod) => pods.push(*pod),
            Object::Terminated => {}
            Object::Workload(workload) => workloads.push(*workload),
            Object::Service(service) => snapshot.services.push(*service),
            Object::Entry(entry) => snapshot.entries.push(*entry),
            Object::Policy(policy) => {
                let Policy { id, .. } = policy.as_ref();
                snapshot.policies.insert(id.clone(), *policy);
            }
        }
    }
    let replicas = workloads
        .iter()
        .filter_map(|workload| Some((workload.id.clone(), workload.replicas?)))
        .collect();
    let templates = workloads.iter().map(|workload| {
        let made_for = owner_above(workload).unwrap_or_else(|| workload.id.clone());
        (made_for, workload.template_print)
    });
    let templates = templates.collect();
    snapshot.pods = all_pods(pods, workloads);
    sort(&mut snapshot);
    add_implied_namespaces(&mut snapshot);
    findings.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
    Assembled { snapshot, findings, n_terminated, replicas, templates }
}

/// Keeps the first of several objects of one name, and reports the others.
fn unique(
    objects: Vec<Object>,
    files: &SourceFiles,
    findings: &mut Vec<Finding>,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Object> {
    let mut first: HashMap<(String, Option<String>, String), Option<SourceSpan>> = HashMap::new();
    let mut kept = Vec::with_capacity(objects.len());
    for object in objects {
        let Some((kind, namespace, name)) = object.key() else {
            kept.push(object);
            continue;
        };
        let path = namespace.map_or_else(|| name.to_owned(), |space| format!("{space}/{name}"));
        let title = format!("{kind} {path}");
        let key = (kind, namespace.map(str::to_owned), name.to_owned());
        let Some(first) = first.get(&key).copied() else {
            first.insert(key, object.span());
            kept.push(object);
            continue;
        };
        findings.push(duplicate(&title, object.span(), first, files));
        left_out.push(LeftOut { object: title, scope: object.scope(), span: object.span() });
    }
    cap(findings, left_out);
    kept
}

fn duplicate(
    title: &str,
    span: Option<SourceSpan>,
    first: Option<SourceSpan>,
    files: &SourceFiles,
) -> Finding {
    let place = first.map_or_else(String::new, |first| format!(" at {}", files.place(first)));
    let mut finding = Finding::new(
        codes::DUPLICATE_OBJECT,
        Severity::Error,
        format!("{title} stands in the input twice"),
        format!("keep this one or the one{place}, or give it another name"),
    )
    .about(title)
    .because("a cluster keeps one object of a name, and the input does not say which")
    .related_to(first, "the first one");
    finding.span = span;
    finding
}

/// Live pods with their workloads, and a template for each workload that has none.
fn all_pods(live: Vec<OwnedPod>, workloads: Vec<Workload>) -> Vec<Pod> {
    let owners = Owners::new(workloads.iter());
    let mut pods: Vec<Pod> = live
        .into_iter()
        .map(|owned| {
            let workload = owners.workload_of(&owned);
            Pod { workload, ..owned.pod }
        })
        .collect();
    let with_pods: HashSet<WorkloadRef> = pods.iter().map(|pod| pod.workload.clone()).collect();
    let present: HashSet<WorkloadRef> =
        workloads.iter().map(|workload| workload.id.clone()).collect();
    for workload in workloads {
        let above = owner_above(&workload);
        let is_spoken_for = above.as_ref().is_some_and(|above| present.contains(above));
        let reference = above.unwrap_or(workload.id);
        if is_spoken_for || with_pods.contains(&reference) {
            continue;
        }
        match workload.template {
            Template::Pod(pod) => pods.push(Pod { workload: reference, ..*pod }),
            Template::Spent => {}
        }
    }
    pods
}

fn sort(snapshot: &mut Snapshot) {
    snapshot.pods.sort_by(|a, b| {
        let key = |pod: &Pod| (pod.workload.kind, pod.origin);
        (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)).then_with(|| key(a).cmp(&key(b)))
    });
    snapshot.services.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    snapshot
        .entries
        .sort_by(|a, b| (&a.namespace, &a.name, a.kind).cmp(&(&b.namespace, &b.name, b.kind)));
    snapshot.left_out.sort_by(|a, b| (&a.object, a.span).cmp(&(&b.object, b.span)));
}

fn add_implied_namespaces(snapshot: &mut Snapshot) {
    let Snapshot { namespaces, nodes: _, pods, services, entries, policies, left_out: _ } =
        snapshot;
    let backends = entries.iter().flat_map(|entry| &entry.backends);
    let named = (pods.iter().map(|pod| &pod.namespace))
        .chain(services.iter().map(|service| &service.namespace))
        .chain(entries.iter().map(|entry| &entry.namespace))
        .chain(backends.map(|backend| &backend.namespace))
        .chain(policies.keys().filter_map(|id| id.namespace.as_ref()));
    for name in named {
        if !namespaces.contains_key(name) {
            namespaces.insert(name.clone(), Namespace::implied(name));
        }
    }
}
