//! Runs tests against a snapshot.

use crate::assertion::{self, Outcome};
use crate::case;
use crate::coverage::Recorder;
use crate::members::resolve;
use crate::results::{CheckKind, CheckResult, Results, TestResult};
use crate::spec::{Assertion, Case, PolicyTest};
use crate::world::World;
use policy_engine::{Assumptions, Program};
use policy_model::{LeftOut, LeftOutScope, Snapshot};

/// Runs all tests under one set of assumptions; a test's own `profile` is for the caller to look at.
pub fn run_tests(snapshot: &Snapshot, assumptions: Assumptions, tests: &[&PolicyTest]) -> Results {
    let program = Program::compile(snapshot.clone(), assumptions);
    let world = World::new(snapshot, &program);
    let mut recorder = Recorder::default();
    let tests = tests.iter().map(|test| run_test(&world, test, &mut recorder)).collect();
    Results { tests, coverage: recorder.finish(&world) }
}

fn run_test(world: &World<'_>, test: &PolicyTest, recorder: &mut Recorder) -> TestResult {
    let mut checks: Vec<CheckResult> =
        test.cases.iter().map(|case| run_case(world, case, recorder)).collect();
    checks.extend(test.assertions.iter().map(|check| run_assertion(world, check, recorder)));
    TestResult { name: test.name.clone(), span: test.span, checks }
}

fn run_case(world: &World<'_>, check: &Case, recorder: &mut Recorder) -> CheckResult {
    let Case { name, scope, expect, by: _, reason, span } = check;
    CheckResult {
        kind: CheckKind::Case,
        title: name.clone().unwrap_or_else(|| format!("{scope}: {expect}")),
        span: *span,
        reason: reason.clone(),
        problems: case::run(world, check, recorder),
        notes: Vec::new(),
        caveats: caveats(world, check),
    }
}

fn run_assertion(world: &World<'_>, check: &Assertion, recorder: &mut Recorder) -> CheckResult {
    let Outcome { problems, notes } = assertion::run(world, check, recorder);
    let Assertion { name, claim, undefined: _, reason, span } = check;
    CheckResult {
        kind: CheckKind::Assertion,
        title: name.clone().unwrap_or_else(|| claim.to_string()),
        span: *span,
        reason: reason.clone(),
        problems,
        notes,
        // A set could have held anything that was left out.
        caveats: world.program.left_out().to_vec(),
    }
}

/// Anything of the namespaces of the ends, and of the whole cluster.
fn caveats(world: &World<'_>, case: &Case) -> Vec<LeftOut> {
    if world.program.left_out().is_empty() {
        return Vec::new();
    }
    let mut namespaces = std::collections::BTreeSet::new();
    for set in [&case.scope.from, &case.scope.to] {
        match resolve(world, set) {
            // What could not be found may be what was left out.
            Err(_) => return world.program.left_out().to_vec(),
            Ok(members) => {
                let pods = members.pod_ids().filter_map(|pod| world.program.pod(pod));
                namespaces.extend(pods.map(|pod| pod.namespace.clone()));
            }
        }
    }
    let concerns = |left_out: &&LeftOut| match &left_out.scope {
        LeftOutScope::Cluster => true,
        LeftOutScope::Namespace(namespace) | LeftOutScope::Object { namespace, name: _ } => {
            namespaces.contains(namespace)
        }
    };
    world.program.left_out().iter().filter(concerns).cloned().collect()
}
