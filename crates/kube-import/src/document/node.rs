//! One value of a document, with the place where it stands.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A place in the file. Lines and columns count from 1, columns and lengths in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u32,
    pub column: u32,
    pub length: u32,
}

impl Place {
    /// The first column after it.
    pub(crate) fn end(self) -> u32 {
        self.column.saturating_add(self.length)
    }
}

/// Never nested deeper than [`Limits::depth`](super::Limits), so that recursion over it is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<'t> {
    pub value: Value<'t>,
    pub place: Place,
}

/// As the core schema of YAML 1.2 reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'t> {
    Null,
    Bool(bool),
    /// As written.
    Number(Cow<'t, str>),
    Text {
        text: Cow<'t, str>,
        style: Style,
    },
    Sequence(Vec<Node<'t>>),
    Mapping(Vec<Entry<'t>>),
}

/// Whether a text had quotes, which decides what other versions of YAML make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Quoted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    pub key: Key<'t>,
    pub value: Node<'t>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'t> {
    pub text: Cow<'t, str>,
    pub style: Style,
    pub place: Place,
}

impl<'t> Node<'t> {
    /// The value of a key of a mapping, also where it is null; `None` for anything else.
    pub fn child(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => {
                entries.iter().find(|entry| entry.key.text == key).map(|entry| &entry.value)
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text { .. }
            | Value::Sequence(_) => None,
        }
    }

    /// The text of a text value, without complaint about anything else.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The same number for the same value, wherever it stands and whatever the order of its keys.
    pub(crate) fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        std::mem::discriminant(&self.value).hash(&mut hasher);
        match &self.value {
            Value::Null => {}
            Value::Bool(value) => value.hash(&mut hasher),
            Value::Number(text) | Value::Text { text, style: _ } => text.hash(&mut hasher),
            Value::Sequence(items) => items.iter().for_each(|item| item.print().hash(&mut hasher)),
            Value::Mapping(entries) => {
                let entry = |entry: &Entry<'_>| {
                    let mut hasher = DefaultHasher::new();
                    (&entry.key.text, entry.value.print()).hash(&mut hasher);
                    hasher.finish()
                };
                entries.iter().map(entry).fold(0, u64::wrapping_add).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Nodes of the subtree and its height, for the limits.
    pub(crate) fn size(&self) -> (usize, usize) {
        let children: Vec<(usize, usize)> = match &self.value {
            Value::Sequence(items) => items.iter().map(Node::size).collect(),
            Value::Mapping(entries) => entries.iter().map(|entry| entry.value.size()).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text { .. } => {
                return (1, 1);
            }
        };
        let n_nodes = children.iter().fold(1_usize, |sum, (n, _)| sum.saturating_add(*n));
        (n_nodes, 1 + children.iter().map(|(_, height)| *height).max().unwrap_or(0))
    }
}

impl Value<'_> {
    /// What the value is, with its article, as messages say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text { .. } => "a string",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}
