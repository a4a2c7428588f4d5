//! One line for each flow, for people.
//!
//! ```text
//! 2026-11-21T15:10:31.123Z denied     shop/web-5d9c → pay/db-0:5432/tcp  ingress: denied by default, isolated by NetworkPolicy pay/db
//! ```

mod words;

use crate::record::Time;
use chrono::SecondsFormat;
use flow_model::{Counters, Decider, End, Flow, FlowVerdict, Report, ServiceHop, Trace, WouldDeny};
use net_types::Protocol;
use safe_output::{Palette, Role, visible};
use std::io::{self, Write};
use words::{bytes, counted, decider, milliseconds};

pub fn write(out: &mut dyn Write, flow: &Flow, palette: Palette) -> io::Result<()> {
    let time = Time(flow.time).to_text(SecondsFormat::Millis);
    let time = palette.paint(Role::Faint, &time);
    let report = palette.paint(role(flow), &format!("{:<10}", word(flow)));
    let connection = palette.paint(Role::Strong, &connection(flow));
    write!(out, "{time} {report} {connection}{}", via(flow.service.as_ref()))?;
    write!(out, "  {}: {}", flow.observer.side, why(flow, palette))?;
    for would in [("observed", &flow.observed), ("staged", &flow.staged)] {
        write!(out, "{}", would_be(flow, would, palette))?;
    }
    if flow.count > 1 {
        write!(out, "  {} packets", flow.count)?;
    }
    write!(out, "{}", palette.paint(Role::Faint, &amounts(flow)))?;
    if flow.lost_before > 0 {
        let lost = format!("({} lost before this)", counted(flow.lost_before, "report"));
        write!(out, "  {}", palette.paint(Role::Warning, &lost))?;
    }
    writeln!(out)
}

/// Why it was let pass or not, as a phrase without colours, with what staged and observed policies would do.
pub fn reason(flow: &Flow) -> String {
    let mut reason = why(flow, Palette::Plain);
    for would in [("observed", &flow.observed), ("staged", &flow.staged)] {
        reason.push_str(&would_be(flow, would, Palette::Plain));
    }
    reason
}

/// What decided, as a phrase without colours.
pub(crate) fn decider_text(trace: &Trace) -> String {
    decider(trace, Palette::Plain)
}

/// The report, but for a denial that dropped nothing.
fn word(flow: &Flow) -> &'static str {
    match flow.report {
        Report::Denied if !flow.dropped => "would-deny",
        Report::Denied
        | Report::Opened
        | Report::Active
        | Report::Closed
        | Report::Revoked
        | Report::Refused(_) => flow.report.as_str(),
    }
}

/// What becomes of the connection's packets, as a short phrase: `open`, `denied`, `open, staged denies`.
pub fn passage(flow: &Flow) -> &'static str {
    match (flow.would_deny(), flow.report) {
        (Some(WouldDeny::Enforced), _) => "open, would be denied",
        (Some(WouldDeny::Observed), _) => "open, observed denies",
        (Some(WouldDeny::Staged), _) => "open, staged denies",
        (None, Report::Closed) => "closed",
        (None, Report::Opened | Report::Active) => "open",
        (None, Report::Denied | Report::Revoked | Report::Refused(_)) => flow.report.as_str(),
    }
}

/// What passes and would not is neither red nor green.
pub fn passage_role(flow: &Flow) -> Role {
    match flow.would_deny() {
        Some(_) => Role::Undefined,
        None if flow.dropped => Role::Deny,
        None => Role::Allow,
    }
}

/// Of the report: what staged policies would do is coloured by itself.
fn role(flow: &Flow) -> Role {
    match flow.would_deny() {
        Some(WouldDeny::Staged) => Role::Allow,
        Some(WouldDeny::Enforced | WouldDeny::Observed) | None => passage_role(flow),
    }
}

/// `shop/web → pay/db:5432/tcp`.
pub fn connection(flow: &Flow) -> String {
    let protocol = flow.protocol.to_string().to_ascii_lowercase();
    let (from, to) = (end_name(&flow.source), end_name(&flow.destination));
    match (flow.destination.port, flow.icmp) {
        // The port of an IPv6 address would look like a part of it.
        (Some(port), _) if to.contains(':') => format!("{from} → [{to}]:{port}/{protocol}"),
        (Some(port), _) => format!("{from} → {to}:{port}/{protocol}"),
        (None, Some((kind, code))) => {
            format!("{from} → {to} {protocol}{}", words::icmp(flow.protocol, kind, code))
        }
        (None, None) => format!("{from} → {to} {protocol}"),
    }
}

