//! The gateway's own rules, as they are written.

use super::lower::Reader;
use super::raw::{RawBodies, RawDurabilityWord, RawEffect, RawLabelTest, RawRule, Text};
use access_model::{
    Bodies, Conditions, DurabilityMode, Effect, LabelRequirement, LabelTest, Names, Pattern,
    Privilege, Rule, Rules, RulesError, Terminals, Terms, Verb, Verbs, Who,
};
use serde_saphyr::Spanned;
use std::time::Duration;

impl Reader<'_> {
    pub(super) fn rules(&mut self, raw: &[Spanned<RawRule>]) -> Option<Rules> {
        let read: Vec<Option<Rule>> = raw.iter().map(|rule| self.rule(rule)).collect();
        let read: Vec<Rule> = read.into_iter().collect::<Option<_>>()?;
        match Rules::new(read) {
            Ok(rules) => Some(rules),
            Err(error) => {
                let help = "docs/gateway-config.md says what a rule can be";
                if let Some(rule) = about(raw, &error) {
                    self.wrong(rule, 1, error.to_string(), help);
                }
                None
            }
        }
    }

    fn rule(&mut self, raw: &Spanned<RawRule>) -> Option<Rule> {
        let RawRule { name, users, groups, verbs, .. } = &raw.value;
        let verbs = match verbs {
            None => Some(Verbs::Any),
            Some(words) => {
                self.words(words, Verb::of_word, &Verb::ALL.map(Verb::word)).map(Verbs::Listed)
            }
        };
        let place = self.conditions(&raw.value);
        let times = self.times(&raw.value);
        let effect = self.effect(&raw.value);
        let who = match (users, groups) {
            (None, None) => Who::Anyone,
            (users, groups) => Who::Listed {
                users: patterns(users.as_deref().unwrap_or_default()),
                groups: patterns(groups.as_deref().unwrap_or_default()),
            },
        };
        Some(Rule {
            name: name.value.clone(),
            who,
            verbs: verbs?,
            place: place?,
            times: times?,
            effect: effect?,
        })
    }

    fn conditions(&mut self, raw: &RawRule) -> Option<Conditions> {
        let RawRule { clusters, namespaces, names: objects, containers, privileges, .. } = raw;
        let exact = raw.labels.iter().flatten().map(|(key, value)| {
            Some(LabelRequirement { key: key.clone(), test: LabelTest::In(vec![value.clone()]) })
        });
        let mut labels: Vec<Option<LabelRequirement>> = exact.collect();
        labels.extend(raw.label_tests.iter().map(|label| self.label(label)));
        let words = Privilege::ALL.map(Privilege::word);
        let privileges = self.words(privileges, Privilege::of_word, &words);
        Some(Conditions {
            clusters: names(clusters.as_ref()),
            namespaces: names(namespaces.as_ref()),
            names: names(objects.as_ref()),
            containers: names(containers.as_ref()),
            labels: labels.into_iter().collect::<Option<_>>()?,
            privileges: privileges?,
        })
    }

    fn label(&mut self, raw: &Spanned<RawLabelTest>) -> Option<LabelRequirement> {
        let RawLabelTest { key, within, not_in, exists } = &raw.value;
        let test = match (within, not_in, exists) {
            (Some(values), None, None) => LabelTest::In(values.clone()),
            (None, Some(values), None) => LabelTest::NotIn(values.clone()),
            (None, None, Some(true)) => LabelTest::Exists,
            (None, None, Some(false)) => LabelTest::Absent,
            _ => {
                let message = format!("it is not clear what the label {key} has to be");
                self.wrong(raw, 1, message, "write one of `in`, `notIn` and `exists`");
                return None;
            }
        };
        Some(LabelRequirement { key: key.clone(), test })
    }

    fn effect(&mut self, raw: &RawRule) -> Option<Effect> {
        let terms = self.terms(raw)?;
        match raw.effect {
            RawEffect::Allow => match &raw.message {
                None => Some(Effect::Allow(terms)),
                Some(message) => {
                    let help = "only rules that deny have a message; leave it away";
                    self.wrong_text(message, "nobody would see this message".to_owned(), help);
                    None
                }
            },
            RawEffect::Deny if terms == Terms::default() => {
                Some(Effect::Deny { message: raw.message.as_ref().map(|text| text.value.clone()) })
            }
            RawEffect::Deny => {
                let message = format!("the rule {} denies, and has terms", raw.name.value);
                let help = "only rules that allow have terms: leave them away";
                self.wrong_text(&raw.name, message, help);
                None
            }
        }
    }

    fn terms(&mut self, raw: &RawRule) -> Option<Terms> {
        let longest_s = self.seconds(raw.longest.as_ref());
        let idle_s = self.seconds(raw.idle.as_ref());
        Some(Terms {
            reason_characters: raw.reason_characters,
            terminals: match raw.terminals {
                Some(false) => Terminals::Refused,
                Some(true) | None => Terminals::Allowed,
            },
            durability: raw.durability.map(|word| match word {
                RawDurabilityWord::Group => DurabilityMode::Group,
                RawDurabilityWord::Intent => DurabilityMode::Intent,
                RawDurabilityWord::Strict => DurabilityMode::Strict,
            }),
            longest_s: longest_s?,
            idle_s: idle_s?,
            bodies: match raw.bodies {
                Some(RawBodies::Mutations) => Bodies::Mutations,
                Some(RawBodies::None) | None => Bodies::NotRecorded,
            },
        })
    }

    fn seconds(&mut self, text: Option<&Text>) -> Option<Option<u64>> {
        match text {
            None => Some(None),
            // At least one, so that a limit of less is not none.
            Some(_) => {
                self.duration(text, Duration::ZERO).map(|limit| Some(limit.as_secs().max(1)))
            }
        }
    }

    pub(super) fn words<T>(
        &mut self,
        words: &[Text],
        read: impl Fn(&str) -> Option<T>,
        known: &[&str],
    ) -> Option<Vec<T>> {
        let mut found = Vec::new();
        for text in words {
            match read(&text.value) {
                Some(word) => found.push(word),
                None => {
                    let message = format!("`{}` is not known here", text.value);
                    self.wrong_text(text, message, &format!("write one of {}", known.join(", ")));
                }
            }
        }
        (found.len() == words.len()).then_some(found)
    }
}

pub(super) fn patterns(texts: &[String]) -> Vec<Pattern> {
    texts.iter().cloned().map(Pattern).collect()
}

pub(super) fn names(texts: Option<&Vec<String>>) -> Names {
    texts.map_or(Names::Any, |texts| Names::Listed(patterns(texts)))
}

/// The rule that an error is about; of two with one name, the later.
fn about<'raw>(
    raw: &'raw [Spanned<RawRule>],
    error: &RulesError,
) -> Option<&'raw Spanned<RawRule>> {
    let name = match error {
        RulesError::Unnamed { place } => return raw.get(place.saturating_sub(1)),
        RulesError::SameName { name }
        | RulesError::ReservedName { name }
        | RulesError::EmptyList { name, .. }
        | RulesError::Window { name }
        | RulesError::Interval { name }
        | RulesError::NoTime { name, .. } => name,
    };
    raw.iter().rfind(|rule| rule.value.name.value == *name)
}
