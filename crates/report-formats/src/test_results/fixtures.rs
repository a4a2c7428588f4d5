//! Results to render: ordinary ones and hostile ones.

use super::{TestReport, TestRun};
use finding_model::{FileId, SourceFiles, SourceSpan};
use policy_assertions::{
    CheckKind, CheckResult, Coverage, Example, Problem, ProblemKind, Results, RuleCoverage,
    SideWitness, TestResult, Verdict, Witness,
};
use policy_engine::{Assumptions, DecidingTier, Reasons};
use policy_model::{Direction, LeftOut, LeftOutScope, PolicyId, PolicyKind, RuleRef};
use std::io::{self, Write};

pub(crate) const HOSTILE: &str = "a\u{1b}[2J\n<b>\u{202e} # SKIP \"\\";

fn span(file: FileId, line: u32) -> SourceSpan {
    SourceSpan { file, line, column: 3, length: 4 }
}

fn rule(name: &str, index: usize) -> RuleRef {
    let namespace = Some("pci".to_owned());
    RuleRef {
        policy: PolicyId { kind: PolicyKind::NetworkPolicy, namespace, name: name.to_owned() },
        direction: Direction::Ingress,
        rule: index,
    }
}

fn witness(name: &str, manifests: FileId) -> Witness {
    let at = rule(name, 1);
    Witness {
        from: "shop/web".into(),
        to: format!("pci/{name}"),
        port: "5432/tcp".into(),
        verdict: Verdict::Allow,
        reasons: Reasons::NONE,
        egress: SideWitness {
            direction: Direction::Egress,
            verdict: Verdict::Allow,
            tier: DecidingTier::Default,
            policy: None,
            rule: None,
            span: None,
            text: "no policy applies".into(),
        },
        ingress: SideWitness {
            direction: Direction::Ingress,
            verdict: Verdict::Allow,
            tier: DecidingTier::NetworkPolicy,
            policy: Some(at.policy.clone()),
            span: Some(span(manifests, 40)),
            text: format!("{at} accepts it"),
            rule: Some(at),
        },
    }
}

fn results(name: &str, [tests, manifests]: [FileId; 2]) -> Results {
    let check = |kind, title: &str, line| CheckResult {
        kind,
        title: title.to_owned(),
        span: span(tests, line),
        reason: None,
        problems: Vec::new(),
        notes: Vec::new(),
        caveats: Vec::new(),
    };
    let passed = check(CheckKind::Case, "shop/web → pci/api 8443/tcp: allow", 6);
    let mut failed = check(CheckKind::Assertion, "nothing outside pci reaches pci", 9);
    failed.reason = Some(format!("requirement 1.3 of {name}"));
    let pod = Example::Pod { name: "pci/db".into(), span: None, text: "no policy".into() };
    failed.problems.push(Problem {
        kind: ProblemKind::Verdict,
        message: "expected none of these connections".into(),
        span: span(tests, 10),
        examples: vec![Example::Connection(Box::new(witness(name, manifests))), pod],
        n_examples: 1000,
        and_more: true,
    });
    let mut noted = check(CheckKind::Assertion, "with an exception", 12);
    noted.notes.push("the exception excuses nothing".into());
    let object = format!("NetworkPolicy shop/{name}");
    noted.caveats.push(LeftOut { object, scope: LeftOutScope::Cluster, span: None });
    let covered = |index, by_case, by_assertion| RuleCoverage {
        rule: rule(name, index),
        span: Some(span(manifests, 30)),
        by_case,
        by_assertion,
    };
    let rules = vec![covered(0, true, false), covered(1, false, true), covered(2, false, false)];
    let test =
        TestResult { name: name.into(), span: span(tests, 1), checks: vec![passed, failed, noted] };
    Results { tests: vec![test], coverage: Coverage { rules } }
}

fn named(name: &str) -> (Results, SourceFiles) {
    let mut files = SourceFiles::default();
    let ids = [files.add("tests/pci.yaml".into()), files.add("pci/policies.yaml".into())];
    (results(name, ids), files)
}

pub(crate) fn ordinary() -> (Results, SourceFiles) {
    named("db")
}

pub(crate) fn hostile() -> (Results, SourceFiles) {
    named(HOSTILE)
}

/// What a format makes of results, with a coverage that is asked for and too low.
pub(crate) fn shown(
    of: impl Fn() -> (Results, SourceFiles),
    write: impl Fn(&mut dyn Write, &TestReport<'_>) -> io::Result<()>,
) -> String {
    let (results, files) = of();
    let assumptions = Assumptions::default();
    let runs = [TestRun { results: &results, files: &files, assumptions: &assumptions }];
    let mut bytes = Vec::new();
    write(&mut bytes, &TestReport { runs: &runs, coverage_min: Some(50) }).unwrap();
    String::from_utf8(bytes).unwrap()
}