fn end_name(end: &End) -> String {
    visible(&end.to_string()).into_owned()
}

fn via(service: Option<&ServiceHop>) -> String {
    let Some(ServiceHop { address, port, name }) = service else {
        return String::new();
    };
    match name {
        Some(name) => format!(" (via service/{}:{port})", visible(name)),
        None if address.is_ipv6() => format!(" (via [{address}]:{port})"),
        None => format!(" (via {address}:{port})"),
    }
}

fn why(flow: &Flow, palette: Palette) -> String {
    let dropped = if flow.dropped { "" } else { ", not dropped" };
    match (flow.report, &flow.decision) {
        (Report::Refused(cause), _) => format!("{} ({}){dropped}", cause.text(), cause.code()),
        (Report::Opened | Report::Active | Report::Closed, None)
        | (Report::Denied | Report::Revoked, None) => "not decided".to_owned(),
        (_, Some(trace)) => match trace.verdict {
            FlowVerdict::Allow => decider(trace, palette),
            FlowVerdict::Deny => format!("{}{dropped}", decider(trace, palette)),
        },
    }
}

/// `  staged: denied by default, …`, where that differs from what was decided.
fn would_be(flow: &Flow, (mode, trace): (&str, &Option<Trace>), palette: Palette) -> String {
    let Some(trace) = trace else {
        return String::new();
    };
    if flow.decision.as_ref().is_some_and(|decision| decision.verdict == trace.verdict) {
        return String::new();
    }
    let would = match trace.verdict {
        FlowVerdict::Allow => "would allow",
        FlowVerdict::Deny => "would deny",
    };
    let would = palette.paint(Role::Undefined, &format!("{mode} {would}"));
    format!("  {would}: {}", decider(trace, palette))
}

