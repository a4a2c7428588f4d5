//! A cluster comes up, works as clusters do, and leaves nothing, however its owner ends.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and its owner says that it is up")]

use cluster_testbed::{Options, Part, Testbed};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What a testbed could leave: processes by name, mounts, links, control groups, folders.
fn left(id: &str) -> BTreeSet<String> {
    let script = format!(
        "grep -l {id} /proc/[0-9]*/cmdline 2>/dev/null; grep {id} /proc/self/mounts; \
         find /sys/fs/cgroup -name '*{id}*'; ls -d /tmp/*{id}* 2>/dev/null; ip -o link | grep -E 'node[0-9]|cni0'"
    );
    let mut command = Command::new("bash");
    let said = text(&command.args(["-c", &script]).output().unwrap());
    let own = format!("/proc/{}/", std::process::id());
    said.lines()
        .filter(|line| !line.starts_with(&own) && fs::exists(line).unwrap_or(true))
        .map(str::to_owned)
        .collect()
}

#[test]
fn pods_talk_across_nodes_and_by_names() {
    let testbed = Testbed::up(&Options::default()).unwrap();
    testbed.run_pod("default", "one", 1).unwrap();
    testbed
        .apply(
            "apiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec:\n  selector: {app: two}\n  ports: [{port: 80, targetPort: 8080}]\n\
             ---\napiVersion: v1\nkind: Pod\nmetadata: {name: two, labels: {app: two}}\nspec:\n  nodeName: node2\n  \
             terminationGracePeriodSeconds: 0\n  containers:\n  - {name: main, image: 'registry.k8s.io/e2e-test-images/agnhost:2.63.0', \
             imagePullPolicy: Never, args: [netexec, --http-port=8080], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}\n",
        )
        .unwrap();
    testbed.kubectl_fine(&["wait", "--for=condition=Ready", "--timeout=30s", "pod/two"]).unwrap();
    let address =
        testbed.kubectl_fine(&["get", "pod", "two", "-o", "jsonpath={.status.podIP}"]).unwrap();
    for place in [format!("{address} 8080"), "two.default.svc.cluster.local 80".to_owned()] {
        let ask = "printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n'";
        let command = format!("until {ask} | nc {place} 2>/dev/null | grep two; do :; done");
        let said = testbed
            .kubectl_fine(&["exec", "one", "--", "timeout", "20", "sh", "-c", &command])
            .unwrap();
        assert_eq!(said.trim(), "two", "{place}");
    }
    for (name, part) in [("kubectl", Part::Kubernetes), ("kubectl-1.32", Part::OldKubectl)] {
        let mut kubectl = testbed.command(part.program(name).unwrap());
        kubectl.env("KUBECONFIG", testbed.admin_kubeconfig());
        let output = kubectl
            .args(["exec", "one", "--", "sh", "-c", "echo out; exit 7"])
            .stdin(Stdio::null())
            .output();
        let output = output.unwrap();
        let said = text(&output);
        assert_eq!(
            (output.status.code(), said.starts_with("out\n")),
            (Some(7), true),
            "{name}: {said}"
        );
    }
    let audit = fs::read_to_string(testbed.audit_log()).unwrap();
    assert!(
        audit.contains("pods/one/exec") || audit.contains("pods\\/one\\/exec"),
        "the audit log has no exec"
    );
    let id = testbed.id().to_owned();
    testbed.down().unwrap();
    assert_eq!(left(&id), BTreeSet::new());
}

/// The owner is a process of its own here, so that it can be killed.
#[test]
fn a_killed_owner_leaves_nothing() {
    if std::env::var_os("TESTBED_OWNER").is_some() {
        let testbed = Testbed::up(&Options { nodes: 1, ..Options::default() }).unwrap();
        println!("up {} {}", testbed.id(), testbed.init());
        std::thread::park();
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_owner_leaves_nothing", "--nocapture"])
        .env("TESTBED_OWNER", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find(|line| line.contains("up ")).expect("the owner ended");
    let words: Vec<&str> = line.split_whitespace().rev().take(2).collect();
    let (init, id) = (words[0].to_owned(), words[1].to_owned());
    owner.kill().unwrap();
    owner.wait().unwrap();
    while fs::exists(format!("/proc/{init}/ns")).unwrap_or(false) {
        std::thread::yield_now();
    }
    Testbed::clean(&std::env::temp_dir()).unwrap();
    assert_eq!(left(&id), BTreeSet::new());
}
