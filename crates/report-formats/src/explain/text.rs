//! An explanation for people: the flow in one line for each side, then the walk through the tiers, what
//! nearly matched, and the patch.

use super::words;
use super::{ExplainReport, Explained, Fixing, RouteOutcome, ServiceRoute, rule_text};
use crate::map::summary::assumed;
use crate::{Palette, Role, counted, visible, visible_lines};
use finding_model::SourceSpan;
use policy_engine::{
    Explanation, Fix, Fork, NearMiss, NoFix, Opening, PolicyChange, PolicyStep, RuleId, SideWalk,
    TierOutcome, TierStep, Verdict,
};
use policy_model::{Action, Direction, Policy, PolicyId, PolicyKind, Rule};
use std::io::{self, Write};

/// Answers that are walked through; the rest is named.
pub const MOST_WALKED: usize = 5;

/// Answers that are listed first; the rest is counted.
const MOST_LISTED: usize = 20;

/// Names on one line; the rest is counted.
const MOST_NAMED: usize = 6;

/// Things that a fix opens, one a line; the rest is counted.
const MOST_OPENINGS: usize = 10;

pub fn write(out: &mut dyn Write, report: &ExplainReport<'_>, palette: Palette) -> io::Result<()> {
    let mut page = Page { out, report, palette };
    for route in &report.routes {
        page.route(route)?;
    }
    let is_split = report.answers.iter().map(|explained| explained.answer.n_pairs).sum::<u64>() > 1;
    if is_split {
        page.split()?;
    }
    for (index, explained) in report.answers.iter().take(MOST_WALKED).enumerate() {
        if index > 0 || is_split || !report.routes.is_empty() {
            page.blank()?;
        }
        page.answer(explained)?;
    }
    let n_more = report.answers.len().saturating_sub(MOST_WALKED);
    if n_more > 0 {
        page.blank()?;
        let text = format!(
            "{n_more} more, not shown and without a fix: narrow the ends or name a port to see them"
        );
        page.line(0, &text)?;
    }
    page.blank()?;
    page.faint(0, &assumed(report.program.assumptions()))
}

struct Page<'p, 'r> {
    out: &'p mut dyn Write,
    report: &'r ExplainReport<'r>,
    palette: Palette,
}

impl Page<'_, '_> {
    fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    fn line(&mut self, indent: usize, text: &str) -> io::Result<()> {
        writeln!(self.out, "{:indent$}{}", "", visible(text))
    }

    fn faint(&mut self, indent: usize, text: &str) -> io::Result<()> {
        let text = self.palette.paint(Role::Faint, &visible(text));
        writeln!(self.out, "{:indent$}{text}", "")
    }

    /// `head` in the colour of `role`, then `text`.
    fn headed(&mut self, indent: usize, (role, head): (Role, &str), text: &str) -> io::Result<()> {
        let head = self.palette.paint(role, &visible(head));
        writeln!(self.out, "{:indent$}{head}{}", "", visible(text))
    }

    /// `text`, then `tail` in the colour of `role`.
    fn tailed(&mut self, indent: usize, text: &str, (role, tail): (Role, &str)) -> io::Result<()> {
        let tail = self.palette.paint(role, &visible(tail));
        writeln!(self.out, "{:indent$}{}{tail}", "", visible(text))
    }

    fn route(&mut self, route: &ServiceRoute) -> io::Result<()> {
        let asked = words::packet(route.protocol, route.port);
        let target = match &route.target {
            Some(target) => format!(" → targetPort {target}"),
            None => String::new(),
        };
        let head = format!("through Service {}: {asked}{target}", route.service);
        match &route.outcome {
            RouteOutcome::Endpoints(endpoints) => {
                let end = |(end, port): &(policy_engine::End, u16)| {
                    let name = words::end(self.report.program, end);
                    format!("{name}:{port}")
                };
                let named = list(endpoints.iter().map(end).collect());
                let count = counted(endpoints.len(), "endpoint");
                self.line(0, &format!("{head} → {count}: {named}"))
            }
            RouteOutcome::Nowhere { problem, nearly } => {
                self.tailed(0, &format!("{head} → "), (Role::Deny, "nowhere"))?;
                self.line(2, &problem.to_string())?;
                for (workload, differences) in nearly {
                    let differences: Vec<String> = differences.iter().map(words::label).collect();
                    let text = format!("nearly selected: {workload}: {}", differences.join(", "));
                    self.line(2, &text.replace("the rule", "the Service"))?;
                }
                Ok(())
            }
        }
    }

