//! A coverage, for people and for programs.

use crate::Console;
use bypass_checks::{Coverage, Gap, Tally};
use finding_model::{Finding, SourceFiles};
use report_formats::{Role, counted, json};
use serde_json::{Value, json};
use session_formats::moment;
use std::io;

pub(super) fn text(coverage: &Coverage, console: &mut Console) -> io::Result<()> {
    let palette = console.out_palette;
    let out = &mut console.out;
    let Tally { calls, recorded, refused, refused_by_policy, of_components, .. } = coverage.tally;
    let time = coverage.window.map_or_else(
        || "at no time".to_owned(),
        |window| {
            format!(
                "from {} until {}",
                moment(window.from_us / 1_000),
                moment(window.until_us / 1_000)
            )
        },
    );
    writeln!(out, "compared      {time}")?;
    let verbs = coverage.tally.by_verb.iter().map(|(verb, n)| format!("{} {n}", verb.word()));
    let verbs: Vec<String> = verbs.collect();
    let verbs = if verbs.is_empty() { String::new() } else { format!(": {}", verbs.join(", ")) };
    writeln!(out, "calls         {calls} privileged{verbs}")?;
    writeln!(out, "recorded      {recorded}")?;
    writeln!(out, "gaps          {}", coverage.gaps.len())?;
    writeln!(out, "break-glass   {}", coverage.break_glass.len())?;
    writeln!(out, "refused       {refused}, {refused_by_policy} of them by Weir's policy")?;
    writeln!(out, "of components {of_components}")?;
    let Tally { sessions, sessions_not_compared, sessions_unknown, .. } = coverage.tally;
    writeln!(
        out,
        "recordings    {sessions} began in this time, {} without a call, {sessions_not_compared} of verbs that are not compared, \
         {sessions_unknown} at a time of which the log cannot speak",
        coverage.without_call.len(),
    )?;
    if let Some(offset) = coverage.clock_offset_us {
        writeln!(
            out,
            "clocks        calls come {offset} µs after their recordings, in the middle"
        )?;
    }
    writeln!(out)?;
    report_formats::findings::text::write_findings(
        out,
        &coverage.findings,
        &SourceFiles::default(),
        palette,
    )?;
    let (role, verdict) = verdict(coverage);
    writeln!(out, "{}", palette.paint(role, &verdict))
}

fn verdict(coverage: &Coverage) -> (Role, String) {
    let unknown = usize::try_from(coverage.tally.unknown).unwrap_or(usize::MAX);
    match (coverage.gaps.len(), unknown) {
        (0, 0) => (Role::Allow, "every privileged call has its recording".to_owned()),
        (0, reasons) => {
            let reasons = counted(reasons, "reason");
            let text = format!("no gap in what the log can tell; {reasons} why that is not all");
            (Role::Warning, text)
        }
        (gaps, _) => (Role::Error, format!("{} without a recording", counted(gaps, "call"))),
    }
}

pub(super) fn json(coverage: &Coverage, console: &mut Console) -> io::Result<()> {
    let Tally {
        calls,
        recorded,
        refused,
        refused_by_policy,
        by_verb,
        of_components,
        sessions,
        sessions_not_compared,
        sessions_unknown,
        unknown,
    } = &coverage.tally;
    let by_verb: serde_json::Map<String, Value> =
        by_verb.iter().map(|(verb, n)| (verb.word().to_owned(), json!(n))).collect();
    let window = coverage.window.map(
        |window| json!({ "from": moment(window.from_us / 1_000), "until": moment(window.until_us / 1_000) }),
    );
    let without_call = coverage.without_call.iter();
    let report = json!({
        "apiVersion": json::API_VERSION,
        "kind": "SessionCoverage",
        "window": window,
        "isCovered": coverage.has_no_gap() && coverage.is_certain(),
        "calls": calls, "callsByVerb": by_verb, "recorded": recorded,
        "refused": refused, "refusedByPolicy": refused_by_policy, "ofComponents": of_components,
        "sessions": sessions, "sessionsNotCompared": sessions_not_compared,
        "sessionsUnknown": sessions_unknown,
        "reasonsForDoubt": unknown,
        "clockOffsetUs": coverage.clock_offset_us,
        "gaps": coverage.gaps.iter().map(gap).collect::<Vec<_>>(),
        "breakGlass": coverage.break_glass.iter().map(|used| json!({
            "auditId": used.call.audit_id, "user": used.call.acting().name, "isMarked": used.is_marked,
        })).collect::<Vec<_>>(),
        "withoutCall": without_call.map(|session| json!({
            "session": session.session.id, "ran": session.ran,
        })).collect::<Vec<_>>(),
        "findings": coverage.findings.iter().map(finding).collect::<Vec<_>>(),
    });
    json::write_pretty(&mut console.out, &report)
}

fn gap(gap: &Gap) -> Value {
    let call = &gap.call;
    json!({
        "code": gap.kind.code().0,
        "session": gap.kind.session(),
        "verb": call.verb.word(),
        "user": call.acting().name,
        "by": call.user.name,
        "namespace": call.namespace,
        "name": call.name,
        "command": call.command,
        "at": moment(call.received_us / 1_000),
        "auditId": call.audit_id,
        "place": call.place.to_string(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code.0,
        "severity": finding.severity.to_string(),
        "message": finding.message,
        "why": finding.why,
        "witness": finding.witness,
        "help": finding.help,
    })
}
