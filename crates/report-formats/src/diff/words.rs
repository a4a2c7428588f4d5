//! What decided, in words.

use super::{DiffCounts, DiffReport};
use crate::check::deciding::{Deciding, DecidingPolicy};
use crate::counted;
use finding_model::SourceFiles;
use policy_engine::{Cause, Program, Verdict};
use policy_model::Direction;

/// Verdict and cause of egress and ingress, in this order, of one version.
pub(super) type Causes = [(Verdict, Cause); 2];

/// `denied by NetworkPolicy shop/web: none of its ingress rules matches (shop/web.yaml:3)`.
pub(super) fn decided(
    program: &Program,
    files: &SourceFiles,
    verdict: Verdict,
    causes: Option<Causes>,
) -> String {
    let participle = match verdict {
        Verdict::Allow => "allowed",
        Verdict::Deny => "denied",
        Verdict::Undefined => "undefined",
    };
    let Some(causes) = causes else { return participle.to_owned() };
    let directions = [Direction::Egress, Direction::Ingress];
    let sides: Vec<String> = directions
        .into_iter()
        .zip(causes)
        .filter(|(_, (of_side, _))| *of_side == verdict)
        .filter_map(|(direction, (_, cause))| side(program, files, direction, cause))
        .collect();
    if sides.is_empty() {
        return match verdict {
            Verdict::Allow => format!("{participle}: no policy applies"),
            Verdict::Deny | Verdict::Undefined => participle.to_owned(),
        };
    }
    format!("{participle} by {}", sides.join(" and "))
}

/// `None` where no policy spoke.
fn side(
    program: &Program,
    files: &SourceFiles,
    direction: Direction,
    cause: Cause,
) -> Option<String> {
    let DecidingPolicy { kind, path, rule, place } = Deciding::of(program, files, cause).policy?;
    let place = place.map_or_else(String::new, |(file, line)| format!(" ({file}:{line})"));
    Some(match rule {
        Some(rule) => {
            let name = rule.name.map_or_else(String::new, |name| format!(" \"{name}\""));
            format!("{kind} {path} {direction}[{}]{name}{place}", rule.index)
        }
        None => format!("{kind} {path}, of which no {direction} rule matches{place}"),
    })
}

impl DiffReport<'_> {
    /// `2 connections loosened, 1 tightened; 1 workload appeared`.
    pub(super) fn headline(&self, counts: &DiffCounts) -> String {
        if counts.is_equal() {
            return "no differences: every connection is as it was".to_owned();
        }
        let mut parts = vec![format!(
            "{} loosened, {} tightened",
            counted(counts.loosened, "connection"),
            counts.tightened
        )];
        for (number, verb) in [(counts.appeared, "appeared"), (counts.disappeared, "disappeared")] {
            if number > 0 {
                parts.push(format!("{} {verb}", counted(number, self.noun())));
            }
        }
        parts.join("; ")
    }
}
