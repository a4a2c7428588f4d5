//! A cluster, a gateway in front of it, and people with certificates.

use cluster_testbed::{Options, Part, Process, Testbed};
use serde_json::{Value, json};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

const PORT: u16 = 8443;
/// Of a real server that speaks S3.
const STORAGE_PORT: u16 = 7070;
const BUCKET: &str = "evidence";
const STORAGE_KEYS: [&str; 2] = ["tester", "not-secret"];
/// As whom the gateway speaks to the API server: nobody in particular, but for the role that it installs.
pub(crate) const GATEWAY: &str = "weir-gateway";
const CONSOLE_PORT: u16 = 8444;

pub(crate) struct World {
    testbed: Testbed,
    folder: PathBuf,
    gateway: Mutex<Option<Process>>,
    storage: Mutex<Option<Process>>,
    marked: Mutex<Option<String>>,
    writing: Mutex<()>,
    ledger_key: String,
}

fn groups(person: &str) -> &'static [&'static str] {
    if person == "bob" { &[] } else { &["ops"] }
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
        let world = Self {
            ledger_key: public("ledger"),
            folder,
            gateway: Mutex::new(None),
            storage: Mutex::new(None),
            marked: Mutex::new(None),
            writing: Mutex::new(()),
            testbed,
        };
        world.configure(&public("shown"), &public("typed"));
        world.install();
        world.start_storage();
        world.start_gateway();
        world
    }

    fn start_storage(&self) {
        let folder = self.folder.join("storage");
        fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let program = Part::Versitygw.program("versitygw").unwrap();
        let [key, secret] = STORAGE_KEYS;
        let mut command = self.testbed.beside(program);
        command.args(["--access", key, "--secret", secret, "--port"]);
        command.arg(format!("192.168.77.1:{STORAGE_PORT}")).arg("posix").arg(&folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        *self.storage.lock().unwrap() = Some(Process::start(&mut command).unwrap());
    }

    /// Names of what the storage has.
    pub(crate) fn archived(&self) -> String {
        let mut find = Command::new("find");
        find.arg(self.folder.join("storage").join(BUCKET)).args(["-type", "f"]);
        said(&find.output().unwrap())
    }

    /// Lets the gateway into the cluster, and refuses what it does not record.
    fn install(&self) {
        let options = [
            "--gateway-identity",
            GATEWAY,
            "--requests",
            "everything",
            "--break-glass-user",
            "rescue",
            "--exempt-namespace",
            "exempt",
        ];
        let yaml = self.weir(&[&["gateway", "install"], options.as_slice()].concat());
        assert!(yaml.status.success(), "{}", said(&yaml));
        self.testbed.apply(&said(&yaml)).unwrap();
    }

    fn configure(&self, shown: &str, typed: &str) {
        let server = self
            .testbed
            .server_certificate("gateway-server", &["192.168.77.1", "localhost"])
            .unwrap();
        let identity = self.testbed.client_certificate(GATEWAY, &[]).unwrap();
        let configuration = json!({
            "name": "test",
            "listen": { "address": format!("192.168.77.1:{PORT}"), "certificate": server.certificate, "key": server.key },
            "console": {
                "address": format!("192.168.77.1:{CONSOLE_PORT}"), "identities": [self.key("shown.key")], "owners": ["list"],
                "grants": [{ "users": ["carol"], "permissions": ["list", "view", "note", "hold", "freeze", "kill"] }],
            },
            "clients": { "certificates": { "authority": self.testbed.authority() } },
            "clusters": [{
                "name": "testbed", "server": self.testbed.server(), "authority": self.testbed.authority(),
                "identity": { "certificate": identity.certificate, "key": identity.key },
            }],
            "recordings": {
                "folder": self.folder.join("recordings"),
                "readers": { "output": [{ "age": shown }], "input": [{ "age": typed }] },
                // How full this machine's disk is decides nothing here.
                "freeSpace": { "admission": 3, "drain": 2, "critical": 1 },
                "archive": { "endpoint": format!("http://192.168.77.1:{STORAGE_PORT}"), "bucket": BUCKET },
                "upkeep": "1s",
            },
            "ledger": { "folder": self.folder.join("ledger"), "key": self.folder.join("keys/ledger.key") },
            "rules": [
                { "name": "careful", "effect": "allow", "groups": ["ops"], "names": ["careful"], "durability": "intent" },
                { "name": "ops", "effect": "allow", "groups": ["ops"] },
            ],
        });
        fs::write(self.folder.join("gateway.yaml"), configuration.to_string()).unwrap();
    }

    pub(crate) fn start_gateway(&self) {
        let log = fs::File::create(self.folder.join("gateway.log")).unwrap();
        fs::create_dir_all(self.temporary()).unwrap();
        let mut command = self.testbed.beside(env!("CARGO_BIN_EXE_weir"));
        command
            .args(["gateway", "run", "--config"])
            .arg(self.folder.join("gateway.yaml"))
            .env("TMPDIR", self.temporary())
            .envs(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].into_iter().zip(STORAGE_KEYS))
            .stderr(log);
        let mut child = Process::start(command.stdin(Stdio::null())).unwrap();
        loop {
            let log = fs::read_to_string(self.folder.join("gateway.log")).unwrap();
            if log.contains("the gateway serves") {
                break;
            }
            assert!(child.try_wait().unwrap().is_none(), "the gateway ended: {log}");
            std::thread::yield_now();
        }
        *self.gateway.lock().unwrap() = Some(child);
    }

    /// Where the gateway would write temporary files.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.join("temporary")
    }

    /// What the kernel says of the gateway's limits.
    pub(crate) fn gateway_limits(&self) -> String {
        let id = self.gateway.lock().unwrap().as_ref().unwrap().id();
        fs::read_to_string(format!("/proc/{id}/limits")).unwrap()
    }

    pub(crate) fn kill_gateway(&self) {
        if let Some(mut gateway) = self.gateway.lock().unwrap().take() {
            gateway.kill().unwrap();
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

    /// What a person has to reach the gateway.
    pub(crate) fn at_gateway(&self, person: &str) -> PathBuf {
        let server = format!("https://192.168.77.1:{PORT}/clusters/testbed");
        self.kubeconfig(person, groups(person), &server, None)
    }

    /// A client of a person, at the gateway.
    pub(crate) fn client(&self, name: &str, person: &str) -> Command {
        let kubeconfig = self.at_gateway(person);
        let part = if name == "kubectl" { Part::Kubernetes } else { Part::OldKubectl };
        let mut command = self.testbed.command(part.program(name).unwrap());
        command.env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
        command
    }

    /// A program of client-go.
    pub(crate) fn go_client(&self, person: &str) -> Command {
        let mut command = self.testbed.command(Part::ExecClient.program("exec-client").unwrap());
        command.arg("-kubeconfig").arg(self.at_gateway(person));
        command
    }

    /// A program of the Python client.
    pub(crate) fn python_client(&self, person: &str) -> Command {
        let mut command = self.testbed.command(cluster_testbed::python_client().unwrap());
        command.arg(self.at_gateway(person));
        command
    }

    /// kubectl of somebody past the gateway, who may stand for others: fields of a kubeconfig's user.
    pub(crate) fn past(&self, person: &str, groups: &[&str], standing: Option<Value>) -> Command {
        let kubeconfig = self.kubeconfig(person, groups, self.testbed.server(), standing);
        let mut command = self.testbed.command(Part::Kubernetes.program("kubectl").unwrap());
        command.env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
        command
    }

    fn kubeconfig(
        &self,
        person: &str,
        groups: &[&str],
        server: &str,
        standing: Option<Value>,
    ) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        (person, groups, server, standing.as_ref().map(Value::to_string)).hash(&mut hasher);
        let path = self.folder.join(format!("{person}-{:x}.kubeconfig", hasher.finish()));
        let _one_writes = self.writing.lock().unwrap();
        if path.exists() {
            return path;
        }
        let certificate = self.testbed.client_certificate(person, groups).unwrap();
        let mut user = standing.unwrap_or_else(|| json!({}));
        user["client-certificate"] = json!(certificate.certificate);
        user["client-key"] = json!(certificate.key);
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": server, "certificate-authority": self.testbed.authority() } }],
            "users": [{ "name": "u", "user": user }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
        });
        fs::write(&path, text.to_string()).unwrap();
        path
    }

    /// Waits up to a minute until something holds.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        self.testbed.wait_for(what, || Ok(holds())).unwrap();
    }

    /// What is asked of the audit log begins now.
    pub(crate) fn mark_time(&self) {
        let now = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S.%3NZ"]).output().unwrap();
        *self.marked.lock().unwrap() = Some(String::from_utf8_lossy(&now.stdout).trim().to_owned());
    }

    pub(crate) fn marked_time(&self) -> Option<String> {
        self.marked.lock().unwrap().clone()
    }

    /// Recordings that are sealed, and their command lines.
    pub(crate) fn sealed(&self) -> Vec<(String, String)> {
        let listed = self.weir(&["sessions", "ls", "--state", "sealed", "-o", "json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let word = |item: &Value| item.as_str().unwrap_or_default().to_owned();
        let items = listed["items"].as_array().unwrap().iter();
        let command = |item: &Value| {
            let words = item["command"].as_array().into_iter().flatten().map(word);
            words.collect::<Vec<_>>().join(" ")
        };
        items.map(|item| (word(&item["session"]), command(item))).collect()
    }

    /// The files of a recording.
    fn files(&self, session: &str) -> Vec<PathBuf> {
        let mut find = Command::new("find");
        find.arg(self.folder.join("recordings")).args(["-name", &format!("{session}*")]);
        said(&find.output().unwrap()).lines().map(PathBuf::from).collect()
    }

    /// Removes a recording, as somebody would who has something to hide.
    pub(crate) fn remove(&self, session: &str) {
        self.files(session).iter().for_each(|file| fs::remove_file(file).unwrap());
    }

    pub(crate) fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    /// kubectl in a terminal, which `script` gives it.
    pub(crate) fn terminal(&self, person: &str, arguments: &str, typed: &str) -> String {
        let kubectl = Part::Kubernetes.program("kubectl").unwrap();
        let kubeconfig = self
            .client("kubectl", person)
            .get_envs()
            .find_map(|(name, value)| (name == "KUBECONFIG").then(|| value.unwrap().to_owned()));
        let line = format!("stty cols 100 rows 30; {} {arguments}", kubectl.display());
        let mut command = self.testbed.command("timeout");
        command
            .args(["--foreground", "60", "script", "-qec", &line, "/dev/null"])
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
            if is_at_prompt(&shown)
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

    /// `weir sessions` of a person, over the gateway's console.
    pub(crate) fn asking(&self, person: &str, arguments: &[&str]) -> Command {
        let proof = self.testbed.client_certificate(person, groups(person)).unwrap();
        let mut command = self.testbed.command(env!("CARGO_BIN_EXE_weir"));
        command.arg("sessions").args(arguments).stdin(Stdio::null());
        command.args(["--gateway", &format!("https://192.168.77.1:{CONSOLE_PORT}")]);
        command.arg("--ca").arg(self.testbed.authority());
        command.arg("--client-cert").arg(proof.certificate).arg("--client-key").arg(proof.key);
        command
    }

    /// The file of a recording.
    pub(crate) fn recording(&self, session: &str) -> PathBuf {
        let is_keys = |path: &PathBuf| path.to_string_lossy().contains(".keys");
        let files = self.files(session).into_iter().filter(|path| !is_keys(path));
        files.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
    }

    /// Changes one bit in the middle of a recording.
    pub(crate) fn alter(&self, session: &str) {
        let path = self.recording(session);
        let mut bytes = fs::read(&path).unwrap();
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
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: rescue}
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

/// Whether a shell waits for a line. What kubectl says itself may come after the prompt, and busybox asks the
/// terminal where its cursor is.
fn is_at_prompt(shown: &str) -> bool {
    const HINTS: [&str; 2] = [
        "All commands and output from this session will be recorded in container logs, \
         including credentials and sensitive information passed through the command prompt.",
        "If you don't see a command prompt, try pressing enter.",
    ];
    let said = HINTS.iter().fold(shown.to_owned(), |said, hint| said.replace(hint, ""));
    said.trim_end_matches(['\r', '\n']).trim_end_matches("\x1b[6n").ends_with("# ")
}
