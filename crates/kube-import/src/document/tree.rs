//! Builds the tree of a document from a stream of events, within limits.
//!
//! The stream may be hostile. Nothing here recurses except over trees that already satisfy the depth
//! limit. Aliases are expanded by copying, and each copied node is paid for.

use super::fault::Fault;
use super::node::{Entry, Key, Node, Place, Style, Value};
use crate::codes;
use std::collections::HashMap;

/// What one document may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Levels of lists and mappings.
    pub depth: usize,
    /// Values, those that aliases repeat included.
    pub nodes: usize,
    /// Values that aliases may repeat.
    pub alias_nodes: usize,
    /// Characters that one scalar, comment or flow collection (`{…}`, `[…]`) outside JSON may take.
    pub flow_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100, nodes: 4_000_000, alias_nodes: 200_000, flow_chars: 2_000_000 }
    }
}

/// Which subtrees are checked for syntax and then forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Everything,
    /// Without the parts of Kubernetes objects that are large and say nothing of reachability:
    /// `managedFields`, and most of `status`.
    WhatObjectsNeed,
}

const STATUS_FIELDS: [&str; 7] =
    ["phase", "podIP", "podIPs", "addresses", "conditions", "completionTime", "type"];

#[derive(Debug)]
pub(crate) struct Tree<'t> {
    pub root: Option<Node<'t>>,
    pub faults: Vec<Fault>,
}

/// Of one document: enough to know that it is not to be trusted.
const MAX_FAULTS: usize = 1000;

/// Zero stands for "no anchor".
pub(crate) type AnchorId = usize;

#[derive(Debug)]
pub(crate) struct TreeBuilder<'t> {
    limits: Limits,
    keep: Keep,
    frames: Vec<Frame<'t>>,
    /// Levels below a forgotten subtree's root; its events are only counted.
    forgotten_depth: usize,
    anchors: HashMap<AnchorId, Node<'t>>,
    n_nodes: usize,
    n_alias_nodes: usize,
    tree: Tree<'t>,
}

#[derive(Debug)]
struct Frame<'t> {
    place: Place,
    anchor: AnchorId,
    content: Content<'t>,
}

