//! The comparison itself.

use super::gap::{Difference, Gap, GapKind, witness};
use super::question::Question;
use super::report::{BreakGlassUse, Coverage, Tally, WithoutCall};
use super::session::{Evidence, Session, SessionFacts, Sessions};
use super::{codes, unknown};
use crate::audit::{AuditLog, Call, Known, Outcome, Span, moment};
use access_model::Verb;
use finding_model::{Finding, Severity};
use session_record::SessionId;
use std::collections::{BTreeMap, BTreeSet};

/// How long before a gap a refusal is worth a mention.
const JUST_BEFORE_US: i64 = 600_000_000;

pub(super) fn compare(log: &AuditLog, sessions: &Sessions, question: &Question) -> Coverage {
    let extents: Vec<Span> = log.known.values().filter_map(Known::extent).collect();
    let window = question.window(extents.iter());
    let mut comparison = Comparison {
        sessions,
        question,
        claims: BTreeMap::new(),
        named: BTreeSet::new(),
        offsets: Vec::new(),
        coverage: Coverage {
            window,
            tally: Tally::default(),
            gaps: Vec::new(),
            break_glass: Vec::new(),
            without_call: Vec::new(),
            findings: Vec::new(),
            clock_offset_us: None,
        },
        refused: BTreeMap::new(),
        no_outcome: Vec::new(),
    };
    let in_window = |call: &&Call| window.is_some_and(|window| window.contains(call.received_us));
    // Sessions belong first to calls that went through: what is unclear may be another try of the same session.
    let (passed, others): (Vec<&Call>, Vec<&Call>) =
        log.calls.iter().partition(|call| call.outcome == Outcome::Passed);
    let all = passed.into_iter().chain(others);
    all.filter(|call| in_window(call) || names_session(call, sessions)).for_each(|call| {
        comparison.call(call, in_window(&call));
    });
    if let Some(window) = window {
        comparison.sessions_without_call(log, window);
    }
    comparison.finish(log)
}

/// A call just outside of the window may belong to a session that begins in it.
fn names_session(call: &Call, sessions: &Sessions) -> bool {
    call.acting().sessions.iter().any(|id| sessions.find(id).is_some())
}

struct Comparison<'all> {
    sessions: &'all Sessions,
    question: &'all Question,
    /// The call that a session belongs to.
    claims: BTreeMap<&'all str, &'all Call>,
    /// Sessions that some call names, whatever came of it.
    named: BTreeSet<&'all str>,
    offsets: Vec<i64>,
    coverage: Coverage,
    /// How often somebody was refused by the policy, and the last time.
    refused: BTreeMap<(String, Verb), (u64, &'all Call)>,
    /// Calls of the gateway of which the log has only the beginning.
    no_outcome: Vec<&'all Call>,
}

impl<'all> Comparison<'all> {
    fn call(&mut self, call: &'all Call, counts: bool) {
        self.named.extend(call.acting().sessions.iter().map(String::as_str));
        if let Outcome::Refused { by_policy, .. } = &call.outcome {
            if counts {
                self.refusal(call, *by_policy);
            }
            return;
        }
        if self.is_only_begun(call) {
            if counts {
                self.no_outcome.push(call);
            }
            return;
        }
        let judged = self.judge(call);
        if !counts {
            return;
        }
        let tally = &mut self.coverage.tally;
        tally.calls += 1;
        *tally.by_verb.entry(call.verb).or_default() += 1;
        match judged {
            Judged::Recorded => tally.recorded += 1,
            Judged::BreakGlass { is_marked } => {
                self.coverage.break_glass.push(BreakGlassUse { call: call.clone(), is_marked });
            }
            Judged::Gap(kind) => {
                let refused_before = self.refused_before(call);
                self.coverage.gaps.push(Gap { call: call.clone(), kind, refused_before });
            }
        }
    }

    /// The first line of a request does not have who is impersonated. Without another one it cannot be told to which
    /// session a call of the gateway's belongs.
    fn is_only_begun(&self, call: &Call) -> bool {
        let begun = matches!(&call.outcome, Outcome::Unclear { .. }) && call.ended_us.is_none();
        begun && call.impersonated.is_none() && self.question.is_gateway(&call.user.name)
    }