/// `  12 packets 3.4 KiB →, 9 packets 1.2 MiB ←, open for 1.25 s`.
fn amounts(flow: &Flow) -> String {
    let counts = match flow.report {
        Report::Active | Report::Closed | Report::Revoked => flow.counters,
        Report::Opened | Report::Denied | Report::Refused(_) => None,
    };
    let Some(Counters { packets_forward, packets_back, bytes_forward, bytes_back, .. }) = counts
    else {
        return String::new();
    };
    let one_way = |packets, amount| format!("{} {}", counted(packets, "packet"), bytes(amount));
    let forward = one_way(packets_forward, bytes_forward);
    let back = one_way(packets_back, bytes_back);
    let age = flow.opened.and_then(|opened| flow.time.0.checked_sub(opened.0));
    let age = age.map(|age| format!(", open for {}", milliseconds(age))).unwrap_or_default();
    format!("  {forward} →, {back} ←{age}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn lines(palette: Palette) -> String {
        let mut lines = Vec::new();
        for flow in fixtures::all() {
            write(&mut lines, &flow, palette).unwrap();
        }
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn each_flow_is_a_line_that_says_why() {
        let lines = lines(Palette::Plain);
        assert!(!lines.replace('\n', "").contains(safe_output::is_hidden));
        expect_test::expect![[r#"
            2026-11-21T15:10:31.123Z opened     shop/web-5d9c → pay/db-0:5432/tcp (via service/pay/db:80)  egress: allow by NetworkPolicy shop/web-out egress[1] (web-out.yaml:12:7)  staged would deny: denied by default, isolated by NetworkPolicy pay/default-deny, NetworkPolicy pay/db
            2026-11-21T15:10:31.123Z closed     shop/web-5d9c → pay/db-0:5432/tcp (via service/pay/db:80)  egress: allow by NetworkPolicy shop/web-out egress[1] (web-out.yaml:12:7)  12 packets 3.3 KiB →, 9 packets 1.1 MiB ←, open for 1.25 s  (7 reports lost before this)
            2026-11-21T15:10:31.123Z denied     shop/web-5d9c → pay/db-0:5432/tcp  ingress: denied by default, isolated by NetworkPolicy pay/default-deny, NetworkPolicy pay/db  12 packets
            2026-11-21T15:10:31.123Z denied     2001:db8::9 → pay/db-0:5432/tcp  ingress: deny by ClusterNetworkPolicy quarantine ingress[2] `no-scanners`  12 packets
            2026-11-21T15:10:31.123Z would-deny shop/web-5d9c → pay/db-0:5432/tcp  ingress: allow, no policy decides  observed would deny: denied by default, isolated by NetworkPolicy pay/default-deny, NetworkPolicy pay/db
            2026-11-21T15:10:31.123Z revoked    shop/web-5d9c → pay/db-0:5432/tcp (via service/pay/db:80)  egress: denied by default, isolated by NetworkPolicy pay/default-deny, NetworkPolicy pay/db  12 packets 3.3 KiB →, 9 packets 1.1 MiB ←, open for 1.25 s  (7 reports lost before this)
            2026-11-21T15:10:31.123Z refused    shop/web-5d9c → pay/db-0 udp  ingress: a fragment without the first one, or that hides the ports (fragment)  12 packets
            2026-11-21T15:10:31.123Z active     node/node-2 → pay/db-0 icmp echo request  ingress: allow, from the pod's own node  1 packet 60 B →, 0 packets 0 B ←
            2026-11-21T15:10:31.123Z opened     shop/web-5d9c → service/pay/db:80/sctp  egress: allow by tables that are gone (profile 9, bit 3)
            2026-11-21T15:10:31.123Z opened     a\u{1b}[2J\u{202e}b\n"\/a\u{1b}[2J\u{202e}b\n"\ → pay/db-0 proto-47  egress: allow by NetworkPolicy a\u{1b}[2J\u{202e}b\n"\/a\u{1b}[2J\u{202e}b\n"\ egress[0] `a\u{1b}[2J\u{202e}b\n"\` (a\u{1b}[2J\u{202e}b\n"\:1:1)  staged would deny: denied by default, isolated by NetworkPolicy pay/default-deny, NetworkPolicy pay/db
        "#]].assert_eq(&lines);
    }

    #[test]
    fn a_default_deny_says_where_its_policies_stand() {
        let mut line = Vec::new();
        write(&mut line, &fixtures::denied_by_a_file(), Palette::Plain).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(
            line.contains("NetworkPolicy pay/default-deny (pay.yaml:3:1), NetworkPolicy pay/db")
        );
    }

    #[test]
    fn what_no_rule_decided_says_so() {
        let mut lines = Vec::new();
        for flow in fixtures::without_a_rule() {
            write(&mut lines, &flow, Palette::Plain).unwrap();
        }
        expect_test::expect![[r#"
            2026-11-21T15:10:31.123Z opened     pay/db-0 → pay/db-0:5432/tcp  ingress: allow, a pod to itself
            2026-11-21T15:10:31.123Z opened     shop/web-5d9c → pay/db-0:5432/tcp  ingress: allow, the pod is open until its policies are in the kernel
            2026-11-21T15:10:31.123Z denied     shop/web-5d9c → pay/db-0:5432/tcp  ingress: deny, the pod's policies did not get into the kernel  12 packets
        "#]].assert_eq(&String::from_utf8(lines).unwrap());
    }

    #[test]
    fn a_short_phrase_says_what_becomes_of_the_packets() {
        let observed_pod = Flow { dropped: false, ..fixtures::denied_by_default() };
        let opened = Flow { report: Report::Opened, ..observed_pod.clone() };
        let mut phrases: Vec<&str> = fixtures::all().iter().map(passage).collect();
        phrases.extend([passage(&observed_pod), passage(&opened)]);
        expect_test::expect![[r#"
            open, staged denies
            closed
            denied
            denied
            open, observed denies
            revoked
            refused
            open
            open
            open, staged denies
            open, would be denied
            open, would be denied"#]]
        .assert_eq(&phrases.join("\n"));
        assert!(opened.is_denied_or_would_be() && passage_role(&opened) == Role::Undefined);
        assert!(!fixtures::all()[1].is_denied_or_would_be());
    }

    #[test]
    fn colours_say_what_was_dropped() {
        let lines = lines(Palette::Ansi);
        let report = |word: &str, colour: u8| format!("\u{1b}[1m\u{1b}[{colour}m{word}");
        for (word, colour) in [("opened", 32), ("denied", 31), ("would-deny", 33), ("revoked", 31)]
        {
            assert!(lines.contains(&report(word, colour)), "{word} {colour}");
        }
        assert!(lines.contains(&report("staged would deny", 33)));
    }
}
