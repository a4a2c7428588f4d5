//! The parts of a line that `weir check --batch` answers with.
//!
//! A line is put together from parts that are rendered once for each rule that decides, so that a
//! million answers do not serialise the same names a million times.

use super::deciding::Deciding;
use crate::json::write_part;
use finding_model::SourceFiles;
use policy_engine::{Program, Reason, Reasons, Side};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct SidePart<'a> {
    verdict: &'static str,
    tier: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
}

impl<'a> SidePart<'a> {
    pub(crate) fn of(program: &'a Program, files: &'a SourceFiles, side: Side) -> Self {
        let Deciding { tier, policy } = Deciding::of(program, files, side.cause);
        let place = policy.as_ref().and_then(|policy| policy.place);
        Self {
            verdict: side.verdict.as_str(),
            tier: tier.as_str(),
            kind: policy.as_ref().map(|policy| policy.kind.as_str()),
            rule: policy.as_ref().and_then(|policy| Some(policy.rule.as_ref()?.index)),
            policy: policy.map(|policy| policy.path),
            file: place.map(|(file, _)| file),
            line: place.map(|(_, line)| line),
            reasons: reason_codes(side.reasons),
        }
    }
}

pub(crate) fn reason_codes(reasons: Reasons) -> Vec<&'static str> {
    reasons.iter().map(Reason::code).collect()
}

/// `{"verdict":"allow","tier":"NetworkPolicy","policy":"shop/web-out",…}`.
pub fn side(program: &Program, files: &SourceFiles, side: Side) -> Vec<u8> {
    part(&SidePart::of(program, files, side))
}

/// `["host-network"]`.
pub fn reasons(reasons: Reasons) -> Vec<u8> {
    part(&reason_codes(reasons))
}

/// A JSON string in which every character shows.
pub fn text(text: &str) -> Vec<u8> {
    part(&text)
}

fn part(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A vector takes every write, and these values have no map with keys that are not text.
    match write_part(&mut bytes, value) {
        Ok(()) => bytes,
        Err(_) => b"null".to_vec(),
    }
}