    fn refusal(&mut self, call: &'all Call, by_policy: bool) {
        self.coverage.tally.refused += 1;
        if by_policy {
            self.coverage.tally.refused_by_policy += 1;
            let who = (call.acting().name.clone(), call.verb);
            let entry = self.refused.entry(who).or_insert((0, call));
            entry.0 += 1;
            entry.1 = call;
        }
    }

    fn judge(&mut self, call: &'all Call) -> Judged {
        let acting = call.acting();
        let by_gateway = self.question.is_gateway(&call.user.name);
        let id = match acting.sessions.as_slice() {
            [] => return self.without_session(call, by_gateway),
            [id] if id.parse::<SessionId>().is_ok() => id,
            found => return Judged::Gap(GapKind::Malformed { found: found.to_vec() }),
        };
        let session = || id.clone();
        if call.impersonated.is_none() {
            return Judged::Gap(GapKind::Forged { session: session(), by: None });
        }
        if !by_gateway {
            let by = Some(call.user.name.clone());
            return Judged::Gap(GapKind::Forged { session: session(), by });
        }
        let Some(found) = self.sessions.find(id) else {
            return Judged::Gap(GapKind::UnknownSession { session: session() });
        };
        match self.mismatch(call, found) {
            Some(kind) => Judged::Gap(kind),
            None => self.claim(call, found),
        }
    }

    fn without_session(&self, call: &Call, by_gateway: bool) -> Judged {
        let acting = call.acting();
        let breaks = &self.question.break_glass;
        let is_known = breaks.users.contains(&acting.name)
            || acting.groups.iter().any(|group| breaks.groups.contains(group));
        if call.break_glass.is_some() || is_known {
            return Judged::BreakGlass { is_marked: call.break_glass.is_some() };
        }
        Judged::Gap(GapKind::NoSession { by_gateway })
    }

    /// Why the session is not the call's.
    fn mismatch(&self, call: &Call, session: &Session) -> Option<GapKind> {
        let id = session.id.clone();
        match &session.evidence {
            Evidence::Unreadable { why } => {
                return Some(GapKind::Unreadable { session: id, why: why.clone() });
            }
            Evidence::Missing => return Some(GapKind::Missing { session: id }),
            Evidence::Recording | Evidence::Ledger | Evidence::Deleted => {}
        }
        let Some(facts) = &session.facts else {
            let why = "it says nothing of itself".to_owned();
            return Some(GapKind::Unreadable { session: id, why });
        };
        let differences = differences(call, facts, self.question.cluster.as_deref());
        if !differences.is_empty() {
            return Some(GapKind::Differs { session: id, differences });
        }
        let skew = self.question.skew_us;
        let is_early = call.received_us < facts.opened_us().saturating_sub(skew);
        let ended_us = facts.last_us();
        let is_late = ended_us.is_some_and(|end| call.received_us > end.saturating_add(skew));
        (is_early || is_late).then_some(GapKind::OutOfTime {
            session: id,
            opened_ms: facts.opened_ms,
            ended_us,
        })
    }

    /// A session has one call that went through. Tries that came to nothing are the gateway's: it asks again in another
    /// protocol.
    fn claim(&mut self, call: &'all Call, session: &'all Session) -> Judged {
        let is_try = matches!(call.outcome, Outcome::Unclear { .. }) && call.ended_us.is_some();
        match self.claims.get(session.id.as_str()) {
            Some(_) if is_try => Judged::Recorded,
            Some(first) => {
                let first = Box::new((*first).clone());
                Judged::Gap(GapKind::Reused { session: session.id.clone(), first })
            }
            None => {
                self.claims.insert(&session.id, call);
                let opened = session.facts.as_ref().map(SessionFacts::opened_us);
                self.offsets.extend(opened.map(|opened| call.received_us - opened));
                Judged::Recorded
            }
        }
    }

    fn refused_before(&self, call: &Call) -> Vec<super::LedgerRefusal> {
        let near = |at_ms: i64| {
            let before = call.received_us - at_ms.saturating_mul(1_000);
            (-self.question.skew_us..=JUST_BEFORE_US).contains(&before)
        };
        let of_call = |refusal: &&super::LedgerRefusal| {
            refusal.user == call.acting().name
                && refusal.object.contains(&call.name)
                && near(refusal.at_ms)
        };
        self.sessions.refusals().iter().filter(of_call).cloned().collect()
    }

