//! What files come to while changes are made to their objects: the text of each, and which of its objects
//! do not count any more.
//!
//! A change costs the reading of what counts and of itself, however many changes came before: a file of
//! which nothing counts any more is forgotten.

use super::what_if::Difference;
use super::{Imported, ObjectName, Options, Reading, assembled};
use crate::objects::{Lowered, Object};
use crate::reader::{ImportError, Input};
use std::collections::BTreeSet;

/// A file, without some of its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingFile {
    pub name: String,
    pub text: String,
    /// Lines and columns where objects begin that were replaced or removed.
    pub gone: BTreeSet<(u32, u32)>,
}

/// Files that are read together, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub files: Vec<StandingFile>,
}

/// Files after a change.
#[derive(Debug)]
pub struct Changed {
    pub standing: Standing,
    /// What they say.
    pub imported: Imported,
    /// What the change was to remove and was not there.
    pub not_found: Vec<ObjectName>,
    /// `NetworkPolicy/shop/web` of everything that was there, where something was not found.
    pub there: Vec<String>,
}

impl Standing {
    /// Names and texts of files of which everything counts.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let file = |(name, text)| StandingFile { name, text, gone: BTreeSet::new() };
        Self { files: files.into_iter().map(file).collect() }
    }

    pub fn import(&self, options: &Options) -> Result<Imported, ImportError> {
        let mut reading = Reading::new(options);
        self.read(&mut reading)?;
        let Reading { options: _, files, lowered } = reading;
        Ok(assembled(lowered, files))
    }

    /// The objects of `change` come, each in the place of one of its name, and `removed` ones go.
    pub fn changed(
        &self,
        change: &[(String, String)],
        removed: &[ObjectName],
        options: &Options,
    ) -> Result<Changed, ImportError> {
        let mut reading = Reading::new(options);
        self.read(&mut reading)?;
        let mut base = std::mem::take(&mut reading.lowered);
        let more = Self::new(change.iter().cloned());
        more.read(&mut reading)?;
        let Reading { options: _, files, lowered: change } = reading;
        let Difference { stays, not_found } = Difference::new(&base.objects, &change, removed);
        let there = if not_found.is_empty() { &[] } else { base.objects.as_slice() };
        let there = there.iter().filter_map(written).collect();
        let mut standing = self.clone();
        let objects = std::mem::take(&mut base.objects).into_iter().zip(stays);
        for (object, stays) in objects {
            if stays {
                base.objects.push(object);
            } else if let Some(span) = object.span()
                && let Some(file) = standing.files.get_mut(span.file.index())
            {
                file.gone.insert((span.line, span.column));
            }
        }
        standing.files.extend(more.files);
        base.append(change);
        standing.forget(&base);
        Ok(Changed { standing, imported: assembled(base, files), not_found, there })
    }

    fn read(&self, reading: &mut Reading<'_>) -> Result<(), ImportError> {
        let first = reading.files.names().count();
        let text =
            |file: &StandingFile| Input::Text { name: file.name.clone(), text: file.text.clone() };
        let inputs: Vec<Input> = self.files.iter().map(text).collect();
        reading.read(&inputs)?;
        let counts = |object: &Object| {
            let Some(span) = object.span() else { return true };
            let file = span.file.index().checked_sub(first).and_then(|at| self.files.get(at));
            file.is_none_or(|file| !file.gone.contains(&(span.line, span.column)))
        };
        reading.lowered.objects.retain(counts);
        Ok(())
    }

    /// Files that had objects and have none, and nothing that was left out of them.
    fn forget(&mut self, lowered: &Lowered) {
        let of_objects = lowered.objects.iter().filter_map(Object::span);
        let of_left_out = lowered.left_out.iter().filter_map(|left_out| left_out.span);
        let used: BTreeSet<usize> =
            of_objects.chain(of_left_out).map(|span| span.file.index()).collect();
        let mut place = 0;
        self.files.retain(|file| {
            place += 1;
            file.gone.is_empty() || used.contains(&(place - 1))
        });
    }
}

