//! The engine agrees with the verdicts of the community's test suites.

use corpus_cases::{Case, Check, CorpusError, Expected, cluster_policies, cyclonus, or_not_run};
use policy_engine::{Assumptions, End, PodId, Program, Verdict};

/// Checks all cases and counts them, or does nothing where the corpus is missing.
fn check(test: &str, cases: Result<Vec<Case>, CorpusError>, n_expected: usize) {
    let Some(cases) = or_not_run(test, cases) else { return };
    let mut differences = Vec::new();
    let mut n_checks = 0;
    for case in &cases {
        let program = Program::compile(case.snapshot.clone(), Assumptions::default());
        n_checks += case.checks.len();
        differences.extend(case.checks.iter().filter_map(|check| {
            let found = verdicts(case, &program, check);
            (found != Some(expected(check))).then(|| format!("{}: {check:?}: {found:?}", case.name))
        }));
    }
    assert!(
        differences.is_empty(),
        "{} of {n_checks} differ:\n{}",
        differences.len(),
        differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    assert_eq!(n_checks, n_expected);
}

/// What the corpus speaks of: both sides, or the whole.
fn verdicts(case: &Case, program: &Program, check: &Check) -> Option<Vec<Verdict>> {
    let end = |path: &str| {
        let index = case.snapshot.pods.iter().position(|pod| pod.to_string() == path)?;
        Some(End::Pod(PodId::from_index(index)))
    };
    let decision = program.decide(&end(&check.from)?, &end(&check.to)?, check.protocol, check.port);
    Some(match check.expected {
        Expected::Connection(_) => vec![decision.verdict],
        Expected::Sides { .. } => vec![decision.egress.verdict, decision.ingress.verdict],
    })
}

fn expected(check: &Check) -> Vec<Verdict> {
    let verdict = |allowed| if allowed { Verdict::Allow } else { Verdict::Deny };
    match check.expected {
        Expected::Connection(allowed) => vec![verdict(allowed)],
        Expected::Sides { egress, ingress } => vec![verdict(egress), verdict(ingress)],
    }
}

#[test]
fn cyclonus_corpus() {
    check("cyclonus_corpus", cyclonus(), 109_956);
}

#[test]
fn cluster_network_policy_conformance_corpus() {
    check("cluster_network_policy_conformance_corpus", cluster_policies(), 301);
}