    fn sessions_without_call(&mut self, log: &AuditLog, window: Span) {
        let skew = self.question.skew_us;
        let silent = unknown::silent(log, window);
        for session in self.sessions.iter() {
            let Some(facts) = &session.facts else { continue };
            let opened = facts.opened_us();
            let is_here = self.question.cluster.as_ref().is_none_or(|name| *name == facts.cluster);
            if !is_here || !window.contains(opened) {
                continue;
            }
            let tally = &mut self.coverage.tally;
            tally.sessions += 1;
            if !is_compared(&facts.verb, self.question.with_logs) {
                tally.sessions_not_compared += 1;
                continue;
            }
            if self.named.contains(session.id.as_str()) {
                continue;
            }
            let around = Span { from_us: opened - skew, until_us: opened + skew };
            let touches =
                |hole: &Span| hole.from_us <= around.until_us && around.from_us <= hole.until_us;
            let at_edge = !(window.contains(around.from_us) && window.contains(around.until_us));
            if at_edge || silent.iter().any(touches) {
                tally.sessions_unknown += 1;
                continue;
            }
            let ran = facts.ran();
            self.coverage.without_call.push(WithoutCall { session: session.clone(), ran });
        }
    }

    fn finish(mut self, log: &AuditLog) -> Coverage {
        let unknown = unknown::findings(log, self.question, self.coverage.window);
        let no_outcome: Vec<Finding> = self.no_outcome.iter().copied().map(begun).collect();
        let coverage = &mut self.coverage;
        coverage.gaps.sort_by_key(|gap| gap.call.received_us);
        coverage.break_glass.sort_by_key(|used| used.call.received_us);
        self.offsets.sort_unstable();
        coverage.clock_offset_us = self.offsets.get(self.offsets.len() / 2).copied();
        coverage.tally.of_components = log.of_components.values().sum();
        let is_reason = |finding: &&Finding| finding.severity >= Severity::Warning;
        let missed = coverage.without_call.iter().filter(|session| session.ran).count();
        let n_unknown = unknown.iter().chain(&no_outcome).filter(is_reason).count() + missed;
        coverage.tally.unknown = u64::try_from(n_unknown).unwrap_or(u64::MAX);
        let mut findings: Vec<Finding> = coverage.gaps.iter().map(Gap::finding).collect();
        findings.extend(coverage.break_glass.iter().map(broken));
        findings.extend(unknown);
        findings.extend(no_outcome);
        findings.extend(coverage.without_call.iter().filter_map(without_call));
        findings.extend(self.refused.iter().map(refused));
        findings.extend(pods(log));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self.coverage.findings = findings;
        self.coverage
    }
}

enum Judged {
    Recorded,
    BreakGlass { is_marked: bool },
    Gap(GapKind),
}

fn is_compared(verb: &str, with_logs: bool) -> bool {
    match Verb::of_word(verb) {
        Some(
            Verb::Exec
            | Verb::Attach
            | Verb::PortForward
            | Verb::Debug
            | Verb::Proxy
            | Verb::NodeProxy
            | Verb::TokenRequest,
        ) => true,
        Some(Verb::Logs) => with_logs,
        Some(Verb::ServerDebug | Verb::Api) | None => false,
    }
}

/// What a call and a recording both say, and say differently.
fn differences(call: &Call, facts: &SessionFacts, cluster: Option<&str>) -> Vec<Difference> {
    let acting = call.acting();
    let mut found = Vec::new();
    let mut compare = |what: &'static str, call: Option<&str>, recording: Option<&str>| {
        if call != recording {
            let said = |text: Option<&str>| text.unwrap_or("nothing").to_owned();
            found.push(Difference { what, call: said(call), recording: said(recording) });
        }
    };
    if let Some(cluster) = cluster {
        compare("cluster", Some(cluster), Some(&facts.cluster));
    }
    compare("user", Some(&acting.name), Some(&facts.user));
    compare("verb", Some(call.verb.word()), Some(&facts.verb));
    compare("namespace", call.namespace.as_deref(), facts.namespace.as_deref());
    compare("object", Some(&call.name), facts.name.as_deref());
    if facts.uid.is_some() && acting.uid.is_some() {
        compare("user's UID", acting.uid.as_deref(), facts.uid.as_deref());
    }
    if call.uid.is_some() && facts.object_uid.is_some() {
        compare("object's UID", call.uid.as_deref(), facts.object_uid.as_deref());
    }
    if call.container.is_some() && facts.container.is_some() {
        compare("container", call.container.as_deref(), facts.container.as_deref());
    }
    if let Some(groups) = &facts.groups {
        compare("groups", Some(&of_groups(&acting.groups)), Some(&of_groups(groups)));
    }
    if let (Some(command), Verb::Exec) = (&facts.command, call.verb) {
        let said = |command: &[String]| format!("{command:?}");
        compare("command line", Some(&said(&call.command)), Some(&said(command)));
    }
    found
}

