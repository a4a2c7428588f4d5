//! The strict decoder: takes values out of a tree, and says what is wrong where they are not as they
//! should be.
//!
//! A getter that gives `None` for a value that is there has reported why. Null counts as absent, as
//! the API server has it.

use super::fault::Fault;
use super::node::{Entry, Key, Node, Place, Style, Value};
use super::scalar;
use crate::codes;
use finding_model::{Code, FileId, Finding, Fix, Related, Severity, SourceSpan};

/// A field, and what it would mean if the field were read past: a clause after "read without it,".
pub type Field = (&'static str, &'static str);

/// The fields that a mapping may have.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// As messages name it: `a NetworkPolicy ingress rule`.
    pub name: &'static str,
    pub fields: &'static [Field],
}

/// Collects what is wrong while one file's documents are decoded.
#[derive(Debug)]
pub struct Decoder {
    file: FileId,
    /// Who reads the object, as messages name them.
    reader: &'static str,
    /// What the person knows the object by.
    object: Option<String>,
    findings: Vec<Finding>,
    n_errors: usize,
    /// Beyond [`MAX_FINDINGS`], of which only the last is held.
    unshown: Option<Finding>,
    n_unshown: usize,
}

/// Of one decoder. A person reads fewer, and hostile input has millions.
const MAX_FINDINGS: usize = 1000;

/// Fields that another version of an API calls otherwise, which no likeness of letters tells.
const RENAMED: [(&str, &str); 2] = [("ports", "protocols"), ("protocols", "ports")];

/// The fields of one mapping.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'n, 't> {
    entries: &'n [Entry<'t>],
    pub place: Place,
    name: &'static str,
}

impl<'n, 't> Fields<'n, 't> {
    /// `None` where the field is absent or null.
    pub fn field(&self, name: &str) -> Option<&'n Node<'t>> {
        self.entries
            .iter()
            .find(|entry| entry.key.text == name)
            .map(|entry| &entry.value)
            .filter(|node| !node.is_null())
    }

    /// A field's key and value, null included, in the order of writing.
    pub fn entries(&self) -> &'n [Entry<'t>] {
        self.entries
    }

    /// The field, or a `missing-field` finding.
    pub fn required(&self, decoder: &mut Decoder, name: &str) -> Option<&'n Node<'t>> {
        let node = self.field(name);
        if node.is_none() {
            decoder.error(
                codes::MISSING_FIELD,
                self.place,
                format!("{} has no `{name}`", self.name),
                format!("add `{name}`: {} requires it", decoder.reader),
            );
        }
        node
    }
}

impl Decoder {
    /// For objects of the Kubernetes API.
    pub fn new(file: FileId) -> Self {
        Self {
            file,
            reader: "the API server",
            object: None,
            findings: Vec::new(),
            n_errors: 0,
            unshown: None,
            n_unshown: 0,
        }
    }

    /// For documents that only Weir reads.
    pub fn of_weir(file: FileId) -> Self {
        Self { reader: "weir", ..Self::new(file) }
    }

    /// Names the object that all later findings are about.
    pub fn set_object(&mut self, object: Option<String>) {
        self.object = object;
    }

    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    pub fn n_errors(&self) -> usize {
        self.n_errors
    }

    pub fn into_findings(mut self) -> Vec<Finding> {
        if let Some(last) = self.findings.last_mut().filter(|_| self.n_unshown > 0) {
            let message = format!("{} more findings of this object are not shown", self.n_unshown);
            last.related.push(Related { span: None, message });
        }
        self.findings
    }

    pub fn span(&self, place: Place) -> SourceSpan {
        let Place { line, column, length } = place;
        SourceSpan { file: self.file, line, column, length }
    }

