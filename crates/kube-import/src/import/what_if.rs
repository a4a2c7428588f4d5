//! Manifests before and after a change: objects are replaced or removed by kind, namespace and name.
//!
//! A workload whose template changed is taken to be rolled out: the pods that the input has of it go, and
//! its template stands for those to come. A workload that is removed takes its pods along.

use super::{Imported, Options, Reading, assembled};
use crate::objects::{Lowered, Object, Template, Workload};
use crate::owners::{Owners, owner_above};
use crate::reader::{self, ImportError, Input};
use finding_model::SourceFiles;
use policy_model::{Pod, WorkloadRef};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::str::FromStr;

/// An object as a person names it: `NetworkPolicy/shop/web`, `Node/worker-1`. Upper and lower case of
/// the kind do not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    kind: String,
    namespace: Option<String>,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no object: write KIND/NAMESPACE/NAME, or KIND/NAME where there is no namespace"
)]
pub struct ObjectNameError(String);

/// The same input without and with a change.
#[derive(Debug)]
pub struct WhatIf {
    pub before: Imported,
    /// Its files are those of `before` and of the change.
    pub after: Imported,
    /// Objects to remove that the input does not have.
    pub not_found: Vec<ObjectName>,
}

impl FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, ObjectNameError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, namespace, name] => (kind, Some((*namespace).to_owned()), name),
            [kind, name] => (kind, None, name),
            _ => return Err(ObjectNameError(text.to_owned())),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(ObjectNameError(text.to_owned()));
        }
        let (kind, name) = (kind.to_ascii_lowercase(), (*name).to_owned());
        Ok(Self { kind, namespace, name })
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

impl ObjectName {
    fn of(object: &Object) -> Option<Self> {
        let (kind, namespace, name) = object.key()?;
        let namespace = namespace.map(str::to_owned);
        Some(Self { kind: kind.to_ascii_lowercase(), namespace, name: name.to_owned() })
    }
}

/// Reads the input, and what it would be with the objects of `change` in it and without `removed`.
pub fn import_what_if(
    base: &[Input],
    change: &[Input],
    removed: &[ObjectName],
    options: &Options,
) -> Result<WhatIf, ImportError> {
    let mut reading = Reading::new(options);
    reading.read(base)?;
    let files = reading.files.clone();
    let base = std::mem::take(&mut reading.lowered);
    reading.read(change)?;
    let Reading { options: _, files: all_files, lowered: change } = reading;
    let before = assembled(base.clone(), files);
    let (after, not_found) = changed(base, change, removed);
    Ok(WhatIf { before, after: assembled(after, all_files), not_found })
}

/// The objects after the change, and what it was to remove and was not there.
fn changed(
    mut base: Lowered,
    change: Lowered,
    removed: &[ObjectName],
) -> (Lowered, Vec<ObjectName>) {
    let Difference { mut stays, not_found } = Difference::new(&base.objects, &change, removed);
    base.objects.retain(|_| stays.pop_front().unwrap_or(true));
    base.append(change);
    (base, not_found)
}

/// What a change does to objects that are there.
pub(super) struct Difference {
    /// For each of them, in order.
    pub stays: VecDeque<bool>,
    /// What the change was to remove and is not there.
    pub not_found: Vec<ObjectName>,
}

impl Difference {
    pub(super) fn new(base: &[Object], change: &Lowered, removed: &[ObjectName]) -> Self {
        let present: HashSet<ObjectName> = base.iter().filter_map(ObjectName::of).collect();
        let mut replaced: HashSet<ObjectName> =
            change.objects.iter().filter_map(ObjectName::of).collect();
        let not_found = removed.iter().filter(|name| !present.contains(*name)).cloned().collect();
        let rolled = rolled_out(base, &change.objects, removed);
        replaced.extend(removed.iter().cloned());
        let owners = Owners::new(base.iter().filter_map(as_workload));
        let stays = |object: &Object| {
            let follows = match object {
                Object::Pod(owned) => rolled.contains(&owners.workload_of(owned)),
                Object::Workload(workload) => {
                    owner_above(workload).is_some_and(|above| rolled.contains(&above))
                }
                Object::Namespace(_)
                | Object::Node(_)
                | Object::Terminated
                | Object::Service(_)
                | Object::Entry(_)
                | Object::Policy(_) => false,
            };
            !follows && ObjectName::of(object).is_none_or(|name| !replaced.contains(&name))
        };
        Self { stays: base.iter().map(stays).collect(), not_found }
    }
}