    fn split(&mut self) -> io::Result<()> {
        let report = self.report;
        let n_answers = match report.answers.len() {
            1 => "one answer".to_owned(),
            n_answers => format!("{n_answers} different answers"),
        };
        let port = if report.port == "all" { String::new() } else { format!(" {}", report.port) };
        self.line(0, &format!("{} → {}{port}: {n_answers}", report.from, report.to))?;
        for explained in report.answers.iter().take(MOST_LISTED) {
            let verdict = explained.answer.decision.verdict;
            let verdict_text = format!("{:9}", words::participle(verdict));
            let example = report.question_text(&explained.explanation);
            let of = counted(explained.answer.n_pairs.try_into().unwrap_or(usize::MAX), "pair");
            let traffic = words::traffic(&explained.answer.traffic);
            let text = format!("  {of}, {traffic}, such as {example}");
            self.headed(2, (role(verdict), &verdict_text), &text)?;
        }
        match report.answers.len().saturating_sub(MOST_LISTED) {
            0 => Ok(()),
            n_more => self.line(2, &format!("and {n_more} more")),
        }
    }

    fn answer(&mut self, explained: &Explained) -> io::Result<()> {
        let explanation = &explained.explanation;
        let verdict = explanation.decision.verdict;
        let question = self.report.question_text(explanation);
        self.tailed(0, &format!("{question}: "), (role(verdict), words::participle(verdict)))?;
        for walk in [&explanation.egress, &explanation.ingress] {
            let flow = self.report.flow(walk);
            let head = format!("{:8} ", walk.direction);
            self.headed(2, (role(walk.side.verdict), &head), &flow)?;
        }
        if let Some(hint) = &explained.hint {
            let (service, port, target) = (&hint.service, hint.port, hint.target);
            let text = format!(
                "{port} is the port of Service {service}; the pod listens on {target}: ask for {target}, \
                 or for service/{service} {port}"
            );
            self.headed(2, (Role::Warning, "note: "), &text)?;
        }
        for left_out in self.report.caveats(explained) {
            let text =
                format!("{} has errors and was left out; it could change this", left_out.object);
            self.headed(2, (Role::Warning, "note: "), &text)?;
        }
        for walk in [&explanation.egress, &explanation.ingress] {
            self.walk(explanation, walk)?;
        }
        self.near_misses(explained)?;
        match &explained.fix {
            Some(Ok(fix)) => self.fix(fix, explained.answer.n_pairs),
            Some(Err(NoFix::NotExpressible)) => {
                self.blank()?;
                let text = "no policy for these ends surely allows it under this profile";
                self.headed(0, (Role::Strong, "fix: "), text)
            }
            None if verdict != Verdict::Allow && explained.fixing == Fixing::PortLeftOut => {
                self.blank()?;
                self.headed(0, (Role::Strong, "fix: "), "name a port with --port to get one")
            }
            Some(Err(NoFix::AlreadyAllowed)) | None => Ok(()),
        }
    }

    fn walk(&mut self, explanation: &Explanation, walk: &SideWalk) -> io::Result<()> {
        if walk.tiers.iter().all(|step| step.policies.is_empty()) && walk.forks.is_empty() {
            return Ok(());
        }
        let program = self.report.program;
        self.blank()?;
        let subject = explanation.question.subject(walk.direction);
        let name = words::end(program, subject);
        let head = format!("{} of {name}", walk.direction);
        let details = words::end_details(program, subject);
        let details = details.map_or_else(String::new, |details| format!(" ({details})"));
        self.headed(0, (Role::Strong, &head), &details)?;
        for step in &walk.tiers {
            self.tier(walk, step)?;
        }
        if !walk.other_direction.is_empty() {
            let names = list(walk.other_direction.iter().map(PolicyId::path).collect());
            self.faint(
                2,
                &format!("also select it, but say nothing of {}: {names}", walk.direction),
            )?;
        }
        for fork in &walk.forks {
            self.fork(fork)?;
        }
        Ok(())
    }

    fn tier(&mut self, walk: &SideWalk, step: &TierStep) -> io::Result<()> {
        if step.policies.is_empty() {
            return Ok(());
        }
        let (role, outcome) = outcome(step.outcome);
        if step.outcome == TierOutcome::NotAsked {
            return self.faint(2, &format!("{}: {outcome}{}", step.tier, self.hidden(step)));
        }
        self.tailed(2, &format!("{}: ", step.tier), (role, outcome))?;
        let decider = match step.outcome {
            TierOutcome::Passes(rule) | TierOutcome::Accepts(rule) | TierOutcome::Denies(rule) => {
                Some(rule)
            }
            TierOutcome::NoPolicies
            | TierOutcome::NoMatch
            | TierOutcome::DeniesByDefault
            | TierOutcome::NotAsked => None,
        };
        for policy in step.policies.iter().filter(|policy| !policy.matching.is_empty()) {
            self.matching_policy(walk, policy, decider)?;
        }
        let silent = step.policies.iter().filter(|policy| policy.matching.is_empty());
        let names: Vec<String> = silent.map(|policy| policy.policy.path()).collect();
        if !names.is_empty() {
            let count = if names.len() > 1 {
                format!("{} policies", names.len())
            } else {
                "one policy".to_owned()
            };
            self.faint(4, &format!("no rule matches in {count}: {}", list(names)))?;
        }
        Ok(())
    }