    pub fn error(
        &mut self,
        code: Code,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Finding {
        self.report(Finding::new(code, Severity::Error, message, help), place)
    }

    pub fn warning(
        &mut self,
        code: Code,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Finding {
        self.report(Finding::new(code, Severity::Warning, message, help), place)
    }

    /// The finding can be completed through what is returned.
    fn report(&mut self, mut finding: Finding, place: Place) -> &mut Finding {
        finding.span = Some(self.span(place));
        finding.object.clone_from(&self.object);
        self.n_errors += usize::from(finding.severity == Severity::Error);
        if self.findings.len() >= MAX_FINDINGS {
            self.n_unshown += 1;
            return self.unshown.insert(finding);
        }
        self.findings.push_mut(finding)
    }

    pub fn fault(&mut self, fault: Fault) {
        let Fault { code, place, message, why, help, related, is_warning } = fault;
        let severity = if is_warning { Severity::Warning } else { Severity::Error };
        let related = related.map(|(place, message)| (self.span(place), message));
        let finding = self.report(Finding::new(code, severity, message, help), place);
        finding.why = why;
        if let Some((span, message)) = related {
            finding.related.push(Related { span: Some(span), message });
        }
    }

    /// The fields of a mapping that may have no others than those of `shape`.
    pub fn strict<'n, 't>(
        &mut self,
        node: &'n Node<'t>,
        shape: &'static Shape,
    ) -> Option<Fields<'n, 't>> {
        let fields = self.lenient(node, shape.name)?;
        for entry in fields.entries {
            if !shape.fields.iter().any(|(name, _)| *name == entry.key.text) {
                self.unknown_field(&entry.key, shape, &fields);
            }
        }
        Some(fields)
    }

    /// The fields of a mapping that may have others beside those that are asked for.
    pub fn lenient<'n, 't>(
        &mut self,
        node: &'n Node<'t>,
        name: &'static str,
    ) -> Option<Fields<'n, 't>> {
        let Value::Mapping(entries) = &node.value else {
            self.wrong_type(node, "a mapping");
            return None;
        };
        Some(Fields { entries, place: node.place, name })
    }

    fn unknown_field(&mut self, key: &Key<'_>, shape: &'static Shape, fields: &Fields<'_, '_>) {
        // Beyond what is shown there is no use in looking for what was meant.
        let is_shown = self.findings.len() < MAX_FINDINGS;
        let fields_of_shape = || shape.fields.iter().map(|(name, _)| *name);
        let other_name = RENAMED.iter().find(|(one, _)| *one == key.text).map(|(_, other)| *other);
        let near = fields_of_shape()
            .find(|name| Some(*name) == other_name)
            .or_else(|| is_shown.then(|| did_you_mean(&key.text, fields_of_shape())).flatten());
        let names: Vec<&str> = shape.fields.iter().map(|(name, _)| *name).collect();
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "remove it".to_owned(),
            None => format!("the fields are {}", listed(&names)),
        };
        let meaning = near
            .filter(|near| fields.field(near).is_none())
            .and_then(|near| shape.fields.iter().find(|(name, _)| *name == near))
            .map(|(_, meaning)| *meaning)
            .filter(|meaning| !meaning.is_empty());
        let why = match meaning {
            Some(meaning) => format!("read without it, {meaning}"),
            None => format!("{} drops or refuses it: it has no effect", self.reader),
        };
        let message = format!("unknown field `{}` in {}", key.text, shape.name);
        let finding = self.error(codes::UNKNOWN_FIELD, key.place, message, help);
        finding.why = Some(why);
        finding.fix = near
            .map(|near| Fix { summary: format!("write `{near}` for `{}`", key.text), patch: None });
    }

    /// Reports a value that is not what it should be.
    pub fn wrong_type(&mut self, node: &Node<'_>, expected: &str) {
        let found = node.value.kind();
        let is_scalar = matches!(node.value, Value::Number(_) | Value::Bool(_));
        let help = if expected == "a string" && is_scalar {
            "put it in quotes"
        } else if expected == "a number" && node.text().is_some() {
            "write the number without quotes"
        } else {
            "check the indentation, and the field's name"
        };
        let message = format!("{expected} is needed here, and this is {found}");
        self.error(codes::WRONG_TYPE, node.place, message, help);
    }

    pub fn string<'n>(&mut self, node: &'n Node<'_>) -> Option<&'n str> {
        let Value::Text { text, style } = &node.value else {
            self.wrong_type(node, "a string");
            return None;
        };
        self.check_style(text, *style, node.place);
        Some(text)
    }

    /// Warns of a plain text that YAML 1.1 reads as something else.
    pub fn check_style(&mut self, text: &str, style: Style, place: Place) {
        if style == Style::Plain
            && let Some(other) = scalar::other_meaning_of_text(text)
        {
            self.differs(text, "a string", other, place);
        }
    }

    fn differs(&mut self, text: &str, here: &str, other: &str, place: Place) {
        let message = format!("`{text}` is {here} here, and {other} to readers of YAML 1.1");
        let help = "put it in quotes if it is a text, or write a plain decimal number";
        let finding = self.warning(codes::YAML_1_1, place, message, help);
        finding.why = Some("kubectl and Helm read YAML 1.1 and may apply something else".into());
    }

    pub fn integer(&mut self, node: &Node<'_>) -> Option<i64> {
        let Value::Number(text) = &node.value else {
            self.wrong_type(node, "a number");
            return None;
        };
        if let Some(other) = scalar::other_meaning_of_number(text) {
            self.differs(text, "a number", other, node.place);
        }
        let number = scalar::integer(text);
        if number.is_none() {
            let message = format!("a whole number is needed here, and this is {text}");
            self.error(codes::WRONG_TYPE, node.place, message, "write a whole number");
        }
        number
    }

    pub fn boolean(&mut self, node: &Node<'_>) -> Option<bool> {
        match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Null
            | Value::Number(_)
            | Value::Text { .. }
            | Value::Sequence(_)
            | Value::Mapping(_) => {
                self.wrong_type(node, "a boolean");
                None
            }
        }
    }

