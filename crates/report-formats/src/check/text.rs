//! The answer to one question, for people: one line, or one for each distinct answer.

use super::deciding::{Deciding, DecidingPolicy};
use super::{CheckReport, Overall, end_name};
use crate::{Palette, Role, counted, visible};
use policy_engine::{Answer, Cause, Reason, Side, Verdict};
use policy_model::Direction;
use std::io::{self, Write};

/// More lines of one verdict would not be read; JSON has all.
const MOST_OF_A_VERDICT: usize = 8;

pub fn write(out: &mut dyn Write, report: &CheckReport<'_>, palette: Palette) -> io::Result<()> {
    if let [only] = report.answers {
        let profile = format!("  [profile {}]", report.program.assumptions().semantics);
        let profile = palette.paint(Role::Faint, &profile);
        writeln!(out, "{}{profile}", answer_line(report, only, palette))?;
    } else {
        writeln!(out, "{}", head(report, palette))?;
        for verdict in [Verdict::Deny, Verdict::Undefined, Verdict::Allow] {
            write_verdict(out, report, verdict, palette)?;
        }
    }
    for reason in report.reasons().iter() {
        writeln!(out, "{}: {}", reason.code(), reason_text(report, reason))?;
    }
    Ok(())
}

/// `partly  shop/ → pay/db:5432/tcp  3 answers  [profile upstream]`.
fn head(report: &CheckReport<'_>, palette: Palette) -> String {
    let asked = &report.asked;
    let role = match report.overall {
        Overall::All(verdict) => role(verdict),
        Overall::ByEndpoint | Overall::Partly => Role::Undefined,
    };
    let verdict = palette.paint(role, report.overall.as_str());
    let question = format!("{} → {}", visible(asked.from), visible(asked.to));
    let ports = if asked.all_ports { "all ports" } else { asked.port };
    let answers = counted(report.answers.len(), "answer");
    let why = match report.overall {
        Overall::ByEndpoint => ", by the endpoint that the Service picks",
        Overall::All(_) | Overall::Partly => "",
    };
    let profile = format!("[profile {}]", report.program.assumptions().semantics);
    let profile = palette.paint(Role::Faint, &profile);
    format!("{verdict}  {question}  {}  {answers}{why}  {profile}", visible(ports))
}

fn write_verdict(
    out: &mut dyn Write,
    report: &CheckReport<'_>,
    verdict: Verdict,
    palette: Palette,
) -> io::Result<()> {
    let of_verdict = || report.answers.iter().filter(|a| a.decision.verdict == verdict);
    for answer in of_verdict().take(MOST_OF_A_VERDICT) {
        let more = match answer.n_pairs.saturating_sub(1) {
            0 => String::new(),
            more => palette.paint(Role::Faint, &format!("  (and {more} like it)")),
        };
        writeln!(out, "  {}{more}", answer_line(report, answer, palette))?;
    }
    let hidden = of_verdict().skip(MOST_OF_A_VERDICT).count();
    if hidden > 0 {
        let verdict = palette.paint(role(verdict), verdict.as_str());
        writeln!(out, "  {verdict}  {} more; -o json has all", counted(hidden, "answer"))?;
    }
    Ok(())
}

/// `deny  shop/web → pay/db:5432/tcp  egress: … · ingress: …`.
fn answer_line(report: &CheckReport<'_>, answer: &Answer, palette: Palette) -> String {
    let decision = &answer.decision;
    let verdict = palette.paint(role(decision.verdict), decision.verdict.as_str());
    let question = connection(report, answer);
    let side = |direction, side| side_text(report, (direction, side), palette);
    let egress = side(Direction::Egress, decision.egress);
    let ingress = side(Direction::Ingress, decision.ingress);
    let question = palette.paint(Role::Strong, &question);
    format!("{verdict}  {question}  egress: {egress} · ingress: {ingress}")
}

fn connection(report: &CheckReport<'_>, answer: &Answer) -> String {
    let question = &answer.question;
    let from = end_name(report.program, &question.from);
    let to = end_name(report.program, &question.to);
    let (from, to) = (visible(&from), visible(&to));
    let protocol = question.protocol.to_string().to_ascii_lowercase();
    if report.asked.all_ports {
        let ports = if answer.traffic.has_all_ports() {
            "all ports".to_owned()
        } else {
            answer.traffic.to_string()
        };
        return format!("{from} → {to}  {ports}");
    }
    if !question.protocol.has_ports() {
        return format!("{from} → {to} {protocol}");
    }
    // The port of an IPv6 address would look like a part of it.
    let to = if to.contains(':') { format!("[{to}]") } else { to.into_owned() };
    format!("{from} → {to}:{}/{protocol}", question.port)
}

fn side_text(
    report: &CheckReport<'_>,
    (direction, side): (Direction, Side),
    palette: Palette,
) -> String {
    let deciding = Deciding::of(report.program, report.files, side.cause);
    let policy = deciding.policy.as_ref().map(|policy| policy_text(policy, direction, palette));
    let policy = policy.unwrap_or_default();
    let verdict = side.verdict.as_str();
    let text = match (side.cause, side.verdict) {
        (Cause::Rule(_), Verdict::Allow | Verdict::Deny) => format!("{verdict} by {policy}"),
        (Cause::Rule(_), Verdict::Undefined) => format!("undefined, in one reading by {policy}"),
        (Cause::Isolation(_), Verdict::Deny) => {
            format!("denied by default, isolated by {policy}")
        }
        (Cause::Isolation(_), Verdict::Allow | Verdict::Undefined) => {
            format!("{verdict}, isolated by {policy}")
        }
        (Cause::NoPolicy, _) => format!("{verdict}, no policy decides"),
        (Cause::NotAPod, _) => format!("{verdict}, not a pod"),
        (Cause::OwnNode, _) => format!("{verdict}, from the pod's own node"),
        (Cause::SelfTraffic, _) => format!("{verdict}, a pod to itself"),
    };
    let reasons: Vec<&str> = side.reasons.iter().map(Reason::code).collect();
    if reasons.is_empty() { text } else { format!("{text} because of {}", reasons.join(", ")) }
}

/// `NetworkPolicy shop/web-out egress[0] (f.yaml:12)`.
fn policy_text(policy: &DecidingPolicy<'_>, direction: Direction, palette: Palette) -> String {
    let DecidingPolicy { kind, path, rule, place } = policy;
    let mut text = format!("{kind} {}", visible(path));
    if let Some(rule) = rule {
        let name = rule.name.map(|name| format!(" `{}`", visible(name))).unwrap_or_default();
        text = format!("{text} {direction}[{}]{name}", rule.index);
    }
    if let Some((file, line)) = place {
        text += &palette.paint(Role::Faint, &format!(" ({}:{line})", visible(file)));
    }
    text
}

fn reason_text(report: &CheckReport<'_>, reason: Reason) -> String {
    let text = reason.text();
    if reason != Reason::PodAddress {
        return text.to_owned();
    }
    let networks = report.program.assumptions().pod_networks.to_string();
    format!("{text} (taken to be in {networks})")
}

fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Allow => Role::Allow,
        Verdict::Deny => Role::Deny,
        Verdict::Undefined => Role::Undefined,
    }
}
