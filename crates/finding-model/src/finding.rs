//! One finding.

use crate::SourceSpan;
use std::fmt;

/// A finding's kebab-case name. It never changes its meaning; scripts and suppressions rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Ordered: `Info < Warning < Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Another place that matters to the finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Related {
    pub span: Option<SourceSpan>,
    pub message: String,
}

/// A change that removes the finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fix {
    pub summary: String,
    /// YAML to write in place of, or beside, what is there.
    pub patch: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub severity: Severity,
    /// `None` where the finding is about something that is missing.
    pub span: Option<SourceSpan>,
    /// What the person knows it by: `NetworkPolicy shop/web`.
    pub object: Option<String>,
    /// One lowercase sentence without a full stop: what is wrong.
    pub message: String,
    /// Why it matters, or what it would have meant.
    pub why: Option<String>,
    /// A concrete connection that shows it: `shop/web → pay/db 5432/tcp`.
    pub witness: Option<String>,
    /// What to do next.
    pub help: String,
    pub fix: Option<Fix>,
    pub related: Vec<Related>,
}

impl Finding {
    pub fn new(
        code: Code,
        severity: Severity,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            span: None,
            object: None,
            message: message.into(),
            why: None,
            witness: None,
            help: help.into(),
            fix: None,
            related: Vec::new(),
        }
    }

    #[must_use]
    pub fn at(mut self, span: SourceSpan) -> Self {
        self.span = Some(span);
        self
    }

    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub fn witnessed_by(mut self, witness: impl Into<String>) -> Self {
        self.witness = Some(witness.into());
        self
    }

    #[must_use]
    pub fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    #[must_use]
    pub fn related_to(mut self, span: Option<SourceSpan>, message: impl Into<String>) -> Self {
        self.related.push(Related { span, message: message.into() });
        self
    }
}
