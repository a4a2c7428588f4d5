//! Time and state: an answer is about a new connection, under the objects as they are.

use crate::fixture::*;
use policy_engine::Change;
use policy_engine::Verdict::{Allow, Deny};
use policy_model::PolicyKind;

/// Policies are about who opens a connection; its replies need no rule.
#[test]
fn replies_follow_their_connection_without_a_rule() {
    let world = World::of(&[
        pod("shop/web"),
        pod("pay/db"),
        policy("shop/p", "ingress: [], egress: [{to: [{namespaceSelector: {}}]}]"),
        policy("pay/p", "ingress: [{ports: [{port: 5432}]}], egress: []"),
    ]);
    world.check(&[
        ("shop/web", "pay/db", "5432/tcp", Allow),
        ("pay/db", "shop/web", "5432/tcp", Deny),
    ]);
}

/// What happens to a connection that is open when a policy changes is left to implementations: a
/// verdict is about a new one, so it knows the present objects and not what was before them.
#[test]
fn verdicts_do_not_depend_on_what_was_before() {
    let documents = [pod("shop/web"), pod("pay/db")];
    let mut world = World::of(&documents);
    let deny = snapshot(&[policy("pay/p", "ingress: []")]).policies.into_values().next().unwrap();
    let row = |verdict| [("shop/web", "pay/db", "80/tcp", verdict)];
    world.check(&row(Allow));
    let closed = world.program.apply(Change::SetPolicy(Box::new(deny)));
    world.check(&row(Deny));
    let id = World::policy_id(PolicyKind::NetworkPolicy, "pay/p");
    let opened = world.program.apply(Change::RemovePolicy(id));
    world.check(&row(Allow));
    assert_eq!(world.map(), World::of(&documents).map());
    let [closed, opened] = [closed, opened].map(|delta| delta.pairs.into_iter().next().unwrap());
    assert_eq!((closed.before, closed.after), (opened.after, opened.before));
}

/// Enforcement converges in its own time, and a new pod may run before it; a verdict is what it
/// converges to. A pod that is added answers at once like one that was always there.
#[test]
fn a_new_pod_is_under_the_policies_at_once() {
    let documents =
        [pod("shop/web"), pod("pay/old"), policy("pay/p", "ingress: [], policyTypes: [Ingress]")];
    let mut world = World::of(&documents);
    let new = snapshot(&[pod("pay/new")]).pods.remove(0);
    world.program.apply(Change::SetPod(Box::new(new)));
    world.check(&[
        ("shop/web", "pay/old", "80/tcp", Deny),
        ("shop/web", "pay/new", "80/tcp", Deny),
        ("pay/new", "shop/web", "80/tcp", Allow),
    ]);
    let template = World::of(&[&documents[..], &[deployment("pay/api", "app: api")]].concat());
    template.check(&[("shop/web", "pay/api", "80/tcp", Deny)]);
}
