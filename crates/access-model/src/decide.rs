//! May this caller do this, here and now? The one place where rules are read.
//!
//! A rule that denies wins over all that allow, wherever it stands; of those that allow, the first decides, with
//! its terms. What is not known never helps: a rule that allows does not apply, one that denies does.

use crate::matching::{self, Match};
use crate::{Effect, Identity, PodFacts, Privileges, Request, Rule, Rules, Terminals, Terms};
use std::fmt;

/// A question to the rules.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'ask> {
    pub identity: &'ask Identity,
    pub cluster: &'ask str,
    pub request: &'ask Request,
    /// `None` where it is not known, or the request is about no pod.
    pub pod: Option<&'ask PodFacts>,
    pub privileges: &'ask Privileges,
    pub reason: Option<&'ask str>,
    /// Seconds since 1970 (UTC).
    pub now: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allowed(Grant),
    Refused(Denial),
}

/// An access that may be, as far as the gateway's rules go. The cluster's RBAC is asked after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub rule: RuleRef,
    pub terms: Terms,
    /// The second (since 1970, UTC) at which the rule no longer applies, and the session ends.
    pub ends_at: Option<i64>,
}

/// An access that may not be. Its text is one sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub rule: RuleRef,
    pub why: DeniedBecause,
}

/// What decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleRef {
    Rule(String),
    /// No rule applies, and the verb needs one.
    DefaultDeny,
    /// No rule applies, and the verb is left to the cluster's RBAC.
    DefaultCluster,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeniedBecause {
    NoRule,
    /// With the operator's own words, where there are any.
    Rule {
        message: Option<String>,
    },
    /// The rule denies something of which it is not known whether this is it.
    NotKnown {
        what: &'static str,
    },
    ReasonMissing {
        characters: usize,
    },
    Terminal,
}

impl Rules {
    #[must_use]
    pub fn decide(&self, ask: &Ask<'_>) -> Decision {
        let denies = self.iter().filter_map(|rule| denial(rule, ask));
        if let Some(denial) = denies.into_iter().next() {
            return Decision::Refused(denial);
        }
        match self.iter().find_map(|rule| allowance(rule, ask)) {
            Some((rule, terms, end)) => on_terms(rule, terms, end, ask),
            None if ask.request.verb().needs_a_rule() => {
                Decision::Refused(Denial { rule: RuleRef::DefaultDeny, why: DeniedBecause::NoRule })
            }
            None => Decision::Allowed(Grant {
                rule: RuleRef::DefaultCluster,
                terms: Terms::default(),
                ends_at: None,
            }),
        }
    }
}

fn denial(rule: &Rule, ask: &Ask<'_>) -> Option<Denial> {
    let Effect::Deny { message } = &rule.effect else { return None };
    rule.times.end(ask.now)?;
    let why = match matching::holds(rule, ask) {
        Match::No => return None,
        Match::Yes => DeniedBecause::Rule { message: message.clone() },
        Match::NotKnown { what } => DeniedBecause::NotKnown { what },
    };
    Some(Denial { rule: RuleRef::Rule(rule.name.clone()), why })
}

fn allowance<'rules>(
    rule: &'rules Rule,
    ask: &Ask<'_>,
) -> Option<(&'rules Rule, &'rules Terms, i64)> {
    let Effect::Allow(terms) = &rule.effect else { return None };
    let end = rule.times.end(ask.now)?;
    match matching::holds(rule, ask) {
        Match::Yes => Some((rule, terms, end)),
        Match::No | Match::NotKnown { what: _ } => None,
    }
}

fn on_terms(rule: &Rule, terms: &Terms, end: i64, ask: &Ask<'_>) -> Decision {
    let name = RuleRef::Rule(rule.name.clone());
    let refused = |why| Decision::Refused(Denial { rule: RuleRef::Rule(rule.name.clone()), why });
    let given = ask.reason.map_or(0, |reason| reason.trim().chars().count());
    match terms.reason_characters {
        Some(characters) if given < characters.max(1) => {
            return refused(DeniedBecause::ReasonMissing { characters: characters.max(1) });
        }
        Some(_) | None => {}
    }
    if ask.request.terminal() && terms.terminals == Terminals::Refused {
        return refused(DeniedBecause::Terminal);
    }
    let ends_at = (end != i64::MAX).then_some(end);
    Decision::Allowed(Grant { rule: name, terms: terms.clone(), ends_at })
}

impl RuleRef {
    /// The word of recordings, the ledger and metrics.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Rule(name) => name,
            Self::DefaultDeny => "default: needs a rule",
            Self::DefaultCluster => "default: left to the cluster",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.rule.word();
        match &self.why {
            DeniedBecause::NoRule => {
                f.write_str("no rule of the gateway allows this; ask its operator for one")
            }
            DeniedBecause::Rule { message: Some(message) } => {
                write!(f, "the gateway's rule \"{rule}\" denies this: {message}")
            }
            DeniedBecause::Rule { message: None } => {
                write!(f, "the gateway's rule \"{rule}\" denies this; ask its operator")
            }
            DeniedBecause::NotKnown { what } => {
                write!(
                    f,
                    "the gateway's rule \"{rule}\" may deny this, and {what}, so it is refused"
                )
            }
            DeniedBecause::ReasonMissing { characters } => write!(
                f,
                "the gateway's rule \"{rule}\" asks for a reason of {characters} characters or more; give one and try again"
            ),
            DeniedBecause::Terminal => write!(
                f,
                "the gateway's rule \"{rule}\" allows no terminals; run the command without -t"
            ),
        }
    }
}