/// As a set, without the one that the API server adds.
fn of_groups(groups: &[String]) -> String {
    let groups: BTreeSet<&str> = groups
        .iter()
        .map(String::as_str)
        .filter(|group| *group != "system:authenticated")
        .collect();
    format!("{groups:?}")
}

fn broken(used: &BreakGlassUse) -> Finding {
    let BreakGlassUse { call, is_marked } = used;
    let message = format!(
        "{} broke the glass: {} on {}, not recorded",
        call.acting().name,
        call.verb.word(),
        call.object()
    );
    let help = "ask for the reason and what was done, and change the credentials that were used";
    let why = if *is_marked {
        "the policy let it through and marked it"
    } else {
        "the identity may break the glass, and the policy did not mark it: install it"
    };
    Finding::new(codes::BREAK_GLASS, Severity::Warning, message, help)
        .about(format!("{} {}", call.verb.word(), call.object()))
        .because(why)
        .witnessed_by(witness(call))
}

fn begun(call: &Call) -> Finding {
    let message = format!(
        "the log has only the beginning of a call of the gateway's: {} on {}",
        call.verb.word(),
        call.object()
    );
    let help = "give the log of a little later, or of the next rotated file; an API server that was killed then leaves no more";
    Finding::new(codes::NO_OUTCOME, Severity::Warning, message, help)
        .because("whose session it was cannot be known")
        .witnessed_by(witness(call))
}

fn without_call(found: &WithoutCall) -> Option<Finding> {
    let WithoutCall { session, ran } = found;
    let facts = session.facts.as_ref()?;
    let object: Vec<&str> =
        [&facts.namespace, &facts.name].into_iter().flatten().map(String::as_str).collect();
    let object = object.join("/");
    let message = format!("the log has no call of session {}", session.id);
    let (severity, why) = if *ran {
        let why = "its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known";
        (Severity::Warning, why)
    } else {
        (Severity::Info, "it may have ended before the gateway reached the API server")
    };
    let help = "look whether the log of every API server is there, and what the audit policy leaves out (--audit-policy)";
    let opened = moment(facts.opened_us());
    let finding = Finding::new(codes::WITHOUT_CALL, severity, message, help)
        .about(format!("{} {object}", facts.verb))
        .because(why)
        .witnessed_by(format!("opened {opened} by {}", facts.user));
    Some(finding)
}

fn refused(((user, verb), (count, last)): (&(String, Verb), &(u64, &Call))) -> Finding {
    let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
    let message = format!("{user} was refused {} past the gateway {times}", verb.word());
    let help = "tell them of `weir login`; if it is a program, give it a way through the gateway";
    Finding::new(codes::REFUSED, Severity::Info, message, help)
        .about(format!("{} {}", verb.word(), last.object()))
        .because("the policy refused it before it reached anything")
        .witnessed_by(witness(last))
}

fn pods(log: &AuditLog) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((user, namespace, privileges), (count, name)) in &log.pods.privileged {
        let words: Vec<&str> = privileges.iter().map(|privilege| privilege.word()).collect();
        let pods = if *count == 1 { "a pod".to_owned() } else { format!("{count} pods") };
        let message = format!(
            "{user} created {pods} in {namespace} with access beyond a pod's own: {}",
            words.join(", ")
        );
        let help = "if they are not expected there, let Pod Security admission refuse them: enforce `baseline`";
        findings.push(
            Finding::new(codes::PRIVILEGED_PODS, Severity::Info, message, help)
                .about(format!("pod {namespace}/{name}"))
                .because("whoever controls such a pod may not need a session"),
        );
    }
    if log.pods.unseen > 0 {
        let message =
            format!("{} creations of pods are in the log without their bodies", log.pods.unseen);
        let help = "log `create pods` with `level: Request` to see which of them are privileged";
        findings.push(
            Finding::new(codes::NO_BODIES, Severity::Info, message, help)
                .because("whether they are privileged cannot be known"),
        );
    }
    findings
}
