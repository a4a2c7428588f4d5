//! What a body would give to a pod, and bodies that do not say.

use access_checks::privileges;
use access_model::{Head, HttpVersion, Request, classify};
use expect_test::expect;

fn request(line: &str) -> Request {
    let (method, target) = line.split_once(' ').unwrap();
    let version = HttpVersion::Http11;
    classify(&Head { method, target, version, protocol: None, headers: &[] }).unwrap()
}

const CREATE: &str = "POST /api/v1/namespaces/shop/pods";

fn told(line: &str, body: &str) -> String {
    format!("{body}\n  {:?}\n", privileges(&request(line), body.as_bytes()))
}

#[test]
fn ways_out_of_a_container_are_found_wherever_they_are_written() {
    let container = |what: &str| format!(r#"{{"spec":{{"containers":[{{"name":"c",{what}}}]}}}}"#);
    let bodies = [
        r#"{"spec":{"containers":[{"name":"c"}]}}"#.to_owned(),
        r#"{"spec":{"hostPID":true,"hostIPC":true,"hostNetwork":true}}"#.to_owned(),
        r#"{"spec":{"nodeName":"n1"}}"#.to_owned(),
        r#"{"spec":{"volumes":[{"hostPath":{"path":"/etc/kubernetes/manifests"}}]}}"#.to_owned(),
        container(r#""securityContext":{"privileged":true}"#),
        container(r#""securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}"#),
        container(r#""securityContext":{"procMount":"Unmasked"}"#),
        container(r#""securityContext":{"seccompProfile":{"type":"Unconfined"}}"#),
        container(r#""ports":[{"hostPort":22}]"#),
        r#"{"spec":{"initContainers":[{"securityContext":{"privileged":true}}]}}"#.to_owned(),
        r#"{"spec":{"securityContext":{"windowsOptions":{"hostProcess":true}},"containers":[{}]}}"#
            .to_owned(),
    ];
    let found: String = bodies.iter().map(|body| told(CREATE, body)).collect();
    expect![[r#"
        {"spec":{"containers":[{"name":"c"}]}}
          Known([])
        {"spec":{"hostPID":true,"hostIPC":true,"hostNetwork":true}}
          Known([HostIpc, HostNetwork, HostPid])
        {"spec":{"nodeName":"n1"}}
          Known([NodeName])
        {"spec":{"volumes":[{"hostPath":{"path":"/etc/kubernetes/manifests"}}]}}
          Known([HostPath])
        {"spec":{"containers":[{"name":"c","securityContext":{"privileged":true}}]}}
          Known([Privileged])
        {"spec":{"containers":[{"name":"c","securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}]}}
          Known([Capabilities])
        {"spec":{"containers":[{"name":"c","securityContext":{"procMount":"Unmasked"}}]}}
          Known([UnmaskedProc])
        {"spec":{"containers":[{"name":"c","securityContext":{"seccompProfile":{"type":"Unconfined"}}}]}}
          Known([Unconfined])
        {"spec":{"containers":[{"name":"c","ports":[{"hostPort":22}]}]}}
          Known([HostPort])
        {"spec":{"initContainers":[{"securityContext":{"privileged":true}}]}}
          Known([Privileged])
        {"spec":{"securityContext":{"windowsOptions":{"hostProcess":true}},"containers":[{}]}}
          Known([HostProcess])
    "#]].assert_eq(&found);
    let others = [
        (
            "PATCH /api/v1/namespaces/shop/pods/p/ephemeralcontainers",
            r#"{"spec":{"ephemeralContainers":[{"securityContext":{"privileged":true}}]}}"#,
        ),
        (
            "POST /apis/apps/v1/namespaces/shop/daemonsets",
            r#"{"spec":{"template":{"spec":{"hostPID":true}}}}"#,
        ),
        (
            "POST /apis/batch/v1/namespaces/shop/cronjobs",
            r#"{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"hostPID":true}}}}}}"#,
        ),
        ("GET /api/v1/namespaces/shop/pods/p", r#"{"spec":{"hostPID":true}}"#),
    ];
    let found: String = others.iter().map(|(line, body)| told(line, body)).collect();
    expect![[r#"
        {"spec":{"ephemeralContainers":[{"securityContext":{"privileged":true}}]}}
          Known([Privileged])
        {"spec":{"template":{"spec":{"hostPID":true}}}}
          Known([HostPid])
        {"spec":{"jobTemplate":{"spec":{"template":{"spec":{"hostPID":true}}}}}}
          Known([HostPid])
        {"spec":{"hostPID":true}}
          NotAsked
    "#]]
    .assert_eq(&found);
}

/// A rule that denies a privilege applies to what cannot be read.
#[test]
fn what_cannot_be_read_is_not_taken_for_harmless() {
    let bodies = [
        "",
        "spec: {hostPID: true}",
        r#"[{"op":"add","path":"/spec/hostPID","value":true}]"#,
        r#"{"spec":{"hostPID":true,"hostPID":false}}"#,
        r#"{"spec":{"hostPID":false},"spec":{"hostPID":true}}"#,
        r#"{"spec":{"hostPID":"true"}}"#,
        r#"{"spec":{"hostPID":true}} {}"#,
        "k8s and protobuf",
    ];
    let found: String = bodies.iter().map(|body| told(CREATE, body)).collect();
    expect![[r#"

          Unreadable
        spec: {hostPID: true}
          Unreadable
        [{"op":"add","path":"/spec/hostPID","value":true}]
          Unreadable
        {"spec":{"hostPID":true,"hostPID":false}}
          Unreadable
        {"spec":{"hostPID":false},"spec":{"hostPID":true}}
          Unreadable
        {"spec":{"hostPID":"true"}}
          Unreadable
        {"spec":{"hostPID":true}} {}
          Unreadable
        k8s and protobuf
          Unreadable
    "#]]
    .assert_eq(&found);
}