    /// The rules that would match in a tier that is not asked.
    fn hidden(&self, step: &TierStep) -> String {
        let program = self.report.program;
        let rules = step.policies.iter().flat_map(|policy| &policy.matching).filter_map(|id| {
            let (rule, action) = (program.rule_ref(*id)?, program.action_of(*id)?);
            Some(format!("{} {}[{}] {action}", rule.policy.path(), rule.direction, rule.rule))
        });
        let rules: Vec<String> = rules.collect();
        if rules.is_empty() { String::new() } else { format!(" (would match: {})", list(rules)) }
    }

    fn matching_policy(
        &mut self,
        walk: &SideWalk,
        step: &PolicyStep,
        decider: Option<RuleId>,
    ) -> io::Result<()> {
        for id in &step.matching {
            let program = self.report.program;
            let (Some(policy), Some(rule)) = (program.policy_of(*id), program.rule(*id)) else {
                continue;
            };
            let decides = decider == Some(*id);
            let is_deny = program.action_of(*id) == Some(Action::Deny);
            let (mark, role) = match (decides, is_deny) {
                (true, true) => ("▶ ", Role::Deny),
                (true, false) => ("▶ ", Role::Allow),
                (false, _) => ("  ", Role::Faint),
            };
            let name = format!("{mark}{} {}[{}]", policy.id, walk.direction, id.index());
            let action = if policy.id.kind == PolicyKind::NetworkPolicy {
                String::new()
            } else {
                format!(" {}", rule.action)
            };
            let note = if decides { "" } else { "  (matches too)" };
            self.headed(4, (role, &name), &format!("{action}{note}"))?;
            self.rule(policy, (walk.direction, rule))?;
        }
        Ok(())
    }

    /// The rule's text and its place.
    fn rule(&mut self, policy: &Policy, (direction, rule): (Direction, &Rule)) -> io::Result<()> {
        let name = rule.name.as_ref().map_or_else(String::new, |name| format!("`{name}`: "));
        self.line(8, &format!("{name}{}", rule_text(direction, rule)))?;
        match self.report.place(rule.span.or(policy.span)) {
            Some(place) => self.faint(8, &place),
            None => Ok(()),
        }
    }

    fn fork(&mut self, fork: &Fork) -> io::Result<()> {
        let head = format!("undefined ({}): ", fork.reason);
        self.headed(2, (Role::Undefined, &head), fork.reason.text())?;
        for reading in &fork.readings {
            let assumed = words::assumed(self.report.program, &reading.assumed);
            let (role, verdict) = match reading.verdict {
                Some(verdict) => (role(verdict), words::participle(verdict)),
                None => (Role::Faint, "left to the next tier"),
            };
            self.tailed(4, &format!("{assumed}: "), (role, verdict))?;
        }
        Ok(())
    }

    fn near_misses(&mut self, explained: &Explained) -> io::Result<()> {
        let mut last = None;
        for (direction, near) in &explained.near_misses {
            if last != Some(*direction) {
                self.blank()?;
                let text = format!("nearly allowed it ({direction})");
                self.headed(0, (Role::Strong, &text), "")?;
                last = Some(*direction);
            }
            self.near_miss(explained, near)?;
        }
        Ok(())
    }

    fn near_miss(&mut self, explained: &Explained, near: &NearMiss) -> io::Result<()> {
        let program = self.report.program;
        let Some(policy) = program.policy(&near.rule.policy) else { return Ok(()) };
        let rules = policy.rules(near.rule.direction).unwrap_or_default();
        let Some(rule) = rules.get(near.rule.rule) else { return Ok(()) };
        self.line(4, &near.rule.to_string())?;
        self.rule(policy, (near.rule.direction, rule))?;
        let question = &explained.explanation.question;
        let asked = (question.protocol, question.port);
        let each = near.differences.iter().map(|found| words::difference(found, asked));
        let differences = each.collect::<Vec<_>>().join("; ");
        let text = format!("{}{differences}", words::matching(&near.matching));
        self.headed(8, (Role::Warning, "but: "), &text)
    }

    fn fix(&mut self, fix: &Fix, n_pairs: u64) -> io::Result<()> {
        if n_pairs > 1 {
            self.blank()?;
            self.faint(0, "what follows allows it for the workloads shown, not for all pairs")?;
        }
        for change in &fix.changes {
            self.blank()?;
            self.change(change)?;
        }
        for shared in &fix.shared_labels {
            let others = list(shared.others.iter().map(ToString::to_string).collect());
            let text = format!(
                "no stable label tells {} from {others}: give it one of its own to be exact",
                shared.workload
            );
            self.headed(2, (Role::Warning, "note: "), &text)?;
        }
        if fix.opens.is_empty() && fix.closes.is_empty() {
            return self.headed(2, (Role::Allow, "opens nothing else"), "");
        }
        self.openings("also opens ", &fix.opens)?;
        self.openings("closes ", &fix.closes)
    }

