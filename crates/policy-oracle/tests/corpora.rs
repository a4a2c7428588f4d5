//! The oracle agrees with the verdicts of the community's test suites.

use corpus_cases::{Case, Check, CorpusError, Expected, cluster_policies, cyclonus, or_not_run};
use policy_model::Direction;
use policy_oracle::{Assumptions, End, Question, Verdict, evaluate, evaluate_side};

/// Checks all cases and counts them, or does nothing where the corpus is missing.
fn check(test: &str, cases: Result<Vec<Case>, CorpusError>, n_expected: usize) {
    let Some(cases) = or_not_run(test, cases) else { return };
    let mut differences = Vec::new();
    let mut n_checks = 0;
    for case in &cases {
        for check in &case.checks {
            n_checks += 1;
            differences.extend(difference(case, check));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {n_checks} differ:\n{}",
        differences.len(),
        differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    assert_eq!(n_checks, n_expected);
}

fn difference(case: &Case, check: &Check) -> Option<String> {
    let (Some(from), Some(to)) = (case.pod(&check.from), case.pod(&check.to)) else {
        return Some(format!("{}: {check:?}: no such pod", case.name));
    };
    let (from, to) = (End::Pod(from), End::Pod(to));
    let question = Question { from, to, protocol: check.protocol, port: check.port };
    let assumptions = Assumptions::default();
    let verdict = |allowed| if allowed { Verdict::Allow } else { Verdict::Deny };
    let (found, expected) = match check.expected {
        Expected::Connection(allowed) => {
            let found = evaluate(&case.snapshot, &assumptions, &question);
            (vec![found], vec![verdict(allowed)])
        }
        Expected::Sides { egress, ingress } => {
            let found = [Direction::Egress, Direction::Ingress]
                .map(|side| evaluate_side(&case.snapshot, &assumptions, &question, side));
            (found.to_vec(), vec![verdict(egress), verdict(ingress)])
        }
    };
    (found != expected).then(|| format!("{}: {check:?}: found {found:?}", case.name))
}

#[test]
fn cyclonus_corpus() {
    check("cyclonus_corpus", cyclonus(), 109_956);
}

#[test]
fn cluster_network_policy_conformance_corpus() {
    check("cluster_network_policy_conformance_corpus", cluster_policies(), 301);
}
