//! All checks, and running them.

use crate::checks;
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use policy_engine::Program;
use std::collections::BTreeSet;

/// What a person asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Codes of checks that are not run.
    pub ignore: BTreeSet<String>,
}

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    pub code: Code,
    /// The highest that its findings have; a check lowers it where it is less sure.
    pub severity: Severity,
    /// One line, lowercase, for lists.
    pub summary: &'static str,
    pub(crate) find: for<'w, 'p> fn(&'w World<'p>) -> Vec<Finding>,
}

/// Every check, by code.
pub const CHECKS: &[Check] = &[
    checks::and_or_peers::CHECK,
    checks::block_covers_pods::CHECK,
    checks::dns_egress_without_tcp::CHECK,
    checks::duplicate_policy::CHECK,
    checks::duplicate_rule::CHECK,
    checks::entry_backend_denied::CHECK,
    checks::entry_backend_missing::CHECK,
    checks::half_open::CHECK,
    checks::host_network_subject::CHECK,
    checks::internet_egress::CHECK,
    checks::missing_dns_egress::CHECK,
    checks::named_port_unserved::CHECK,
    checks::namespace_label_unmatched::CHECK,
    checks::not_isolated::CHECK,
    checks::peer_matches_nothing::CHECK,
    checks::policy_in_empty_namespace::CHECK,
    checks::port_unserved::CHECK,
    checks::profile_dependent::CHECK,
    checks::same_priority_order::CHECK,
    checks::search_stopped::CHECK,
    checks::service_target_port_unserved::CHECK,
    checks::service_unreachable::CHECK,
    checks::service_without_endpoints::CHECK,
    checks::shadowed_rule::CHECK,
    checks::unknown_namespace::CHECK,
    checks::unselected_policy::CHECK,
    checks::world_open_ingress::CHECK,
];

/// Runs all checks on a program. Findings are sorted by place, those about something missing last.
pub fn run(program: &Program, settings: &Settings) -> Vec<Finding> {
    let world = World::new(program);
    let wanted = CHECKS.iter().filter(|check| !settings.ignore.contains(check.code.0));
    // It reports on the others, so it comes last.
    let is_last = |check: &&Check| check.code == checks::search_stopped::CHECK.code;
    let (last, first): (Vec<&Check>, Vec<&Check>) = wanted.partition(is_last);
    let in_order = first.into_iter().chain(last);
    let mut findings: Vec<Finding> = in_order.flat_map(|check| (check.find)(&world)).collect();
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.span.is_none(), f.span, f.code);
        key(a).cmp(&key(b)).then_with(|| (&a.object, &a.message).cmp(&(&b.object, &b.message)))
    });
    findings.dedup();
    one_cause_once(findings)
}

/// Several checks may see one mistake from different sides: the finding that explains it stays.
fn one_cause_once(findings: Vec<Finding>) -> Vec<Finding> {
    let code = |finding: &Finding, check: &Check| finding.code == check.code;
    let dead_ends = [&checks::entry_backend_denied::CHECK, &checks::service_unreachable::CHECK];
    let shown: BTreeSet<String> = findings
        .iter()
        .filter(|finding| dead_ends.iter().any(|check| code(finding, check)))
        .filter_map(|finding| finding.witness.clone())
        .collect();
    let lists: BTreeSet<_> = findings
        .iter()
        .filter(|finding| code(finding, &checks::and_or_peers::CHECK))
        .map(|finding| finding.span)
        .collect();
    let repeats = |finding: &Finding| {
        let half = code(finding, &checks::half_open::CHECK);
        let unmatched = code(finding, &checks::peer_matches_nothing::CHECK);
        // A finding about several rules says more than its first witness.
        (half
            && finding.related.len() < 2
            && finding.witness.as_ref().is_some_and(|witness| shown.contains(witness)))
            || (unmatched && finding.span.is_some() && lists.contains(&finding.span))
    };
    findings.into_iter().filter(|finding| !repeats(finding)).collect()
}
