//! What an audit policy keeps out of the log (`audit.k8s.io/v1`, `Policy`).
//!
//! Rules are tried in order and the first that fits decides. A rule with `level: None` that fits a privileged request
//! before another rule does is a blind spot: for everybody, or for those that it names.

use crate::privileged::{PRIVILEGED, Privileged};
use access_model::Verb;
use serde::Deserialize;
use std::collections::BTreeSet;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditPolicy {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    level: String,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<GroupResources>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    #[serde(default)]
    omit_stages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupResources {
    #[serde(default)]
    group: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
}

/// Text that is no audit policy.
#[derive(Debug, Error)]
pub enum AuditPolicyError {
    #[error("the audit policy cannot be read: {0}")]
    Syntax(String),
    #[error("this is no audit policy: its kind is {0:?}, not \"Policy\"")]
    Kind(String),
}

/// Privileged requests that the log does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blindness {
    /// `pods/exec`, …
    pub resources: Vec<String>,
    /// The rule that keeps them out, counted from 1; `None` where no rule fits.
    pub rule: Option<usize>,
    /// Whose they are, where and of what; empty means all.
    pub only: Vec<String>,
    /// Whether only identities of Kubernetes' own are meant.
    pub of_components: bool,
}

impl AuditPolicy {
    /// # Errors
    /// The text is no audit policy.
    pub fn parse(text: &str) -> Result<Self, AuditPolicyError> {
        let policy: Self = serde_saphyr::from_str(text)
            .map_err(|error| AuditPolicyError::Syntax(error.to_string()))?;
        if policy.kind == "Policy" { Ok(policy) } else { Err(AuditPolicyError::Kind(policy.kind)) }
    }

    /// What it keeps out.
    #[must_use]
    pub fn blindness(&self) -> Vec<Blindness> {
        let asked = PRIVILEGED.iter().filter(|known| known.verb != Verb::Logs);
        let mut all: Vec<Blindness> = Vec::new();
        for found in asked.flat_map(|known| self.blindness_to(known)) {
            let same =
                |other: &&mut Blindness| (other.rule, &other.only) == (found.rule, &found.only);
            match all.iter_mut().find(same) {
                Some(other) => other.resources.extend(found.resources),
                None => all.push(found),
            }
        }
        all
    }

    fn blindness_to(&self, known: &Privileged) -> Vec<Blindness> {
        let mut found: Vec<Blindness> = Vec::new();
        // An action that a rule has taken for everybody needs no other rule.
        let mut open: BTreeSet<&str> = known.actions.iter().copied().collect();
        for (index, rule) in self.rules.iter().enumerate() {
            if !rule.may_fit(known) {
                continue;
            }
            let taken: BTreeSet<&str> =
                open.iter().copied().filter(|action| rule.takes(action)).collect();
            if taken.is_empty() {
                continue;
            }
            if self.keeps_nothing(rule) {
                found.push(rule.blindness(known, Some(index + 1), &taken));
            }
            if rule.fits_everybody(known) {
                open.retain(|action| !taken.contains(action));
            }
        }
        if !open.is_empty() {
            let only = if open.len() == known.actions.len() { Vec::new() } else { actions(&open) };
            let resources = vec![known.path()];
            found.push(Blindness { resources, rule: None, only, of_components: false });
        }
        found
    }

    /// Whether what fits this rule leaves no line that says what became of it.
    fn keeps_nothing(&self, rule: &Rule) -> bool {
        let omits = |stage: &str| {
            rule.omit_stages.iter().chain(&self.omit_stages).any(|omitted| omitted == stage)
        };
        rule.level == "None" || (omits("ResponseStarted") && omits("ResponseComplete"))
    }
}

impl Rule {
    /// Whether there is such a request that it fits.
    fn may_fit(&self, known: &Privileged) -> bool {
        // What is in no namespace counts as being in one without a name.
        let may_be_in = |namespace: &String| namespace.is_empty() == (known.resource == "nodes");
        if !self.namespaces.is_empty() && !self.namespaces.iter().any(may_be_in) {
            return false;
        }
        if self.resources.is_empty() {
            return self.non_resource_urls.is_empty() || !self.namespaces.is_empty();
        }
        self.resources.iter().any(|resources| resources.has(known))
    }

    fn takes(&self, action: &str) -> bool {
        self.verbs.is_empty() || self.verbs.iter().any(|verb| verb == action)
    }

    /// Whether it fits all such requests of the actions that it takes.
    fn fits_everybody(&self, known: &Privileged) -> bool {
        let any_object = self.resources.is_empty()
            || self
                .resources
                .iter()
                .any(|resources| resources.has(known) && resources.resource_names.is_empty());
        self.users.is_empty()
            && self.user_groups.is_empty()
            && self.namespaces.is_empty()
            && any_object
    }

