//! The phrases of a line: what decided, and how much.

use super::{Decider, FlowVerdict, Palette, Protocol, Role, Trace, visible};
use flow_model::{Place, PolicyMention, RuleMention, TableBit};

/// Policies beyond these are counted: the line is for reading.
const MOST_POLICIES: usize = 3;

/// `allow by NetworkPolicy shop/web egress[0] (shop.yaml:12:7)`, in the words of the other reports.
pub(super) fn decider(trace: &Trace, palette: Palette) -> String {
    let verdict = trace.verdict.as_str();
    match &trace.decider {
        Decider::Rule(mention) => format!("{verdict} by {}", rule(mention, palette)),
        Decider::DefaultDeny(policies) => match trace.verdict {
            FlowVerdict::Deny => {
                format!("denied by default, isolated by {}", listed(policies, palette))
            }
            FlowVerdict::Allow => format!("{verdict}, isolated by {}", listed(policies, palette)),
        },
        Decider::NoPolicy => format!("{verdict}, no policy decides"),
        Decider::OwnNode => format!("{verdict}, from the pod's own node"),
        Decider::SelfTraffic => format!("{verdict}, a pod to itself"),
        Decider::NoPolicyYet => {
            format!("{verdict}, the pod is open until its policies are in the kernel")
        }
        Decider::DenyEverything => {
            format!("{verdict}, the pod's policies did not get into the kernel")
        }
        Decider::Policies(policies) => format!("{verdict} by {}", listed(policies, palette)),
        Decider::Unknown(Some(TableBit { profile, bit })) => {
            format!("{verdict} by tables that are gone (profile {profile}, bit {bit})")
        }
        Decider::Unknown(None) => format!("{verdict}, the rule is not known"),
    }
}

fn rule(mention: &RuleMention, palette: Palette) -> String {
    let RuleMention { rule, action: _, name, place } = mention;
    let name = name.as_ref().map(|name| format!(" `{}`", visible(name))).unwrap_or_default();
    format!("{}{name}{}", visible(&rule.to_string()), at(place.as_ref(), palette))
}

/// ` (shop.yaml:12:7)`.
fn at(place: Option<&Place>, palette: Palette) -> String {
    let Some(place) = place else {
        return String::new();
    };
    palette.paint(Role::Faint, &format!(" ({})", visible(&place.to_string())))
}

fn listed(policies: &[PolicyMention], palette: Palette) -> String {
    let names = policies.iter().take(MOST_POLICIES);
    let named = |PolicyMention { policy, place }: &PolicyMention| {
        format!("{}{}", visible(&policy.to_string()), at(place.as_ref(), palette))
    };
    let names: Vec<String> = names.map(named).collect();
    let more = policies.len().saturating_sub(MOST_POLICIES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// ` echo request`, else ` type 3 code 1`.
pub(super) fn icmp(protocol: Protocol, kind: u8, code: u8) -> String {
    match (protocol.number(), kind) {
        (1, 8) | (58, 128) => " echo request".to_owned(),
        (1, 0) | (58, 129) => " echo reply".to_owned(),
        _ => format!(" type {kind} code {code}"),
    }
}

/// `1 packet`, `2 packets`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `999 B`, `3.4 KiB`: rounded down, in powers of 1024.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut shown = format!("{count} B");
    let mut whole = count;
    let mut rest;
    for unit in UNITS {
        if whole < 1024 {
            break;
        }
        (whole, rest) = (whole / 1024, whole % 1024);
        shown = format!("{whole}.{} {unit}", rest * 10 / 1024);
    }
    shown
}

/// `0.001 s`, `12.5 s`: rounded down to milliseconds.
pub(super) fn milliseconds(nanoseconds: u64) -> String {
    let milliseconds = nanoseconds / 1_000_000;
    let text = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        assert_eq!(
            [0, 1023, 1024, 3_481, 1_258_291, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "3.3 KiB", "1.1 MiB", "15.9 EiB"]
        );
        assert_eq!(
            [0, 999_999, 1_000_000, 1_250_000_000, 10_000_000_000].map(milliseconds),
            ["0 s", "0 s", "0.001 s", "1.25 s", "10 s"]
        );
    }
}
