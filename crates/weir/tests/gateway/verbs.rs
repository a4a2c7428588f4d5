//! Every verb that reaches further than the API, as kubectl offers it.

use crate::world::{World, fed, said};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const IMAGE: &str = "--image=docker.io/library/busybox:1";
const NEVER: &str = "--image-pull-policy=Never";

pub(crate) fn all(world: &World) {
    let run = |arguments: &[&str]| world.client("kubectl", "ann").args(arguments).output().unwrap();
    let fine = |arguments: &[&str], expected: &str| {
        let output = run(arguments);
        let text = said(&output);
        assert!(output.status.success() && text.contains(expected), "{arguments:?}: {text}");
    };
    debug(world, &["shell", "-c", "probe"]);
    debug(world, &["node/node1"]);
    conversed(world, &["run", "once", IMAGE, NEVER, "-i", "--rm", "--restart=Never", "--command"]);
    attached(world);
    let raw = |path: &str| ["get", "--raw", path].map(str::to_owned);
    for (path, expected) in [
        ("/api/v1/namespaces/default/pods/web:8080/proxy/hostname", "web"),
        ("/api/v1/nodes/node1/proxy/pods", "\"PodList\""),
    ] {
        let arguments = raw(path);
        fine(&arguments.each_ref().map(String::as_str), expected);
    }
    fine(&["create", "token", "default"], ".");
    fine(&["logs", "web", "--tail=1"], "");
    let watched = run(&["wait", "--for=condition=Ready", "pod/web", "--timeout=20s"]);
    assert!(watched.status.success(), "{}", said(&watched));
    recorded(world);
}

/// A container beside what is named, in which somebody says something.
pub(crate) fn debug(world: &World, what: &[&str]) {
    conversed(world, &[&["debug"], what, &[IMAGE, NEVER, "-i"]].concat());
}

fn conversed(world: &World, arguments: &[&str]) {
    // What a container says just before it ends, the runtime may keep from who is attached: it waits for one more word.
    let echo = ["--", "sh", "-c", "while read word; do echo from-$word; done"];
    let mut command = world.client("kubectl", "ann");
    heard(command.args([arguments, &echo].concat()), "42\n", "from-42");
}

/// Says something to a command, and leaves when it has heard the answer.
fn heard(command: &mut Command, word: &str, answer: &str) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdin.write_all(word.as_bytes()).unwrap();
    let (mut said, mut piece) = (String::new(), [0; 4096]);
    while !said.contains(answer)
        && let Ok(count @ 1..) = stdout.read(&mut piece)
    {
        said.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    assert!(said.contains(answer), "{command:?}: {said}");
    drop(stdin);
    stdout.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}: {said}");
}

/// A container that says back what it hears.
fn attached(world: &World) {
    let overrides = r#"{"spec":{"terminationGracePeriodSeconds":0,"containers":[{"name":"echo","image":"docker.io/library/busybox:1",
        "imagePullPolicy":"Never","stdin":true,"stdinOnce":true,"command":["cat"]}]}}"#;
    let mut run = world.client("kubectl", "ann");
    let output = run
        .args(["run", "echo", IMAGE, "--restart=Never", "--overrides", overrides])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let ready = ["wait", "--for=condition=Ready", "pod/echo", "--timeout=30s"];
    let output = world.client("kubectl", "ann").args(ready).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let mut attach = world.client("kubectl", "ann");
    let output = fed(attach.args(["attach", "-i", "echo"]), b"heard\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "heard\n", "{}", said(&output));
}

/// Each of them has recordings, with what was asked for.
fn recorded(world: &World) {
    let listed = world.weir(&["sessions", "ls", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let mut verbs = BTreeMap::<&str, usize>::new();
    for item in listed["items"].as_array().unwrap() {
        *verbs.entry(item["verb"].as_str().unwrap()).or_default() += 1;
    }
    for verb in
        ["attach", "debug", "exec", "logs", "node-proxy", "port-forward", "proxy", "token-request"]
    {
        assert!(verbs.contains_key(verb), "{verb}: {verbs:?}");
    }
    let key = world.key("shown.key");
    let found = world.weir(&["sessions", "grep", "from-42", "--identity", &key]);
    assert!(said(&found).lines().count() >= 3, "debug, node debug and run: {}", said(&found));
}

/// Clients that are not kubectl.
pub(crate) fn other_clients(world: &World) {
    for executor in ["websocket", "spdy", "fallback"] {
        let mut client = world.go_client("ann");
        client.args(["-executor", executor, "-pod", "shell", "-container", "main", "-stdin", "--"]);
        let output = fed(client.args(["sh", "-c", "cat; echo err >&2; exit 5"]), b"hello");
        assert_eq!(told(&output), (Some(5), "hello".into(), "err\n".into()), "{executor}");
    }
    let output = world.python_client("ann").stdin(Stdio::null()).output().unwrap();
    assert_eq!(
        told(&output),
        (Some(0), "exec: hello, status 5\nforward: web\nlist: 2\n".into(), String::new()),
    );
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// kube-rs: exec with standard input, and a forwarded port.
pub(crate) fn kube_rs(world: &World) {
    let kubeconfig = world.at_gateway("ann");
    let said = world.testbed().enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let read = Kubeconfig::read_from(kubeconfig).unwrap();
            let options = KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(read, &options).await.unwrap();
            let pods: Api<Pod> = Api::default_namespaced(kube::Client::try_from(config).unwrap());
            let parameters = AttachParams::default().stdin(true).container("main");
            let command = ["sh", "-c", "read word; echo $word; exit 5"];
            let mut process = pods.exec("shell", command, &parameters).await.unwrap();
            process.stdin().unwrap().write_all(b"hello\n").await.unwrap();
            let mut out = String::new();
            process.stdout().unwrap().read_to_string(&mut out).await.unwrap();
            let status = process.take_status().unwrap().await.unwrap();
            let mut forwarder = pods.portforward("web", &[8080]).await.unwrap();
            let mut port = forwarder.take_stream(8080).unwrap();
            port.write_all(b"GET /hostname HTTP/1.0\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            port.read_to_string(&mut answer).await.unwrap();
            let name = answer.rsplit('\n').next().unwrap_or_default().to_owned();
            (out, status.reason.unwrap_or_default(), name)
        })
    });
    let expected = ("hello\n".to_owned(), "NonZeroExitCode".to_owned(), "web".to_owned());
    assert_eq!(said.unwrap(), expected);
}
