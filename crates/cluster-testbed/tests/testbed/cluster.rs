//! A cluster comes up, works as clusters do, and goes down.

use crate::machine::{Machine, left, text};
use cluster_testbed::{Options, Process, Testbed};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn a_cluster_works() {
    let before = Machine::now();
    let testbed = Testbed::up(&Options::default()).unwrap();
    pods_talk(&testbed);
    old_and_new_clients_work(&testbed);
    every_executor_of_client_go_works(&testbed);
    certificates_are_users(&testbed);
    programs_run_beside_it(&testbed);
    nothing_of_the_machine_is_set(&testbed);
    let id = testbed.id().to_owned();
    testbed.down().unwrap();
    assert_eq!(left(&id), Vec::<String>::new());
    assert_eq!(Machine::now(), before);
}

const SERVER: &str = "apiVersion: v1
kind: Service
metadata: {name: two}
spec:
  selector: {app: two}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: two, labels: {app: two}}
spec:
  nodeName: node2
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: docker.io/library/busybox:1
    imagePullPolicy: Never
    command: [nc, -ll, -p, '8080', -e, echo, hello from two]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
";

fn pods_talk(testbed: &Testbed) {
    testbed.run_pod("default", "one", 1).unwrap();
    testbed.apply(SERVER).unwrap();
    testbed.kubectl_fine(&["wait", "--for=condition=Ready", "--timeout=30s", "pod/two"]).unwrap();
    let address =
        testbed.kubectl_fine(&["get", "pod", "two", "-o", "jsonpath={.status.podIP}"]).unwrap();
    for place in [&format!("{address} 8080"), "two 80", "two.default.svc.cluster.local 80"] {
        let asked = format!("until nc -w 1 {place}; do :; done");
        let said = testbed
            .kubectl_fine(&["exec", "one", "-c", "main", "--", "timeout", "20", "sh", "-c", &asked])
            .unwrap();
        assert_eq!(said, "hello from two\n", "{place}");
    }
}

fn old_and_new_clients_work(testbed: &Testbed) {
    let sent = testbed.folder().join("sent");
    let received = testbed.folder().join("received");
    let (sent_text, received_text) = (sent.display().to_string(), received.display().to_string());
    for (name, kubectl) in [
        ("kubectl", testbed.kubectl_command().unwrap()),
        ("kubectl-1.32", testbed.kubectl_132_command().unwrap()),
    ] {
        let output =
            |arguments: &[&str], input: &[u8]| output(again(&kubectl).args(arguments), input);
        let fails = output(
            &["exec", "one", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 7"],
            b"",
        );
        assert_eq!((fails.code, fails.out.as_str()), (Some(7), "out\n"), "{name}: {}", fails.err);
        assert!(fails.err.lines().any(|line| line == "err"), "{name}: {}", fails.err);
        let counted =
            output(&["exec", "-i", "one", "-c", "main", "--", "wc", "-c"], &vec![b'x'; 200_000]);
        assert_eq!(counted.out, "200000\n", "{name}: {}", counted.err);

        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&sent, &bytes).unwrap();
        let copied = output(&["cp", &sent_text, "one:copied"], b"");
        assert_eq!(copied.code, Some(0), "{name}: {}", copied.err);
        let copied = output(&["cp", "one:copied", &received_text], b"");
        assert_eq!(copied.code, Some(0), "{name}: {}", copied.err);
        assert!(fs::read(&received).unwrap() == bytes, "{name}: other bytes came back");

        let pod = format!("says-{}", name.replace('.', "-"));
        let run = ["run", &pod, "--image=docker.io/library/busybox:1", "--image-pull-policy=Never"];
        let attached = ["--restart=Never", "-i", "--command", "--", "sh", "-c", "cat; echo bye"];
        let said = output(&[&run[..], &attached].concat(), b"hello\n");
        assert!(said.out.contains("hello\nbye\n"), "{name}: {} {}", said.out, said.err);
        let logs = output(&["logs", &pod], b"");
        assert_eq!(logs.out, "hello\nbye\n", "{name}: {}", logs.err);

        debugs(name, &pod, &mut again(&kubectl));
        forwards(testbed, name, again(&kubectl).args(["port-forward", "two", ":8080"]));
    }
    let audit = fs::read_to_string(testbed.audit_log()).unwrap();
    let execs = audit.lines().filter(|line| line.contains(r#""subresource":"exec""#)).count();
    assert!(execs > 0, "the audit log has no exec");
}

/// An ephemeral container that sees the processes of another one. Its input stays open until it answered: at the
/// end of the input of an ephemeral container, containerd lets go of its output as well.
fn debugs(name: &str, container: &str, kubectl: &mut Command) {
    kubectl.args(["debug", "one", "-i", "--image=docker.io/library/busybox:1", "--target=main"]);
    kubectl.args(["--image-pull-policy=Never", &format!("--container={container}"), "--"]);
    kubectl.args(["sh", "-c", "read -r line; echo got $line; ps"]);
    let mut child = kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"this\n").unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "{name}: {said}");
    assert!(said.contains("got this\n") && said.contains("sleep 2147483647"), "{name}: {said}");
}