fn written(object: &Object) -> Option<String> {
    let (kind, namespace, name) = object.key()?;
    Some(match namespace {
        Some(namespace) => format!("{kind}/{namespace}/{name}"),
        None => format!("{kind}/{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, label: &str) -> String {
        format!(
            "kind: {kind}\napiVersion: v1\nmetadata: {{name: {name}, labels: {{v: '{label}'}}}}\n"
        )
    }

    fn pod(name: &str, label: &str) -> String {
        object("Pod", name, label) + "spec: {containers: [{name: c}]}\n"
    }

    fn texts(texts: &[&str]) -> Vec<(String, String)> {
        texts.iter().map(|text| ("a.yaml".to_owned(), (*text).to_owned())).collect()
    }

    fn pods(imported: &Imported) -> Vec<String> {
        let pods = imported.snapshot.pods.iter();
        pods.map(|pod| format!("{} {}", pod.name, pod.labels.value("v").unwrap_or("-"))).collect()
    }

    fn apply(standing: &Standing, change: &[&str], removed: &[&str]) -> Changed {
        let removed: Vec<ObjectName> = removed.iter().map(|name| name.parse().unwrap()).collect();
        let changed = standing.changed(&texts(change), &removed, &Options::default()).unwrap();
        let again = changed.standing.import(&Options::default()).unwrap();
        assert_eq!(pods(&again), pods(&changed.imported), "read again it says the same");
        assert!(!again.has_errors(), "{:?}", again.findings);
        changed
    }

    #[test]
    fn a_change_that_is_replaced_is_forgotten() {
        let base = format!("{}---\n{}", pod("a", "0"), pod("b", "0"));
        let mut standing = Standing::new(texts(&[&base]));
        for n in 1..=9 {
            let changed = apply(&standing, &[&pod("a", &n.to_string())], &[]);
            assert_eq!(pods(&changed.imported), [format!("a {n}"), "b 0".to_owned()]);
            standing = changed.standing;
            assert_eq!(standing.files.len(), 2);
        }
        let gone = apply(&standing, &[], &["Pod/default/a"]);
        assert_eq!(pods(&gone.imported), ["b 0"]);
        assert_eq!(gone.standing.files.len(), 1);
        let changed = apply(&gone.standing, &[], &["Pod/default/a"]);
        assert_eq!(changed.not_found.len(), 1);
        assert_eq!(changed.there, ["Pod/default/b"]);
        assert_eq!(apply(&gone.standing, &[], &["Pod/default/b"]).standing.files, []);
    }

    #[test]
    fn objects_of_one_list_go_one_by_one() {
        let list = "{kind: List, apiVersion: v1, items: [\
             {kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {containers: [{name: c}]}},\
             {kind: Pod, apiVersion: v1, metadata: {name: b}, spec: {containers: [{name: c}]}}]}";
        let standing = Standing::new(texts(&[list]));
        let changed = apply(&standing, &[&pod("b", "1")], &[]);
        assert_eq!(pods(&changed.imported), ["a -", "b 1"]);
        assert_eq!(changed.standing.files.len(), 2);
    }

    #[test]
    fn pods_of_a_template_that_was_another_once_do_not_come_back() {
        let deployment = |label: &str| {
            format!(
                "kind: Deployment\napiVersion: apps/v1\nmetadata: {{name: web}}\nspec:\n  selector: \
                 {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web, v: '{label}'}}}}\n    \
                 spec: {{containers: [{{name: c}}]}}\n"
            )
        };
        let live = "kind: Pod\napiVersion: v1\nmetadata: {name: web-1-x, labels: {v: '1'}, ownerReferences: \
             [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u, controller: true}]}\n\
             spec: {containers: [{name: c}]}\n";
        let standing = Standing::new(texts(&[&deployment("1"), live]));
        let second = apply(&standing, &[&deployment("2")], &[]);
        assert_eq!(pods(&second.imported), ["web 2"]);
        let first = apply(&second.standing, &[&deployment("1")], &[]);
        assert_eq!(pods(&first.imported), ["web 1"]);
        assert_ne!(first.imported.templates, second.imported.templates);
    }
}