#[derive(Debug)]
enum Content<'t> {
    Sequence(Vec<Node<'t>>),
    Mapping { entries: Vec<Entry<'t>>, key: Option<Key<'t>>, merged: Vec<Entry<'t>> },
}

impl<'t> TreeBuilder<'t> {
    pub(crate) fn new(limits: Limits, keep: Keep) -> Self {
        Self {
            limits,
            keep,
            frames: Vec::new(),
            forgotten_depth: 0,
            anchors: HashMap::new(),
            n_nodes: 0,
            n_alias_nodes: 0,
            tree: Tree { root: None, faults: Vec::new() },
        }
    }

    pub(crate) fn finish(self) -> Tree<'t> {
        self.tree
    }

    pub(crate) fn warn(&mut self, fault: Fault) {
        if self.tree.faults.len() >= MAX_FAULTS {
            return;
        }
        self.tree.faults.push(Fault { is_warning: true, ..fault });
    }

    pub(crate) fn start_sequence(
        &mut self,
        place: Place,
        anchor: AnchorId,
    ) -> Result<(), Box<Fault>> {
        self.start(place, anchor, Content::Sequence(Vec::new()))
    }

    pub(crate) fn start_mapping(
        &mut self,
        place: Place,
        anchor: AnchorId,
    ) -> Result<(), Box<Fault>> {
        let content = Content::Mapping { entries: Vec::new(), key: None, merged: Vec::new() };
        self.start(place, anchor, content)
    }

    fn start(
        &mut self,
        place: Place,
        anchor: AnchorId,
        content: Content<'t>,
    ) -> Result<(), Box<Fault>> {
        if self.frames.len() + self.forgotten_depth >= self.limits.depth {
            return Err(self.too_deep(place));
        }
        if self.forgotten_depth > 0 || self.is_forgotten() {
            self.forgotten_depth += 1;
            return Ok(());
        }
        if self.key_is_expected() {
            return Err(not_a_key(place));
        }
        self.frames.push(Frame { place, anchor, content });
        Ok(())
    }

    /// `end` is the first place after a flow collection, `None` for a block.
    pub(crate) fn end(&mut self, end: Option<Place>) -> Result<(), Box<Fault>> {
        if self.forgotten_depth > 0 {
            self.forgotten_depth -= 1;
            return if self.forgotten_depth == 0 {
                self.put(Node { value: Value::Null, place: NOWHERE })
            } else {
                Ok(())
            };
        }
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let mut place = frame.place;
        let value = match frame.content {
            Content::Sequence(items) => Value::Sequence(items),
            Content::Mapping { mut entries, key: _, merged } => {
                self.check_duplicates(&entries);
                merge(&mut entries, merged);
                Value::Mapping(entries)
            }
        };
        place.length = collection_length(place, end, &value);
        let node = Node { value, place };
        self.remember(frame.anchor, &node)?;
        self.put(node)
    }

    pub(crate) fn scalar(
        &mut self,
        value: Value<'t>,
        place: Place,
        anchor: AnchorId,
    ) -> Result<(), Box<Fault>> {
        if self.forgotten_depth > 0 {
            return Ok(());
        }
        let node = Node { value, place };
        self.remember(anchor, &node)?;
        self.put(node)
    }

    /// A mapping's key as it is written, before it is known to be one.
    pub(crate) fn key_is_expected(&self) -> bool {
        self.forgotten_depth == 0
            && matches!(
                self.frames.last(),
                Some(Frame { content: Content::Mapping { key: None, .. }, .. })
            )
    }

    pub(crate) fn key(&mut self, key: Key<'t>, anchor: AnchorId) -> Result<(), Box<Fault>> {
        if anchor != 0 {
            let value = Value::Text { text: key.text.clone(), style: key.style };
            self.remember(anchor, &Node { value, place: key.place })?;
        }
        if let Some(Frame { content: Content::Mapping { key: slot, .. }, .. }) =
            self.frames.last_mut()
        {
            *slot = Some(key);
        }
        Ok(())
    }

    pub(crate) fn alias(&mut self, anchor: AnchorId, place: Place) -> Result<(), Box<Fault>> {
        if self.forgotten_depth > 0 {
            return Ok(());
        }
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Fault::new(
                codes::BROKEN_YAML,
                place,
                "the alias stands inside its own anchor",
                "repeat the text instead of the alias",
            ));
        };
        let (n_nodes, height) = node.size();
        let node = node.clone();
        self.pay_for_copy(n_nodes, place)?;
        if self.frames.len() + height > self.limits.depth {
            return Err(self.too_deep(place));
        }
        if self.key_is_expected() {
            return match node.value {
                Value::Text { text, style } => self.key(Key { text, style, place }, 0),
                Value::Number(text) => self.key(Key { text, style: Style::Plain, place }, 0),
                Value::Null | Value::Bool(_) | Value::Sequence(_) | Value::Mapping(_) => {
                    Err(not_a_key(place))
                }
            };
        }
        self.put(node)
    }

    /// An anchor keeps a copy, so it costs as much as an alias.
    fn remember(&mut self, anchor: AnchorId, node: &Node<'t>) -> Result<(), Box<Fault>> {
        if anchor != 0 {
            self.pay_for_copy(node.size().0, node.place)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn pay_for_copy(&mut self, n_nodes: usize, place: Place) -> Result<(), Box<Fault>> {
        self.n_alias_nodes = self.n_alias_nodes.saturating_add(n_nodes);
        if self.n_alias_nodes > self.limits.alias_nodes {
            return Err(Fault::new(
                codes::ALIAS_BOMB,
                place,
                format!("aliases repeat more than {} values", self.limits.alias_nodes),
                "write out what the aliases stand for, or split the document",
            ));
        }
        Ok(())
    }

    fn put(&mut self, node: Node<'t>) -> Result<(), Box<Fault>> {
        self.n_nodes += 1;
        if self.n_nodes > self.limits.nodes {
            return Err(Fault::new(
                codes::DOCUMENT_TOO_LARGE,
                node.place,
                format!("the document has more than {} values", self.limits.nodes),
                "split the document with `---` lines",
            ));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.tree.root = Some(node);
            return Ok(());
        };
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key, merged } => {
                let Some(key) = key.take() else { return Err(not_a_key(node.place)) };
                if node.place == NOWHERE {
                    return Ok(());
                }
                if key.text == "<<" && key.style == Style::Plain {
                    return collect_merge(node, merged);
                }
                entries.push(Entry { key, value: node });
            }
        }
        Ok(())
    }

    fn is_forgotten(&self) -> bool {
        if self.keep == Keep::Everything {
            return false;
        }
        let Some(Content::Mapping { key: Some(key), .. }) = self.frames.last().map(|f| &f.content)
        else {
            return false;
        };
        match self.parent_key() {
            Some("metadata") => key.text == "managedFields",
            Some("status") => !STATUS_FIELDS.contains(&key.text.as_ref()),
            Some(_) | None => false,
        }
    }

    /// The key under which the innermost collection stands.
    fn parent_key(&self) -> Option<&str> {
        let above = self.frames.len().checked_sub(2)?;
        match &self.frames.get(above)?.content {
            Content::Mapping { key, .. } => key.as_ref().map(|key| key.text.as_ref()),
            Content::Sequence(_) => None,
        }
    }

    fn check_duplicates(&mut self, entries: &[Entry<'t>]) {
        let mut keys: Vec<&Key<'t>> = entries.iter().map(|entry| &entry.key).collect();
        if keys.len() > 1 {
            keys.sort_by(|a, b| (&a.text, a.place).cmp(&(&b.text, b.place)));
        }
        for (first, second) in keys.iter().zip(keys.iter().skip(1)) {
            if first.text != second.text || self.tree.faults.len() >= MAX_FAULTS {
                continue;
            }
            let mut fault = Fault::new(
                codes::DUPLICATE_KEY,
                second.place,
                format!("the key `{}` stands twice in one mapping", second.text),
                "keep one of them, or join what they say",
            );
            fault.why = Some("most readers keep only the last one and drop the other".into());
            fault.related = Some((first.place, format!("`{}` stands here first", first.text)));
            self.tree.faults.push(*fault);
        }
    }

    pub(super) fn too_deep(&self, place: Place) -> Box<Fault> {
        Fault::new(
            codes::NESTING_TOO_DEEP,
            place,
            format!("lists and mappings are nested more than {} deep", self.limits.depth),
            "no Kubernetes object is nested this deep: check the brackets and the indentation",
        )
    }
}

