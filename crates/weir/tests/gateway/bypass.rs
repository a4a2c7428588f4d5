//! Past the gateway: refused for cluster admins too, and found in the audit log where it happened all the same.

use crate::verbs::debug;
use crate::world::{GATEWAY, World, said};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

const CALLS: usize = 500;
/// Of these, ports that are forwarded, one after the other.
const FORWARDS: usize = 5;
/// And containers to debug with, each of which is two calls: one makes it, one attaches to it.
const DEBUGS: usize = 10;

#[test]
fn what_passes_the_gateway_is_refused_or_found() {
    let world = World::up();
    world.testbed().apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: exempt}\n").unwrap();
    world.testbed().run_pod("exempt", "shell", 1).unwrap();
    refused_past_the_gateway(&world);
    break_glass(&world);
    world.mark_time();
    mixed_calls(&world);
    let covered = coverage(&world);
    let count = |what: &str| covered[what].as_u64().unwrap();
    assert_eq!((count("reasonsForDoubt"), &covered["gaps"]), (0, &json!([])), "{covered:#}");
    assert_eq!((count("calls"), count("recorded")), (CALLS as u64, CALLS as u64), "{covered:#}");
    assert!(covered["isCovered"] == true && covered["breakGlass"] == json!([]), "{covered:#}");
    planted(&world);
    ways(&world);
    world.down();
}

fn ran(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn refused_past_the_gateway(world: &World) {
    let admin = || world.past("root", &["system:masters"], None);
    // The API server takes a policy into account within moments.
    while ran(admin().args(["exec", "shell", "--", "true"])).status.success() {}
    let image = "--image=docker.io/library/busybox:1";
    let verbs: [&[&str]; 8] = [
        &["exec", "shell", "--", "id"],
        &["exec", "-it", "shell", "--", "sh"],
        &["attach", "shell"],
        &["port-forward", "web", "18080:8080"],
        &["debug", "shell", image, "--image-pull-policy=Never", "-c", "probe", "--", "true"],
        &["get", "--raw", "/api/v1/namespaces/default/pods/web:8080/proxy/"],
        &["cp", "shell:/etc/passwd", "copied"],
        &["get", "--raw", "/api/v1/nodes/node1/proxy/pods"],
    ];
    for arguments in verbs {
        for sockets in ["true", "false"] {
            let mut command = admin();
            command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", sockets);
            command.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", sockets).args(arguments);
            let output = ran(&mut command);
            let text = said(&output);
            assert!(!output.status.success() && text.contains("recorded"), "{arguments:?}: {text}");
        }
    }
    assert!(ran(admin().args(["get", "pods"])).status.success(), "plain use goes on");
    let ann = || world.client("kubectl", "ann");
    let output = ran(ann().args(["exec", "shell", "--", "echo", "inside"]));
    assert_eq!(said(&output), "inside\n", "through the gateway");
}

fn break_glass(world: &World) {
    let rescue = || world.past("rescue", &[], None);
    let output = ran(rescue().args(["exec", "shell", "--", "echo", "inside"]));
    assert!(said(&output).contains("inside"), "{}", said(&output));
    let covered = coverage(world);
    let used = json!([{ "user": "rescue", "isMarked": true }]);
    let found = covered["breakGlass"].as_array().unwrap().iter();
    let found: Vec<Value> =
        found.map(|used| json!({ "user": used["user"], "isMarked": used["isMarked"] })).collect();
    assert_eq!(json!(found), used, "{covered:#}");
}

/// As people and their tools use a cluster, two at a time.
fn mixed_calls(world: &World) {
    let next = AtomicUsize::new(0);
    let copied = world.folder().join("copied").display().to_string();
    let kinds: [&[&str]; 7] = [
        &["exec", "shell", "--", "true"],
        &["exec", "shell", "--", "sh", "-c", "echo out; echo err >&2"],
        &["exec", "web", "--", "/agnhost", "--help"],
        &["get", "--raw", "/api/v1/namespaces/default/pods/web:8080/proxy/hostname"],
        &["exec", "shell", "--", "ls", "/"],
        &["create", "token", "default"],
        &["cp", "shell:/bin/busybox", &copied],
    ];
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= CALLS - FORWARDS - 2 * DEBUGS {
                        return;
                    }
                    let mut command = world.client("kubectl", "ann");
                    let sockets = if number.is_multiple_of(3) { "false" } else { "true" };
                    command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", sockets);
                    let output = ran(command.args(kinds[number % kinds.len()]));
                    assert!(output.status.success(), "call {number}: {}", said(&output));
                }
            });
        }
    });
    for _ in 0..FORWARDS {
        let answer = world.forward("ann", "web", 8080, "GET /hostname HTTP/1.0\r\n\r\n");
        assert!(answer.ends_with("web"), "{answer:?}");
    }
    for number in 0..DEBUGS {
        debug(world, &["shell", "-c", &format!("mixed{number}")]);
    }
}