    pub fn sequence<'n, 't>(&mut self, node: &'n Node<'t>) -> Option<&'n [Node<'t>]> {
        match &node.value {
            Value::Sequence(items) => Some(items),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text { .. }
            | Value::Mapping(_) => {
                self.wrong_type(node, "a list");
                None
            }
        }
    }

    /// Every item by one reader; `None` if any has failed, after all have been read.
    pub fn all<'n, 't, T>(
        &mut self,
        items: &'n [Node<'t>],
        mut read: impl FnMut(&mut Self, &'n Node<'t>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut values = Some(Vec::with_capacity(items.len()));
        for item in items {
            match (read(self, item), &mut values) {
                (Some(value), Some(values)) => values.push(value),
                (Some(_), None) => {}
                (None, _) => values = None,
            }
        }
        values
    }

    /// One of a few words, by a table of what they stand for.
    pub fn word<T: Copy>(&mut self, node: &Node<'_>, code: Code, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match did_you_mean(text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {}", listed(&names)),
        };
        self.error(code, node.place, format!("`{text}` is none of {}", listed(&names)), help);
        None
    }
}

/// The candidate that a person most likely meant: a small slip, or another case.
pub fn did_you_mean<'c>(
    written: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    // Far longer than any name, and it keeps the comparison quick.
    if written.len() > 64 {
        return None;
    }
    let lower = written.to_lowercase();
    candidates
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len().max(written.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance < name.len())
        .map(|(_, name)| name)
}

/// `a`, `a or b`, `a, b or c`, each in backquotes.
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["from", "ports", "ipBlock", "podSelector", "namespaceSelector"];
        let near = |written| did_you_mean(written, names.into_iter());
        assert_eq!(near("form"), Some("from"));
        assert_eq!(near("port"), Some("ports"));
        assert_eq!(near("ipblock"), Some("ipBlock"));
        assert_eq!(near("podSelectors"), Some("podSelector"));
        assert_eq!(near("nameSpaceSelector"), Some("namespaceSelector"));
        assert_eq!(near("to"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near(&"x".repeat(100)), None);
    }
}
