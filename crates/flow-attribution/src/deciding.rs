//! What the bits of a profile mean, in the epoch that decided.

use crate::epoch::Known;
use finding_model::SourceSpan;
use flow_model::{
    Decider, FlowVerdict, Place, PolicyMention, Report, RuleMention, Sighting, TableBit, Trace,
};
use policy_model::{PolicyId, RuleRef};
use policy_tables::{ProfileTable, RuleOrigin, RuleWord};
use std::sync::Arc;

/// The verdicts of one sighting, and every rule that matched.
#[derive(Debug, Default)]
pub(crate) struct Deciding {
    pub(crate) decision: Option<Trace>,
    pub(crate) observed: Option<Trace>,
    pub(crate) staged: Option<Trace>,
    pub(crate) matched: Vec<Arc<RuleMention>>,
}

/// One of a sighting's verdicts: whether it denies, and by which bit.
type Outcome = (bool, Option<u16>);

impl Deciding {
    /// `known` is `None` where the tables that decided are gone.
    pub(crate) fn of(sighting: &Sighting, known: Option<&mut Known>) -> Self {
        let Some(verdicts) = sighting.verdicts else {
            return Self::default();
        };
        let enforced = (verdicts.denied, verdicts.rule);
        let observed = (verdicts.observed_denied, verdicts.observed_rule);
        let staged = (verdicts.staged_denied, verdicts.staged_rule);
        // A sum of denials has no vector, and says only what the enforced policies did.
        let is_sum = sighting.report == Report::Denied && sighting.vector.is_empty();
        let known = known.and_then(|known| Some((known.table(sighting.profile)?, known)));
        let Some((table, known)) = known else {
            // Whether there are such policies is not known: a verdict that differs needs some.
            let differing =
                |outcome, other| (!is_sum && outcome != other).then(|| gone(sighting, outcome));
            return Self {
                decision: Some(gone(sighting, enforced)),
                observed: differing(observed, enforced),
                staged: differing(staged, observed),
                matched: Vec::new(),
            };
        };
        let has = |mask: fn(&RuleWord) -> u64| table.words().iter().any(|word| mask(word) != 0);
        let is_observed = !is_sum && has(|word| word.observed);
        let is_staged = !is_sum && has(|word| word.staged);
        let mut trace = |outcome| known.trace(sighting, &table, outcome);
        Self {
            decision: Some(trace(enforced)),
            observed: is_observed.then(|| trace(observed)),
            staged: is_staged.then(|| trace(staged)),
            matched: known.matched(&sighting.vector, &table),
        }
    }
}

/// No rule is said by no bit, also where the tables are gone.
fn gone(sighting: &Sighting, (denied, bit): Outcome) -> Trace {
    let decider = match bit {
        Some(bit) => Decider::Unknown(Some(TableBit { profile: sighting.profile, bit })),
        None if denied => Decider::Unknown(None),
        None => Decider::NoPolicy,
    };
    Trace { verdict: verdict(denied), decider }
}

fn verdict(denied: bool) -> FlowVerdict {
    if denied { FlowVerdict::Deny } else { FlowVerdict::Allow }
}

impl Known {
    fn trace(&mut self, sighting: &Sighting, table: &ProfileTable, outcome: Outcome) -> Trace {
        let (denied, bit) = outcome;
        let origin = bit.and_then(|bit| table.rules().get(usize::from(bit)));
        let decider = match origin {
            Some(RuleOrigin::DefaultDeny { policy, .. }) => {
                Some(Decider::DefaultDeny(self.isolating(sighting, policy)))
            }
            Some(RuleOrigin::DenyEverything) => Some(Decider::DenyEverything),
            Some(origin @ (RuleOrigin::Rule { .. } | RuleOrigin::NamedPort { .. })) => {
                origin.rule().and_then(|rule| self.mention(rule)).map(Decider::Rule)
            }
            None => None,
        };
        match decider {
            Some(decider) => Trace { verdict: verdict(denied), decider },
            None => gone(sighting, outcome),
        }
    }

    /// Each rule once: a named port is a bit for each of its numbers.
    fn matched(&mut self, vector: &[u64], table: &ProfileTable) -> Vec<Arc<RuleMention>> {
        let mut matched: Vec<Arc<RuleMention>> = Vec::new();
        for (bit, origin) in table.rules().iter().enumerate() {
            let word = vector.get(bit / 64).copied().unwrap_or_default();
            if word >> (bit % 64) & 1 == 0 {
                continue;
            }
            let mention = origin.rule().and_then(|rule| self.mention(rule));
            if let Some(mention) = mention
                && !matched.iter().any(|known| Arc::ptr_eq(known, &mention))
            {
                matched.push(mention);
            }
        }
        matched
    }

    /// All policies that isolate the pod with the mode of the one that the bit names; those without rules first.
    fn isolating(&self, sighting: &Sighting, first: &Arc<PolicyId>) -> Arc<[PolicyMention]> {
        let program = &self.epoch.program;
        let list = self.pod(sighting.pod).and_then(|pod| program.rule_list(pod, sighting.side));
        let mode = self.epoch.modes.of(first);
        let all: Arc<[PolicyMention]> = list
            .iter()
            .flat_map(|list| program.isolating_policies(list))
            .filter(|policy| self.epoch.modes.of(&policy.id) == mode)
            .map(|policy| PolicyMention {
                policy: policy.id.clone(),
                place: policy.span.map(|span| self.place(span)),
            })
            .collect();
        if !all.is_empty() {
            return all;
        }
        let span = program.policy(first).and_then(|policy| policy.span);
        let place = span.map(|span| self.place(span));
        Arc::from([PolicyMention { policy: first.as_ref().clone(), place }])
    }

    fn place(&self, span: SourceSpan) -> Place {
        Place {
            file: self.epoch.files.name(span.file).to_owned(),
            line: span.line,
            column: span.column,
        }
    }

    fn mention(&mut self, rule: RuleRef) -> Option<Arc<RuleMention>> {
        if let Some(mention) = self.mentions.get(&rule) {
            return Some(Arc::clone(mention));
        }
        let program = &self.epoch.program;
        let written = program.policy(&rule.policy)?.rules(rule.direction)?.get(rule.rule)?;
        let mention = Arc::new(RuleMention {
            action: written.action,
            name: written.name.clone(),
            place: written.span.map(|span| self.place(span)),
            rule: rule.clone(),
        });
        self.mentions.insert(rule, Arc::clone(&mention));
        Some(mention)
    }
}
