//! Who is refused is told once, in one sentence; the ledger has it, and the cluster was not asked for a session.

use crate::person::{Protocol, SPDY, SPDY_FORWARD, TUNNEL, V5};
use crate::world::{ALICE, RULES, Wish, World};
use ledger_model::Fact;
use session_record::Event;

/// A developer whom the cluster itself refuses.
const MALLORY: (&str, &[&str]) = ("mallory", &["developers"]);
const NOBODY: (&str, &[&str]) = ("bob", &["guests"]);

async fn refusals(world: World) -> Vec<(String, String, String, String)> {
    assert_eq!(world.evidence.sessions().len(), 0);
    let World { gateway, evidence, folder: _folder, .. } = world;
    gateway.stop().await;
    let facts = evidence.facts().await;
    let refused = facts.into_iter().filter_map(|fact| match fact {
        Fact::SessionRefused { user, cluster: _, verb, object, why } => {
            Some((user, verb, object, why))
        }
        _ => None,
    });
    refused.collect()
}

fn message(status: &str) -> String {
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    assert_eq!(status["status"], "Failure");
    status["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rule_that_denies_is_told_as_the_commands_status() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/kube-system/pods/dns/exec?stdout=true&command=sh";
    let mut said = Vec::new();
    for protocol in [V5, SPDY] {
        let outcome = world.client(ALICE).run(protocol, path).await.unwrap().wait().await;
        assert_eq!(outcome.closed, (protocol == V5).then_some(1000));
        assert_eq!(outcome.stdout, "");
        said.push(message(&outcome.status));
    }
    let sentence = "the gateway's rule \"not-in-kube-system\" denies this: ask the platform team";
    assert_eq!(said, [sentence, sentence]);
    assert_eq!(world.api.asked().len(), 0);
    let refused =
        ("alice".to_owned(), "exec".to_owned(), "kube-system/dns".to_owned(), sentence.to_owned());
    assert_eq!(refusals(world).await, [refused.clone(), refused]);
}

#[tokio::test]
async fn whom_no_rule_allows_is_refused() {
    let world = World::start().await;
    let outcome = world.client(NOBODY).exec(V5, "stdout", &["sh"]).await.wait().await;
    let sentence = "no rule of the gateway allows this; ask its operator for one";
    assert_eq!(message(&outcome.status), sentence);
    assert_eq!(refusals(world).await[0].3, sentence);
}

#[tokio::test]
async fn the_clusters_own_refusal_names_who_may_not_what() {
    let world = World::start().await;
    let outcome = world.client(MALLORY).exec(V5, "stdout", &["sh"]).await.wait().await;
    let sentence = "mallory may not exec shop/web in cluster fake";
    assert_eq!(message(&outcome.status), sentence);
    assert_eq!(world.api.executed().len(), 0);
    assert_eq!(refusals(world).await[0].3, sentence);
}

#[tokio::test]
async fn forwarding_is_refused_before_the_protocol_changes() {
    let world = World::start().await;
    for protocol in [TUNNEL, SPDY_FORWARD] {
        let path = "/api/v1/namespaces/kube-system/pods/dns/portforward";
        let answer = world.client(ALICE).run(protocol, path).await;
        let Err((code, text)) = answer else { panic!("it was let in") };
        assert_eq!(code, 403);
        assert!(message(&text).ends_with("ask the platform team"), "{text}");
    }
    assert_eq!(refusals(world).await.len(), 2);
}

#[tokio::test]
async fn a_reason_is_asked_for_and_recorded() {
    let rules = RULES.replace("effect: allow\n", "effect: allow\n    reasonCharacters: 10\n");
    let world = World::with(Wish { rules, ..Wish::default() }).await;
    let alice = world.client(ALICE);
    let outcome = alice.exec(V5, "stdout", &["echo", "a"]).await.wait().await;
    assert!(message(&outcome.status).contains("asks for a reason of 10 characters"), "{outcome:?}");
    let path = "/reason/ticket%20GW-123/clusters/fake/api/v1/namespaces/shop/pods/web/exec?stdout=true&command=echo&command=a";
    let outcome = alice.run(V5, path).await.unwrap().wait().await;
    assert_eq!(outcome.stdout, "a\n");
    world.gateway.stop().await;
    assert_eq!(world.evidence.only_session().opening.reason.as_deref(), Some("ticket GW-123"));
}

#[tokio::test]
async fn what_the_api_server_answers_is_the_commands_status_and_recorded() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/pods/broken/exec?stdout=true&command=sh";
    for protocol in [V5, SPDY] {
        let outcome = world.client(ALICE).run(protocol, path).await.unwrap().wait().await;
        assert_eq!(message(&outcome.status), "container main is not running");
    }
    let path = "/api/v1/namespaces/shop/pods/broken/portforward";
    let Err(answer) = world.client(ALICE).run(TUNNEL, path).await else { panic!("it was let in") };
    assert_eq!((answer.0, message(&answer.1)), (409, "container main is not running".to_owned()));
    // The API server has answered: it is not asked again in another protocol.
    assert_eq!(world.api.asked().len(), 3);
    world.gateway.stop().await;
    let sessions = world.evidence.sessions();
    assert_eq!(sessions.len(), 3);
    assert!(matches!(&sessions[0].events[..], [Event::Status { .. }]), "{sessions:#?}");
    let ending = "sealed UpstreamLeft { why: \"the API server answered 409 Conflict: container main is not running\" }";
    assert_eq!(sessions[0].ending(), ending);
}