/// Workloads that are removed, or whose template is another one in the change.
fn rolled_out(base: &[Object], change: &[Object], removed: &[ObjectName]) -> HashSet<WorkloadRef> {
    let known: HashMap<&WorkloadRef, &Template> = base
        .iter()
        .filter_map(as_workload)
        .map(|workload| (&workload.id, &workload.template))
        .collect();
    let is_changed = |workload: &&Workload| {
        known.get(&workload.id).is_none_or(|template| !is_same(template, &workload.template))
    };
    let is_removed =
        |object: &&Object| ObjectName::of(object).is_some_and(|name| removed.contains(&name));
    let changed = change.iter().filter_map(as_workload).filter(is_changed);
    let gone = base.iter().filter(is_removed).filter_map(as_workload);
    changed.chain(gone).map(|workload| workload.id.clone()).collect()
}

fn as_workload(object: &Object) -> Option<&Workload> {
    match object {
        Object::Workload(workload) => Some(workload),
        Object::Pod(_)
        | Object::Namespace(_)
        | Object::Node(_)
        | Object::Terminated
        | Object::Service(_)
        | Object::Entry(_)
        | Object::Policy(_) => None,
    }
}

fn is_same(a: &Template, b: &Template) -> bool {
    match (a, b) {
        (Template::Pod(a), Template::Pod(b)) => {
            let without_place = |pod: &Pod| Pod { span: None, ..pod.clone() };
            without_place(a) == without_place(b)
        }
        (Template::Spent, Template::Spent) => true,
        (Template::Pod(_), Template::Spent) | (Template::Spent, Template::Pod(_)) => false,
    }
}

impl<'o> Reading<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        Self { options, files: SourceFiles::default(), lowered: Lowered::default() }
    }

    pub(super) fn read(&mut self, inputs: &[Input]) -> Result<(), ImportError> {
        let sources = reader::sources(inputs, &mut self.lowered.findings)?;
        self.sources(sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(base: &str, change: &str, removed: &[&str]) -> WhatIf {
        let input = |text: &str| Input::Text { name: "a.yaml".to_owned(), text: text.to_owned() };
        let removed: Vec<ObjectName> = removed.iter().map(|name| name.parse().unwrap()).collect();
        let options = Options::default();
        import_what_if(&[input(base)], &[input(change)], &removed, &options).unwrap()
    }

    fn pods(imported: &Imported) -> Vec<String> {
        let version = |pod: &Pod| pod.labels.value("v").unwrap_or("-").to_owned();
        let pods = imported.snapshot.pods.iter();
        pods.map(|pod| format!("{} {:?} {}", pod.name, pod.origin, version(pod))).collect()
    }

    fn deployment(version: &str) -> String {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\n\
             spec:\n  selector: {{matchLabels: {{v: '{version}'}}}}\n  template:\n    \
             metadata: {{labels: {{v: '{version}'}}}}\n    \
             spec: {{containers: [{{name: c, image: i}}]}}\n"
        )
    }

    fn with_pod(version: &str) -> String {
        deployment(version)
            + "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web-5d9-x\n  namespace: shop\n  \
               labels: {v: '1', pod-template-hash: 5d9}\n  ownerReferences: [{apiVersion: apps/v1, \
               kind: ReplicaSet, name: web-5d9, uid: u, controller: true}]\n\
               spec: {containers: [{name: c, image: i}]}\n"
    }

    #[test]
    fn a_changed_template_is_rolled_out() {
        let world = after(&with_pod("1"), &deployment("2"), &[]);
        assert_eq!(pods(&world.before), ["web-5d9-x Live 1"]);
        assert_eq!(pods(&world.after), ["web Template 2"]);
        assert!(!world.after.has_errors(), "{:?}", world.after.findings);
    }

    #[test]
    fn a_template_that_stays_keeps_its_pods() {
        let world = after(&with_pod("1"), &deployment("1"), &[]);
        assert_eq!(pods(&world.after), pods(&world.before));
    }

    #[test]
    fn a_removed_workload_takes_its_pods_along() {
        let world = after(&with_pod("1"), "", &["deployment/shop/web", "Pod/shop/none"]);
        assert_eq!(pods(&world.after), Vec::<String>::new());
        assert_eq!(world.not_found, ["pod/shop/none".parse().unwrap()]);
    }

    #[test]
    fn names_have_two_or_three_parts() {
        for bad in ["", "web", "a/b/c/d", "NetworkPolicy//web", "/a"] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
        let name: ObjectName = "NetworkPolicy/shop/web".parse().unwrap();
        assert_eq!(name.to_string(), "networkpolicy/shop/web");
    }
}