    fn blindness(
        &self,
        known: &Privileged,
        rule: Option<usize>,
        taken: &BTreeSet<&str>,
    ) -> Blindness {
        let mut only = Vec::new();
        let mut say = |what: &str, names: &[String]| {
            if !names.is_empty() {
                only.push(format!("{what} {}", names.join(", ")));
            }
        };
        say("users", &self.users);
        say("groups", &self.user_groups);
        say("namespaces", &self.namespaces);
        let of_known = self.resources.iter().filter(|resources| resources.has(known));
        let names: Vec<String> =
            of_known.flat_map(|resources| resources.resource_names.clone()).collect();
        say("names", &names);
        if taken.len() < known.actions.len() {
            only.extend(actions(taken));
        }
        let mut whose = self.users.iter().chain(&self.user_groups).peekable();
        let of_components = whose.peek().is_some() && whose.all(|name| is_component(name));
        Blindness { resources: vec![known.path()], rule, only, of_components }
    }
}

fn actions(taken: &BTreeSet<&str>) -> Vec<String> {
    let taken: Vec<&str> = taken.iter().copied().collect();
    vec![format!("actions {}", taken.join(", "))]
}

/// Identities that programs of Kubernetes have, and people do not.
fn is_component(name: &str) -> bool {
    const BROAD: [&str; 4] = [
        "system:authenticated",
        "system:masters",
        "system:serviceaccounts",
        "system:unauthenticated",
    ];
    name.starts_with("system:")
        && !name.starts_with("system:serviceaccount")
        && !BROAD.contains(&name)
}

impl GroupResources {
    fn has(&self, known: &Privileged) -> bool {
        let in_group = self.group.is_empty() || self.group == "*";
        let path = known.path();
        let fits = |pattern: &String| {
            let pattern = pattern.as_str();
            pattern == "*"
                || pattern == path
                || pattern.strip_prefix("*/").is_some_and(|sub| sub == known.subresource)
                || pattern.strip_suffix("/*").is_some_and(|resource| resource == known.resource)
        };
        in_group && (self.resources.is_empty() || self.resources.iter().any(fits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(rules: &str, expected: &Expect) {
        let text = format!("apiVersion: audit.k8s.io/v1\nkind: Policy\n{rules}");
        let policy = AuditPolicy::parse(&text).unwrap();
        let lines: Vec<String> = policy
            .blindness()
            .iter()
            .map(|blindness| {
                let Blindness { resources, rule, only, of_components } = blindness;
                format!("{resources:?} rule {rule:?} only {only:?} components {of_components}\n")
            })
            .collect();
        expected.assert_eq(&lines.concat());
    }

    #[test]
    fn everything_is_kept_by_a_last_rule() {
        check("rules: [{level: Metadata}]", &expect![""]);
        check("rules: [{level: RequestResponse, omitStages: [RequestReceived]}]", &expect![""]);
    }

    #[test]
    fn rules_before_the_last_one_hide() {
        let rules = "rules:\n\
            - {level: None, users: ['system:kube-proxy'], resources: [{group: '', resources: [pods/*]}]}\n\
            - {level: None, userGroups: [devs], verbs: [get], resources: [{resources: [pods/exec, pods/log]}]}\n\
            - {level: None, namespaces: [sandbox], resources: [{resources: ['*/proxy'], resourceNames: [a]}]}\n\
            - {level: None, resources: [{group: apps}, {group: '', resources: [pods]}]}\n\
            - {level: None, nonResourceURLs: ['/healthz*']}\n\
            - {level: Metadata}\n";
        check(
            rules,
            &expect![[r#"
                ["pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "pods/proxy"] rule Some(1) only ["users system:kube-proxy"] components true
                ["pods/exec"] rule Some(2) only ["groups devs", "actions get"] components false
                ["pods/proxy", "services/proxy"] rule Some(3) only ["namespaces sandbox", "names a"] components false
            "#]],
        );
    }

    #[test]
    fn what_no_rule_fits_is_not_kept() {
        let rules = "omitStages: [ResponseComplete]\n\
            rules:\n\
            - {level: Metadata, resources: [{resources: [pods/exec, pods/attach]}], verbs: [create]}\n\
            - {level: Metadata, resources: [{resources: [pods/portforward]}], omitStages: [ResponseStarted]}\n";
        check(
            rules,
            &expect![[r#"
                ["pods/exec", "pods/attach"] rule None only ["actions get"] components false
                ["pods/portforward"] rule Some(2) only [] components false
                ["pods/ephemeralcontainers", "pods/proxy", "services/proxy", "nodes/proxy", "serviceaccounts/token"] rule None only [] components false
            "#]],
        );
    }

    #[test]
    fn other_text_is_no_policy() {
        let said = ["kind: Pod", "rules: [", "kind: Policy\nrules: [{}]"]
            .map(|text| AuditPolicy::parse(text).is_err());
        assert_eq!(said, [true; 3]);
    }
}
