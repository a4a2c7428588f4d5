//! A cluster, a gateway in front of it, and people with certificates.

use cluster_testbed::{Options, Part, Testbed};
use serde_json::json;
use std::cell::RefCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const PORT: u16 = 8443;

pub(crate) struct World {
    testbed: Testbed,
    folder: PathBuf,
    gateway: RefCell<Option<Child>>,
    ledger_key: String,
}

pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs with standard input, which is written beside reading the answer.
pub(crate) fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A client that ends early does not read all; its exit code says so.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

impl World {
    pub(crate) fn up() -> Self {
        let testbed = Testbed::up(&Options { nodes: 1, ..Options::default() }).unwrap();
        testbed.run_pod("default", "shell", 1).unwrap();
        let folder = testbed.folder().join("gateway");
        for name in ["recordings", "ledger", "keys"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        testbed.apply(PEOPLE).unwrap();
        testbed.apply(WEB).unwrap();
        testbed
            .kubectl_fine(&["wait", "--for=condition=Ready", "--timeout=30s", "pod/web"])
            .unwrap();
        let keys = folder.join("keys").display().to_string();
        let made = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["gateway", "keygen", &keys])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", said(&made));
        let printed = said(&made);
        let public = |name: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        let world =
            Self { ledger_key: public("ledger"), folder, gateway: RefCell::new(None), testbed };
        world.configure(&public("shown"), &public("typed"));
        world.start_gateway();
        world
    }

    fn configure(&self, shown: &str, typed: &str) {
        let server = self
            .testbed
            .server_certificate("gateway-server", &["192.168.77.1", "localhost"])
            .unwrap();
        let identity =
            self.testbed.client_certificate("weir-gateway", &["system:masters"]).unwrap();
        let configuration = json!({
            "name": "test",
            "listen": { "address": format!("192.168.77.1:{PORT}"), "certificate": server.certificate, "key": server.key },
            "clients": { "certificates": { "authority": self.testbed.authority() } },
            "clusters": [{
                "name": "testbed", "server": self.testbed.server(), "authority": self.testbed.authority(),
                "identity": { "certificate": identity.certificate, "key": identity.key },
            }],
            "recordings": {
                "folder": self.folder.join("recordings"),
                "readers": { "output": [{ "age": shown }], "input": [{ "age": typed }] },
            },
            "ledger": { "folder": self.folder.join("ledger"), "key": self.folder.join("keys/ledger.key") },
            "rules": [{ "name": "ops", "effect": "allow", "groups": ["ops"] }],
        });
        fs::write(self.folder.join("gateway.yaml"), configuration.to_string()).unwrap();
    }

    pub(crate) fn start_gateway(&self) {
        let log = fs::File::create(self.folder.join("gateway.log")).unwrap();
        let mut command = self.testbed.command(env!("CARGO_BIN_EXE_weir"));
        command
            .args(["gateway", "run", "--config"])
            .arg(self.folder.join("gateway.yaml"))
            .stderr(log);
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        loop {
            let log = fs::read_to_string(self.folder.join("gateway.log")).unwrap();
            if log.contains("the gateway serves") {
                break;
            }
            assert!(child.try_wait().unwrap().is_none(), "the gateway ended: {log}");
            std::thread::yield_now();
        }
        *self.gateway.borrow_mut() = Some(child);
    }

    pub(crate) fn kill_gateway(&self) {
        if let Some(mut gateway) = self.gateway.borrow_mut().take() {
            gateway.kill().unwrap();
            gateway.wait().unwrap();
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn ledger_key(&self) -> &str {
        &self.ledger_key
    }

    pub(crate) fn key(&self, name: &str) -> String {
        self.folder.join("keys").join(name).display().to_string()
    }

    /// A client of a person, at the gateway.
    pub(crate) fn client(&self, name: &str, person: &str) -> Command {
        let path = self.folder.join(format!("{person}.kubeconfig"));
        if !path.exists() {
            let groups: &[&str] = if person == "bob" { &[] } else { &["ops"] };
            let certificate = self.testbed.client_certificate(person, groups).unwrap();
            let server = format!("https://192.168.77.1:{PORT}/clusters/testbed");
            let text = json!({
                "apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{ "name": "c", "cluster": { "server": server, "certificate-authority": self.testbed.authority() } }],
                "users": [{ "name": "u", "user": { "client-certificate": certificate.certificate, "client-key": certificate.key } }],
                "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
            });
            fs::write(&path, text.to_string()).unwrap();
        }
        let part = if name == "kubectl" { Part::Kubernetes } else { Part::OldKubectl };
        let mut command = self.testbed.command(part.program(name).unwrap());
        command.env("KUBECONFIG", path);
        command
    }

    /// kubectl in a terminal, which `script` gives it.
    pub(crate) fn terminal(&self, person: &str, arguments: &str, typed: &str) -> String {
        let kubectl = Part::Kubernetes.program("kubectl").unwrap();
        let kubeconfig = self
            .client("kubectl", person)
            .get_envs()
            .find_map(|(name, value)| (name == "KUBECONFIG").then(|| value.unwrap().to_owned()));
        let line = format!("stty cols 100 rows 30; {} {arguments}", kubectl.display());
        let mut command = self.testbed.command("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env("KUBECONFIG", kubeconfig.unwrap())
            .env("TERM", "xterm");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut shown = String::new();
        let mut piece = [0; 4096];
        let mut lines = typed.split_inclusive('\n');
        // A person types when there is a prompt.
        while let Ok(count @ 1..) = stdout.read(&mut piece) {
            shown.push_str(&String::from_utf8_lossy(&piece[..count]));
            // busybox asks the terminal where its cursor is.
            if shown.trim_end_matches("\x1b[6n").ends_with("# ")
                && let Some(line) = lines.next()
            {
                stdin.write_all(line.as_bytes()).unwrap();
            }
        }
        child.wait().unwrap();
        shown
    }

    /// Sends something to a port of a pod through port-forward, and gives the answer.
    pub(crate) fn forward(&self, person: &str, pod: &str, port: u16, request: &str) -> String {
        let mut command = self.client("kubectl", person);
        command
            .args(["port-forward", pod, &format!("18080:{port}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = [0; 10];
        child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        let mut curl = self.testbed.command("bash");
        let script = "exec 3<>/dev/tcp/127.0.0.1/18080; printf '%s' \"$0\" >&3; cat <&3";
        let output = curl.args(["-c", script, request]).stdin(Stdio::null()).output().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn weir(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command
            .args(arguments)
            .env("WEIR_RECORDINGS", self.folder.join("recordings"))
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Changes one bit in the middle of a recording.
    pub(crate) fn alter(&self, session: &str) {
        let find = ["-name", &format!("{session}*"), "-not", "-name", "*.keys*"];
        let found =
            Command::new("find").arg(self.folder.join("recordings")).args(find).output().unwrap();
        let files = said(&found);
        let path = files.lines().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn down(self) {
        self.kill_gateway();
        self.testbed.down().unwrap();
    }
}

const PEOPLE: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: ann}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: carl}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: carl}
";

const WEB: &str = "apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: registry.k8s.io/e2e-test-images/agnhost:2.63.0
    imagePullPolicy: Never
    args: [netexec, --http-port=8080]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
";
