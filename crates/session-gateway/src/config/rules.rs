//! What the configuration says of who may have which access.

use super::lower::Reader;
use super::raw::{RawDurabilityWord, RawEffect, RawRule, Text};
use access_model::{
    Conditions, DurabilityMode, Effect, LabelRequirement, LabelTest, Names, Pattern, Rule, Rules,
    Terminals, Terms, Verb, Verbs, Who,
};
use serde_saphyr::Spanned;

impl Reader<'_> {
    pub(super) fn rules(&mut self, raw: &Spanned<Vec<RawRule>>) -> Option<Rules> {
        let rules: Option<Vec<Rule>> =
            raw.value.iter().map(|rule| self.rule(rule)).collect::<Vec<_>>().into_iter().collect();
        match Rules::new(rules?) {
            Ok(rules) => Some(rules),
            Err(error) => {
                self.wrong(
                    raw,
                    1,
                    error.to_string(),
                    "docs/gateway-config.md says how rules are written",
                );
                None
            }
        }
    }

    fn rule(&mut self, raw: &RawRule) -> Option<Rule> {
        let verbs = match &raw.verbs {
            None => Verbs::Any,
            Some(words) => {
                let verbs: Vec<Option<Verb>> = words.iter().map(|word| self.verb(word)).collect();
                Verbs::Listed(verbs.into_iter().collect::<Option<_>>()?)
            }
        };
        let who = match (&raw.users, &raw.groups) {
            (None, None) => Who::Anyone,
            (users, groups) => Who::Listed {
                users: patterns(users.as_deref()),
                groups: patterns(groups.as_deref()),
            },
        };
        let labels = raw.labels.iter().flatten().map(|(key, value)| LabelRequirement {
            key: key.clone(),
            test: LabelTest::In(vec![value.clone()]),
        });
        let effect = match raw.effect {
            RawEffect::Deny => {
                Effect::Deny { message: raw.message.as_ref().map(|text| text.value.clone()) }
            }
            RawEffect::Allow => Effect::Allow(Terms {
                reason_characters: raw.reason_characters,
                terminals: if raw.terminals == Some(false) {
                    Terminals::Refused
                } else {
                    Terminals::Allowed
                },
                durability: raw.durability.map(|word| match word {
                    RawDurabilityWord::Group => DurabilityMode::Group,
                    RawDurabilityWord::Intent => DurabilityMode::Intent,
                    RawDurabilityWord::Strict => DurabilityMode::Strict,
                }),
                ..Terms::default()
            }),
        };
        Some(Rule {
            name: raw.name.value.clone(),
            who,
            verbs,
            place: Conditions {
                clusters: names(raw.clusters.as_deref()),
                namespaces: names(raw.namespaces.as_deref()),
                names: names(raw.names.as_deref()),
                containers: names(raw.containers.as_deref()),
                labels: labels.collect(),
                privileges: Vec::new(),
            },
            times: access_model::Times::default(),
            effect,
        })
    }

    /// Plain use of the API is the cluster's RBAC's: a rule about it would look as if it did something.
    fn verb(&mut self, word: &Text) -> Option<Verb> {
        match Verb::of_word(&word.value) {
            Some(verb) if verb != Verb::Api => Some(verb),
            _ => {
                let message = format!("`{}` is no privileged access", word.value);
                let help = "write exec, attach, port-forward, debug, logs, proxy, node-proxy, token-request or server-debug";
                self.wrong_text(word, message, help);
                None
            }
        }
    }
}

fn names(patterns: Option<&[String]>) -> Names {
    patterns.map_or(Names::Any, |patterns| {
        Names::Listed(patterns.iter().cloned().map(Pattern).collect())
    })
}

fn patterns(patterns: Option<&[String]>) -> Vec<Pattern> {
    patterns.unwrap_or_default().iter().cloned().map(Pattern).collect()
}