/// Stands for a forgotten subtree on its way to [`TreeBuilder::put`], which drops it.
const NOWHERE: Place = Place { line: 0, column: 0, length: 0 };

fn not_a_key(place: Place) -> Box<Fault> {
    Fault::new(
        codes::BROKEN_YAML,
        place,
        "a mapping's key is a list or a mapping",
        "write a plain text as the key; a template's `{{ … }}` must be rendered first",
    )
}

/// The value of `<<`: a mapping, or a list of them, of which the first wins.
fn collect_merge<'t>(node: Node<'t>, merged: &mut Vec<Entry<'t>>) -> Result<(), Box<Fault>> {
    let place = node.place;
    match node.value {
        Value::Mapping(entries) => merged.extend(entries),
        Value::Sequence(items) => {
            for item in items {
                let Value::Mapping(entries) = item.value else {
                    return Err(bad_merge(item.place));
                };
                merged.extend(entries);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text { .. } => {
            return Err(bad_merge(place));
        }
    }
    Ok(())
}

fn bad_merge(place: Place) -> Box<Fault> {
    Fault::new(
        codes::BROKEN_YAML,
        place,
        "`<<` merges something that is not a mapping",
        "give it an alias of a mapping, or a list of such aliases",
    )
}

/// A mapping's own keys win over merged ones, and earlier merged ones over later.
fn merge<'t>(entries: &mut Vec<Entry<'t>>, merged: Vec<Entry<'t>>) {
    if merged.is_empty() {
        return;
    }
    let mut taken: std::collections::HashSet<_> =
        entries.iter().map(|entry| entry.key.text.clone()).collect();
    entries.extend(merged.into_iter().filter(|entry| taken.insert(entry.key.text.clone())));
}

/// A flow collection on one line is as long as it is written; else what stands on its first line.
fn collection_length(start: Place, end: Option<Place>, value: &Value<'_>) -> u32 {
    let end_column = match end.filter(|end| end.line == start.line) {
        Some(end) => Some(end.column),
        None => match value {
            Value::Sequence(items) => items
                .iter()
                .take_while(|item| item.place.line == start.line)
                .last()
                .map(|item| item.place.end()),
            Value::Mapping(entries) => {
                entries.iter().take_while(|entry| entry.key.place.line == start.line).last().map(
                    |entry| {
                        let is_beside = entry.value.place.line == start.line;
                        let end = if is_beside { entry.value.place.end() } else { 0 };
                        end.max(entry.key.place.end().saturating_add(1))
                    },
                )
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text { .. } => None,
        },
    };
    end_column.unwrap_or(0).saturating_sub(start.column).max(1)
}