/// What is compared begins at the marked time.
fn coverage(world: &World) -> Value {
    let log = world.testbed().audit_log().display().to_string();
    let ledger = world.folder().join("ledger").display().to_string();
    let since = world.marked_time();
    let mut arguments = vec!["sessions", "coverage", &log, "--cluster", "testbed", "-o", "json"];
    arguments.extend(["--gateway-identity", GATEWAY, "--break-glass-user", "rescue"]);
    arguments.extend(["--ledger", &ledger, "--ledger-key", world.ledger_key(), "--servers", "1"]);
    if let Some(since) = &since {
        arguments.extend(["--since", since]);
    }
    let output = world.weir(&arguments);
    assert!(output.stdout.starts_with(b"{"), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Twenty calls that no recording vouches for, in every way that there is.
fn planted(world: &World) {
    let succeeds = |mut command: Command, arguments: &[&str]| {
        let output = ran(command.args(arguments));
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    };
    let exec: &[&str] = &["exec", "shell", "--", "id"];
    let standing = |session: &str| {
        Some(json!({
            "as": "ann", "as-groups": ["ops", "system:authenticated"],
            "as-user-extra": { "weir.dev/session": [session] },
        }))
    };
    let root = |session: Option<Value>| world.past("root", &["system:masters"], session);
    for _ in 0..8 {
        succeeds(root(None), &["-n", "exempt", "exec", "shell", "--", "id"]);
    }
    let made_up = "00000000-0000-4000-8000-000000000000";
    for _ in 0..4 {
        succeeds(root(standing(made_up)), exec);
    }
    let sessions = world.sealed();
    let mut copied = sessions.iter().filter(|(_, command)| command == "true");
    let (session, _) = copied.next().unwrap();
    for _ in 0..3 {
        succeeds(world.past(GATEWAY, &[], standing(session)), &["exec", "shell", "--", "true"]);
    }
    for _ in 0..3 {
        succeeds(world.past(GATEWAY, &[], standing(made_up)), exec);
    }
    for (session, _) in copied.take(2) {
        world.remove(session);
    }
    let covered = coverage(world);
    let mut codes = std::collections::BTreeMap::<&str, usize>::new();
    for gap in covered["gaps"].as_array().unwrap() {
        *codes.entry(gap["code"].as_str().unwrap()).or_default() += 1;
    }
    let expected = [
        ("recording-missing", 2),
        ("session-id-forged", 4),
        ("session-id-unknown", 3),
        // The session that was copied was over.
        ("session-not-open-then", 3),
        ("unrecorded-call", 8),
    ];
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), expected, "{covered:#}");
}

/// The doctor on a real cluster: the policy is as it was installed, and the people of the tests are named.
fn ways(world: &World) {
    let kinds = "clusterroles,clusterrolebindings,roles,rolebindings,namespaces,pods,\
                 validatingadmissionpolicies,validatingadmissionpolicybindings";
    let objects = world.testbed().kubectl_fine(&["get", "-A", "-o", "json", kinds]).unwrap();
    let file = world.folder().join("cluster.json");
    fs::write(&file, objects).unwrap();
    let file = file.display().to_string();
    let said = said(&world.weir(&["gateway", "doctor", &file, "--gateway-identity", GATEWAY]));
    assert!(!said.contains("gateway-policy-changed"), "{said}");
    assert!(said.contains("User rescue may do everything"), "{said}");
    assert!(said.contains("users rescue; namespaces exempt"), "{said}");
}