fn forwards(testbed: &Testbed, name: &str, command: &mut Command) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line.split_whitespace().nth(2).unwrap();
    let said = testbed.enter(|| {
        let mut said = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut said).unwrap();
        said
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(said.unwrap(), "hello from two\n", "{name}");
}

fn every_executor_of_client_go_works(testbed: &Testbed) {
    for executor in ["websocket", "spdy", "fallback"] {
        let mut command = testbed.exec_client_command().unwrap();
        command.args([
            "-executor",
            executor,
            "-pod",
            "one",
            "-container",
            "main",
            "-stdin",
            "--",
            "sh",
            "-c",
        ]);
        let said = output(command.arg("cat; echo err >&2; exit 5"), b"hello");
        assert_eq!(
            (said.code, said.out.as_str(), said.err.as_str()),
            (Some(5), "hello", "err\n"),
            "{executor}"
        );
    }
    for executor in ["websocket", "spdy"] {
        let mut command = testbed.exec_client_command().unwrap();
        command.args(["-executor", executor, "-pod", "two", "-forward", "0:8080"]);
        forwards(testbed, executor, command.stdin(Stdio::piped()));
    }
}

fn certificates_are_users(testbed: &Testbed) {
    let pair = testbed.client_certificate("ada", &["developers", "on-call"]).unwrap();
    let kubeconfig = testbed.folder().join("ada.kubeconfig");
    testbed.write_kubeconfig(&kubeconfig, testbed.server(), &pair).unwrap();
    let mut whoami = testbed.kubectl_command().unwrap();
    whoami.env("KUBECONFIG", kubeconfig).args(["auth", "whoami", "-o"]);
    let said =
        output(whoami.arg("jsonpath={.status.userInfo.username} {.status.userInfo.groups}"), b"");
    assert_eq!(said.out, r#"ada ["developers","on-call","system:authenticated"]"#, "{}", said.err);
}

fn programs_run_beside_it(testbed: &Testbed) {
    let mut server = testbed.beside("busybox");
    server.args(["nc", "-ll", "-p", "7000", "-e", "echo", "from beside"]);
    let mut server = Process::start(&mut server).unwrap();
    let asked = "until nc -w 1 192.168.77.1 7000; do :; done";
    let said = testbed
        .kubectl_fine(&["exec", "one", "-c", "main", "--", "timeout", "20", "sh", "-c", asked]);
    assert_eq!(said.unwrap(), "from beside\n");
    let name = fs::read_to_string(format!("/proc/{}/comm", server.id())).unwrap();
    assert_eq!(name, "busybox\n");
    assert_eq!(server.kill().unwrap().to_string(), "signal: 9 (SIGKILL)");
}

/// A kubelet sets these for the whole machine, and programs of a cluster write below /var.
fn nothing_of_the_machine_is_set(testbed: &Testbed) {
    let panics = "/proc/sys/kernel/panic";
    let machine = fs::read_to_string(panics).unwrap();
    let mut set = testbed.on_node(1, "sh");
    let script =
        format!("echo 4711 >{panics} && cat {panics} && ls /var/log/containers /var/lib/cni");
    let output = set.args(["-c", &script]).output().unwrap();
    let said = text(&output);
    assert!(said.starts_with("4711\n") && said.contains("one_default_main"), "{said}");
    assert_eq!(fs::read_to_string(panics).unwrap(), machine);
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn output(command: &mut Command, input: &[u8]) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who reads less than this closes it.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A command like this one, without arguments that were added since.
fn again(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    for (name, value) in command.get_envs() {
        copy.env(name, value.unwrap_or_default());
    }
    copy.stdin(Stdio::null());
    copy
}
