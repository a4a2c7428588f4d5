//! What is compared, and what is believed.

use crate::audit::{AuditPolicy, Span};
use crate::install::BreakGlass;
use crate::names::GATEWAY_IDENTITY;

/// What a coverage is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The cluster of the log, as recordings call it; all recordings are of it where nothing is said.
    pub cluster: Option<String>,
    /// Microseconds since 1970 (UTC); the whole log where nothing is said.
    pub from_us: Option<i64>,
    pub until_us: Option<i64>,
    /// As whom gateways speak to the API server.
    pub gateways: Vec<String>,
    pub break_glass: BreakGlass,
    /// How far clocks of the gateway and of API servers may be apart.
    pub skew_us: i64,
    /// How many API servers there are, each with a log of its own.
    pub servers: Option<usize>,
    pub audit_policy: Option<AuditPolicy>,
    /// Whether reading of logs is compared too.
    pub with_logs: bool,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            cluster: None,
            from_us: None,
            until_us: None,
            gateways: vec![GATEWAY_IDENTITY.to_owned()],
            break_glass: BreakGlass::default(),
            skew_us: 5_000_000,
            servers: None,
            audit_policy: None,
            with_logs: false,
        }
    }
}

impl Question {
    pub(super) fn is_gateway(&self, user: &str) -> bool {
        self.gateways.iter().any(|gateway| gateway == user)
    }

    /// The time that is asked about: what is said, or what all logs have in common.
    pub(super) fn window<'known>(
        &self,
        extents: impl Iterator<Item = &'known Span> + Clone,
    ) -> Option<Span> {
        let from_us = self.from_us.or_else(|| extents.clone().map(|span| span.from_us).max())?;
        let until_us = self.until_us.or_else(|| extents.map(|span| span.until_us).min())?;
        (from_us <= until_us).then_some(Span { from_us, until_us })
    }
}