#[tokio::test]
async fn a_pod_that_is_not_there_is_not_found() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/pods/gone/exec?stdout=true&command=sh";
    let outcome = world.client(ALICE).run(V5, path).await.unwrap().wait().await;
    assert_eq!(message(&outcome.status), "pods \"gone\" not found");
    // Whoever may not exec here does not learn which pods there are.
    let outcome = world.client(MALLORY).run(V5, path).await.unwrap().wait().await;
    assert!(message(&outcome.status).contains("mallory may not exec"), "{outcome:?}");
}

#[tokio::test]
async fn names_of_the_cluster_itself_are_nobodys() {
    let world = World::start().await;
    for (user, groups) in [("system:admin", &["developers"][..]), ("eve", &["system:masters"][..])]
    {
        let answer = world.client((user, groups)).send(crate::client::get("/version")).await;
        assert_eq!(answer.0, 403, "{answer:?}");
    }
    assert_eq!(world.api.asked().len(), 0);
}

#[tokio::test]
async fn a_protocol_that_nobody_speaks_is_refused() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/pods/web/exec?stdout=true&command=sh";
    let cases = [
        (Protocol::WebSocket("v9.channel.k8s.io"), 400),
        (Protocol::Spdy("v9.channel.k8s.io"), 403),
    ];
    for (protocol, expected) in cases {
        let Err((code, text)) = world.client(ALICE).run(protocol, path).await else {
            panic!("it was let in")
        };
        assert_eq!(code, expected, "{text}");
    }
    assert_eq!(world.api.asked().len(), 0);
}

/// Each is privileged in some reading of it, and none reaches the cluster without a recording.
#[tokio::test]
async fn ways_to_write_a_path_lead_nowhere_else() {
    let world = World::start().await;
    let alice = world.client(ALICE);
    let targets = [
        "//api/v1/namespaces/shop/pods/web/exec?command=sh&stdout=true",
        "/api/v1/./namespaces/shop/pods/web/exec?command=sh&stdout=true",
        "/api/v1/namespaces/shop/../shop/pods/web/exec?command=sh",
        "/api/v1/namespaces/shop/pods/web%2fexec?command=sh&stdout=true",
        "/api/v1/namespaces/shop/pods/web/ex%65c?command=sh&stdout=true",
        "/api/v1/namespaces/shop/pods/web/exec/?command=sh&stdout=true",
        "/api/v1/namespaces/shop/pods/web/EXEC?command=sh&stdout=true",
        "/API/v1/namespaces/shop/pods/web/exec?command=sh&stdout=true",
        "/api/v1/namespaces/shop/pods/web/exec?command=sh&container=a&container=b",
        "/api/v1/nodes/node-1/proxy/run/shop/web/main?cmd=id",
        "/api/v1/nodes/node-1:10255/proxy/exec/shop/web/main?command=id",
        "/clusters/fake//api/v1/namespaces/shop/pods/web/exec?command=sh",
        "/clusters/other/api/v1/namespaces/shop/pods/web/exec?command=sh",
    ];
    for target in targets {
        let answered = alice.send(crate::client::get(target)).await;
        assert!(answered.0 >= 400, "{target}: {answered:?}");
        for protocol in [V5, SPDY] {
            let Err((code, text)) = alice.run(protocol, target).await else {
                panic!("{target} was let in over {protocol:?}")
            };
            assert!(code >= 400, "{target}: {text}");
        }
    }
    assert_eq!(world.api.asked().len(), 0);
    assert_eq!(world.api.executed().len(), 0);
}
