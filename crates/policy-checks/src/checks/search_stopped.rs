//! Check: `search-stopped`
//!
//! Another check gave up on a rule: it would have had to ask about too many connections.
//!
//! **Why it matters.** That there is no finding about this rule does not mean that nothing is wrong with it.
//!
//! **How to fix.** Nothing has to change. To get an answer, look at a part of the cluster, or `weir explain` a
//! connection that the rule is about.
//!
//! `shadowed-rule` and `same-priority-order` ask about every class of pods, every piece of the address space and
//! every interval of ports that a rule can match, and stop after 200,000 and 500,000 connections. Always `info`.

use crate::registry::Check;
use crate::words::placed;
use crate::world::{Stopped, World};
use finding_model::{Code, Finding, Severity};

pub(crate) const CHECK: Check = Check {
    code: Code("search-stopped"),
    severity: Severity::Info,
    summary: "a check gave up before it had an answer",
    find,
};

/// Of the checks that ran before this one.
fn find(world: &World<'_>) -> Vec<Finding> {
    world.stopped().iter().map(report).collect()
}

fn report(stopped: &Stopped<'_>) -> Finding {
    let Stopped { check, rule, question, n_asked } = stopped;
    let message = format!(
        "{}: it is not known {question}: {check} stopped after {n_asked} connections",
        rule.name()
    );
    let finding = Finding::new(
        CHECK.code,
        CHECK.severity,
        message,
        "run lint on a part of the cluster, or explain a connection that the rule is about",
    )
    .about(rule.policy.id.to_string())
    .because(format!(
        "{check} says nothing of this rule, whether or not something is wrong with it"
    ));
    placed(finding, rule.span())
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::checks::{same_priority_order, shadowed_rule};
    use crate::fixtures::read;
    use crate::world::World;
    use policy_engine::{Assumptions, Program};

    const WORLD: &str = "namespace shop
        deployment shop/web app=web :80/tcp
        deployment shop/api app=api
        admin a 5 ns:*
        ingress
        rule accept
        pods ns:* app=api
        rule accept
        pods ns:* app=web
        rule deny
        pods ns:*
        admin b 5 ns:*
        ingress
        rule deny
        pods ns:* app=api";

    /// What both checks find and what is said of their searches, if each may ask so many times.
    fn found(limit: usize) -> (usize, Vec<String>) {
        let program = Program::compile(read(WORLD).snapshot, Assumptions::default());
        let world = World::new(&program);
        let n_found = shadowed_rule::find_within(&world, limit).len()
            + same_priority_order::find_within(&world, limit).len();
        (n_found, find(&world).into_iter().map(|finding| finding.message).collect())
    }

    #[test]
    fn a_search_that_is_cut_short_says_so() {
        assert_eq!(found(100_000), (1, vec![]));
        let (n_found, said) = found(0);
        let expected = [
            "ingress[1]: it is not known whether another rule always decides first: shadowed-rule \
             stopped after 0 connections",
            "ingress[2]: it is not known whether another rule always decides first: shadowed-rule \
             stopped after 0 connections",
            "ingress[0]: it is not known whether ClusterNetworkPolicy b disagrees: \
             same-priority-order stopped after 0 connections",
        ];
        assert_eq!((n_found, said), (0, expected.map(str::to_owned).to_vec()));
    }
}