    fn change(&mut self, change: &PolicyChange) -> io::Result<()> {
        let (direction, policy) = (change.direction(), change.policy());
        match change {
            PolicyChange::NewPolicy { .. } => {
                let text = format!("add this {} for {direction}", policy.id.kind);
                self.headed(0, (Role::Strong, "fix: "), &text)?;
                self.yaml(&kube_render::policy(policy))
            }
            PolicyChange::NewRule { at, rule, .. } => {
                let rules = policy.rules(direction).map_or(0, <[Rule]>::len);
                let where_to = if at + 1 == rules {
                    "at the end of".to_owned()
                } else {
                    format!("as item {at} (from 0) of")
                };
                let text = format!("add this rule {where_to} `spec.{direction}` of {}", policy.id);
                self.headed(0, (Role::Strong, "fix: "), &text)?;
                if let Some(place) = self.report.place(policy.span) {
                    self.faint(4, &place)?;
                }
                self.yaml(&kube_render::rule(policy.id.kind, direction, rule, 0))
            }
        }
    }

    /// As it is to be pasted; what cannot be seen is spelled out all the same.
    fn yaml(&mut self, text: &str) -> io::Result<()> {
        for line in visible_lines(text).lines() {
            writeln!(self.out, "    {line}")?;
        }
        Ok(())
    }

    fn openings(&mut self, head: &str, openings: &[Opening]) -> io::Result<()> {
        for opening in openings.iter().take(MOST_OPENINGS) {
            let (from, to) = (words::map_peer(&opening.from), words::map_peer(&opening.to));
            let maybe = if opening.is_certain { "" } else { " (perhaps)" };
            let text = format!("{from} → {to} {}{maybe}", words::traffic(&opening.traffic));
            self.headed(2, (Role::Warning, head), &text)?;
        }
        let n_more = openings.len().saturating_sub(MOST_OPENINGS);
        if n_more > 0 {
            self.headed(2, (Role::Warning, head), &format!("{n_more} more"))?;
        }
        Ok(())
    }
}

impl ExplainReport<'_> {
    /// `shop/web → pay/db 5432/tcp`.
    fn question_text(&self, explanation: &Explanation) -> String {
        let question = &explanation.question;
        let [from, to] = [&question.from, &question.to].map(|end| words::end(self.program, end));
        format!("{from} → {to} {}", words::packet(question.protocol, question.port))
    }

    /// `[Admin] Pass (guardrails egress[0]) → [NetworkPolicy] denied by default (shop/deny)`.
    pub(super) fn flow(&self, walk: &SideWalk) -> String {
        let step = |step: &TierStep| {
            words::flow_step(self.program, &step.tier.to_string(), step.outcome, walk.side.cause)
        };
        let mut steps: Vec<String> = walk.tiers.iter().filter_map(step).collect();
        steps.extend(words::flow_end(self.program, walk.side.cause));
        let flow = steps.join(" → ");
        if walk.side.verdict != Verdict::Undefined {
            return flow;
        }
        let reasons: Vec<&str> =
            walk.side.reasons.iter().map(policy_engine::Reason::code).collect();
        format!("undefined ({}); in the first reading {flow}", reasons.join(", "))
    }

    fn place(&self, span: Option<SourceSpan>) -> Option<String> {
        span.map(|span| self.files.place(span))
    }
}

fn outcome(outcome: TierOutcome) -> (Role, &'static str) {
    match outcome {
        TierOutcome::NoPolicies => (Role::Faint, "no policy applies"),
        TierOutcome::NoMatch => (Role::Faint, "no rule matches"),
        TierOutcome::Passes(_) => (Role::Strong, "passes on to the next tier"),
        TierOutcome::Accepts(_) => (Role::Allow, "allowed"),
        TierOutcome::Denies(_) => (Role::Deny, "denied"),
        TierOutcome::DeniesByDefault => (Role::Deny, "denied by default, because no rule matches"),
        TierOutcome::NotAsked => (Role::Faint, "not asked, a tier before it decides"),
    }
}

fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Allow => Role::Allow,
        Verdict::Deny => Role::Deny,
        Verdict::Undefined => Role::Undefined,
    }
}

fn list(mut names: Vec<String>) -> String {
    let n_more = names.len().saturating_sub(MOST_NAMED);
    if n_more > 1 {
        names.truncate(MOST_NAMED);
        names.push(format!("{n_more} more"));
    }
    names.join(", ")
}
