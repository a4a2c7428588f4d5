//! What cannot be known: where the log is silent, unreadable, or was told not to look.

use super::codes;
use super::question::Question;
use crate::audit::{AuditLog, Blindness, Fault, Span, moment};
use finding_model::{Finding, Severity};

/// One finding for each reason why a call could be missing from the log.
pub(super) fn findings(log: &AuditLog, question: &Question, window: Option<Span>) -> Vec<Finding> {
    let mut findings = match window {
        Some(window) => holes(log, window),
        None => vec![nothing(log, question)],
    };
    findings.extend(servers(log, question));
    findings.extend(faults(log));
    let blindness = question.audit_policy.iter().flat_map(|policy| policy.blindness());
    findings.extend(blindness.map(|blindness| blind(&blindness)));
    findings
}

/// The times at which some server's log cannot speak.
pub(super) fn silent(log: &AuditLog, window: Span) -> Vec<Span> {
    log.known.values().flat_map(|known| known.holes(window)).collect()
}

fn nothing(log: &AuditLog, question: &Question) -> Finding {
    let message = if log.n_events == 0 {
        "the audit log has no events".to_owned()
    } else if question.from_us.is_some() || question.until_us.is_some() {
        "the window ends before it begins".to_owned()
    } else {
        "the logs of the API servers have no time in common".to_owned()
    };
    let help = "give the audit log of the time that is asked about, of every API server, with all its rotated files";
    Finding::new(codes::HOLE, Severity::Warning, message, help)
        .because("nothing can be said about any call")
}

fn holes(log: &AuditLog, window: Span) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (series, known) in &log.known {
        for hole in known.holes(window) {
            let message = format!(
                "{} has nothing from {} until {}",
                series.display(),
                moment(hole.from_us),
                moment(hole.until_us)
            );
            let help = "give the rotated files of that time too; if the API server was down then, say so in the report; where \
                        the audit policy leaves out so much that silence is usual, raise --max-silence";
            findings.push(
                Finding::new(codes::HOLE, Severity::Warning, message, help)
                    .because("whether there were privileged calls then cannot be known"),
            );
        }
    }
    findings
}

fn servers(log: &AuditLog, question: &Question) -> Option<Finding> {
    let wanted = question.servers.filter(|wanted| *wanted != log.known.len())?;
    let found = log.known.len();
    let message =
        format!("there are {wanted} API servers, and logs of {found}: each server writes its own");
    let help = "give each server's log with a path of its own: files of one folder that differ only in the time of their \
                rotation count as one log";
    Some(
        Finding::new(codes::SERVER_MISSING, Severity::Warning, message, help)
            .because("calls to the others cannot be known"),
    )
}

fn faults(log: &AuditLog) -> Vec<Finding> {
    let help = "look at that place: a line that is cut off at the end of a file that is still written to is usual; elsewhere \
                the log is damaged, or was changed";
    let mut findings: Vec<Finding> = log
        .faults
        .iter()
        .map(|fault| {
            let severity = match fault {
                Fault::CutOff { .. } => Severity::Info,
                Fault::NoEvent { .. } | Fault::TooLong { .. } | Fault::Rest { .. } => {
                    Severity::Warning
                }
            };
            Finding::new(codes::LOG_UNREADABLE, severity, fault.to_string(), help)
                .because("whether it was a privileged call cannot be known")
        })
        .collect();
    if log.n_more_faults > 0 {
        let message = format!("{} more places of the log cannot be read", log.n_more_faults);
        findings.push(Finding::new(codes::LOG_UNREADABLE, Severity::Warning, message, help));
    }
    findings
}

fn blind(blindness: &Blindness) -> Finding {
    let Blindness { resources, rule, only, of_components } = blindness;
    let resources = resources.join(", ");
    let by = rule.map_or_else(
        || "no rule of the audit policy fits".to_owned(),
        |rule| format!("rule {rule} of the audit policy keeps that out"),
    );
    let of = if only.is_empty() { String::new() } else { format!(" ({})", only.join("; ")) };
    let message = format!("the log does not have {resources}{of}: {by}");
    let severity = if *of_components { Severity::Info } else { Severity::Warning };
    let help = "put a rule with `level: Metadata` for the privileged sub-resources first: docs/gateway-install.md has one";
    Finding::new(codes::BLIND, severity, message, help)
        .about(resources)
        .because("whether there were such calls cannot be known")
}
