//! What decided, in words.

use super::grouped::Section;
use super::{DiffCounts, DiffReport};
use crate::check::deciding::{Deciding, DecidingPolicy};
use crate::counted;
use finding_model::SourceFiles;
use policy_engine::{Cause, Presence, Program, Verdict};
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

impl Section {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Loosened => "loosened",
            Self::Tightened => "tightened",
            Self::Appeared => "appeared",
            Self::Disappeared => "disappeared",
            Self::Within => "within",
        }
    }

    pub(super) fn number(self, counts: &DiffCounts) -> usize {
        match self {
            Self::Loosened => counts.loosened,
            Self::Tightened => counts.tightened,
            Self::Appeared => counts.appeared,
            Self::Disappeared => counts.disappeared,
            Self::Within => counts.within,
        }
    }

    /// What the number counts.
    pub(super) fn noun(self, report: &DiffReport<'_>) -> &'static str {
        match self {
            Self::Loosened | Self::Tightened => "connection",
            Self::Appeared | Self::Disappeared | Self::Within => report.noun(),
        }
    }

    pub(super) fn presence(self) -> Presence {
        match self {
            Self::Loosened | Self::Tightened | Self::Within => Presence::Both,
            Self::Appeared => Presence::Appeared,
            Self::Disappeared => Presence::Disappeared,
        }
    }

    pub(super) fn remark(self) -> Option<&'static str> {
        const NO_DIFFERENCE: &str =
            "Between its own pods, of which a map has no row; the exit code does not count it.";
        (self == Self::Within).then_some(NO_DIFFERENCE)
    }
}

impl DiffReport<'_> {
    /// `2 connections loosened, 1 tightened; 1 workload appeared`.
    pub(super) fn headline(&self, counts: &DiffCounts) -> String {
        let within = match counts.within {
            0 => String::new(),
            number => format!("; {} changed within", counted(number, self.noun())),
        };
        if counts.is_equal() {
            return format!("no differences: the maps by {} are equal{within}", self.noun());
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
        parts.join("; ") + &within
    }
}
