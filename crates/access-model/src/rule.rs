//! The gateway's own rules: who may do what, where, when, and on which terms.

use crate::{Names, Pattern, Privilege, Times, Verb};
use std::collections::BTreeSet;
use thiserror::Error;

/// One rule. All of its conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    pub who: Who,
    pub verbs: Verbs,
    pub place: Conditions,
    pub times: Times,
    pub effect: Effect,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Who {
    #[default]
    Anyone,
    /// Whose name is one of the users', or one of whose groups is one of these.
    Listed { users: Vec<Pattern>, groups: Vec<Pattern> },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verbs {
    #[default]
    Any,
    Listed(Vec<Verb>),
}

/// What a request has to be about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    pub clusters: Names,
    pub namespaces: Names,
    /// Of pods, Services, nodes, service accounts: of whatever the verb is about.
    pub names: Names,
    pub containers: Names,
    /// All must hold of the pod.
    pub labels: Vec<LabelRequirement>,
    /// Where there are any: what is to be created has one of these. Such a condition never holds of requests
    /// that bring no pods.
    pub privileges: Vec<Privilege>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRequirement {
    pub key: String,
    pub test: LabelTest,
}

/// As in selectors of Kubernetes: a label that is absent is not in any list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelTest {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Allow(Terms),
    /// With a sentence for the person, where the operator wrote one.
    Deny {
        message: Option<String>,
    },
}

/// What holds of a session that a rule allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The least number of characters that a reason has; `None` asks for none.
    pub reason_characters: Option<usize>,
    pub terminals: Terminals,
    /// In place of what the gateway's configuration says.
    pub durability: Option<DurabilityMode>,
    pub longest_s: Option<u64>,
    pub idle_s: Option<u64>,
    pub bodies: Bodies,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Terminals {
    #[default]
    Allowed,
    Refused,
}

/// What `session-record` calls durability; rules know no recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurabilityMode {
    Group,
    Intent,
    Strict,
}

/// Whether bodies of plain API traffic are recorded. Secrets never are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bodies {
    #[default]
    NotRecorded,
    /// Of requests that may change something.
    Mutations,
}

/// Rules in the order in which they were written, each possible and with a name of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

/// Why rules are none. `rule` is the name, or the place among the rules where that says more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RulesError {
    #[error("the rule in place {place} has no name")]
    Unnamed { place: usize },
    #[error("two rules are called {name}")]
    SameName { name: String },
    #[error(
        "the rule {name} has a name that the gateway uses itself: take one that does not begin with default"
    )]
    ReservedName { name: String },
    #[error(
        "the rule {name} has an empty list of {what}, so that it would never apply: leave the list away to mean all"
    )]
    EmptyList { name: String, what: &'static str },
    #[error(
        "the rule {name} has a window without days, hours outside of a day, or more than 14 hours from UTC"
    )]
    Window { name: String },
    #[error("the rule {name} ends before it begins")]
    Interval { name: String },
    #[error("the rule {name} limits a session to no time at all: {what}")]
    NoTime { name: String, what: &'static str },
}

impl Rules {
    /// # Errors
    /// The first rule that is not possible.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RulesError> {
        let mut names = BTreeSet::new();
        for (place, rule) in rules.iter().enumerate() {
            if rule.name.trim().is_empty() {
                return Err(RulesError::Unnamed { place: place + 1 });
            }
            if !names.insert(rule.name.as_str()) {
                return Err(RulesError::SameName { name: rule.name.clone() });
            }
            check(rule)?;
        }
        Ok(Self(rules))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// Whether some rule is about privileges, so that bodies have to be read before it can be decided.
    #[must_use]
    pub fn ask_for_privileges(&self) -> bool {
        self.0.iter().any(|rule| !rule.place.privileges.is_empty())
    }

    #[must_use]
    pub fn as_slice(&self) -> &[Rule] {
        &self.0
    }
}

fn check(rule: &Rule) -> Result<(), RulesError> {
    let name = || rule.name.clone();
    if rule.name.starts_with("default") {
        return Err(RulesError::ReservedName { name: name() });
    }
    if let Some(what) = empty_list(rule) {
        return Err(RulesError::EmptyList { name: name(), what });
    }
    let Times { from, until, windows } = &rule.times;
    if from.zip(*until).is_some_and(|(from, until)| until <= from) {
        return Err(RulesError::Interval { name: name() });
    }
    if windows.iter().any(|window| !window.is_possible()) {
        return Err(RulesError::Window { name: name() });
    }
    match &rule.effect {
        Effect::Allow(Terms { longest_s: Some(0), .. }) => {
            Err(RulesError::NoTime { name: name(), what: "its longest duration is 0" })
        }
        Effect::Allow(Terms { idle_s: Some(0), .. }) => {
            Err(RulesError::NoTime { name: name(), what: "its idle limit is 0" })
        }
        Effect::Allow(_) | Effect::Deny { message: _ } => Ok(()),
    }
}

fn empty_list(rule: &Rule) -> Option<&'static str> {
    let Conditions { clusters, namespaces, names, containers, labels, privileges: _ } = &rule.place;
    let is_empty = |names: &Names| matches!(names, Names::Listed(patterns) if patterns.is_empty());
    let no_label_value = |requirement: &LabelRequirement| matches!(&requirement.test, LabelTest::In(values) | LabelTest::NotIn(values) if values.is_empty());
    let no_one =
        matches!(&rule.who, Who::Listed { users, groups } if users.is_empty() && groups.is_empty());
    let lists = [
        (no_one, "users and groups"),
        (matches!(&rule.verbs, Verbs::Listed(verbs) if verbs.is_empty()), "verbs"),
        (is_empty(clusters), "clusters"),
        (is_empty(namespaces), "namespaces"),
        (is_empty(names), "names"),
        (is_empty(containers), "containers"),
        (labels.iter().any(no_label_value), "a label's values"),
    ];
    lists.into_iter().find(|(empty, _)| *empty).map(|(_, what)| what)
}
