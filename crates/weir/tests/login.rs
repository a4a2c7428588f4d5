//! `weir login` with a real provider and a real kubectl: the person is here, and what kubectl sends is looked at.
#![cfg(test)]

use cluster_testbed::Part;
use oidc_testbed::{Provider, sign_in};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use test_folder::TestFolder;

struct Person {
    provider: Provider,
    runtime: tokio::runtime::Runtime,
    folder: TestFolder,
}

impl Person {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let provider = runtime.block_on(Provider::start()).unwrap();
        let folder = TestFolder::new();
        folder.write("id.pem", provider.authority());
        Self { provider, runtime, folder }
    }

    fn weir(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        self.at_home(&mut command);
        command.args(arguments);
        command.args(["--issuer", self.provider.issuer(), "--scope", "email"]);
        command.args(["--scope", "offline_access", "--issuer-authority"]);
        command.arg(self.folder.join("id.pem"));
        command
    }

    /// Nothing of whoever runs the test is read or written.
    fn at_home(&self, command: &mut Command) {
        let weir = Path::new(env!("CARGO_BIN_EXE_weir")).parent().unwrap();
        let mut path = OsString::from(weir);
        path.push(":/usr/bin:/bin");
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("BROWSER", "none");
    }

    /// Runs a command that has the person sign in, who does.
    fn signs_in(&self, mut command: Command) -> Output {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = |line: String| {
            let start = line.find("https://")?;
            line.get(start..)?.split([' ', ',']).next().map(str::to_owned)
        };
        let url = told.filter_map(address).next().expect("an address to sign in at");
        self.runtime.block_on(async {
            let back = sign_in(self.provider.client(), &url, "ada").await.unwrap();
            // A device waits by itself; a browser goes back.
            if back.starts_with("http://127.0.0.1") {
                assert_eq!(self.provider.client().get(&back).send().await.unwrap().status(), 200);
            }
        });
        child.wait_with_output().unwrap()
    }

    fn kubectl(&self) -> Value {
        let mut kubectl = Command::new(Part::Kubernetes.program("kubectl").unwrap());
        self.at_home(&mut kubectl);
        let output =
            kubectl.args(["get", "--raw", "/version"]).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn kubectl_sends_the_token_of_whoever_signed_in() {
    let ada = Person::new();
    let server = format!("{}/test/gateway", ada.provider.issuer());
    let mut login = ada.weir(&["login", "--write-kubeconfig", "--server", &server]);
    login.arg("--server-authority").arg(ada.folder.join("id.pem"));
    let output = ada.signs_in(login);
    let kubeconfig = ada.folder.join(".kube/config");
    let told = text(&output.stdout);
    let begins = format!("signed in to {}; the token lasts until 2", ada.provider.issuer());
    assert!(told.starts_with(&begins), "{told}");
    let ends = format!("context weir is in {}\n", kubeconfig.display());
    assert!(told.ends_with(&ends), "{told}");

    let sent = ada.kubectl();
    let given = ada.weir(&["login", "token"]).output().unwrap();
    let credential: Value = serde_json::from_slice(&given.stdout).unwrap();
    assert_eq!(credential["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(credential["kind"], "ExecCredential");
    let token = credential["status"]["token"].as_str().unwrap();
    assert_eq!(sent["authorization"], format!("Bearer {token}"));
    assert!(told.contains(credential["status"]["expirationTimestamp"].as_str().unwrap()));
    // Neither the kubeconfig nor the arguments of the plug-in have it.
    let written = std::fs::read_to_string(&kubeconfig).unwrap();
    assert!(!written.contains(token), "{written}");
    // Once more nobody has to sign in, and the kubeconfig stays as it is.
    let mut again = ada.weir(&["login", "--write-kubeconfig", "--server", &server]);
    again.arg("--server-authority").arg(ada.folder.join("id.pem"));
    assert!(again.output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(&kubeconfig).unwrap(), written);
}

#[test]
fn where_nobody_is_there_nobody_is_asked() {
    let ada = Person::new();
    let quietly = |arguments: &[&str]| {
        let mut command = ada.weir(arguments);
        let info = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}"#;
        command.env("KUBERNETES_EXEC_INFO", info).output().unwrap()
    };
    let refused = quietly(&["login", "token"]);
    let issuer = ada.provider.issuer();
    let expected = format!(
        "error: nobody is signed in to {issuer}, and nobody is there to be asked; run `weir login --issuer {issuer}`\n"
    );
    assert_eq!((text(&refused.stderr), refused.status.code()), (expected.clone(), Some(3)));
    assert_eq!(refused.stdout, b"");
    let output = ada.signs_in(ada.weir(&["login", "--device"]));
    assert!(text(&output.stdout).contains(", and is refreshed then\n"), "{output:?}");
    assert!(quietly(&["login", "token"]).status.success());
    assert!(quietly(&["login", "forget"]).status.success());
    assert_eq!(text(&quietly(&["login", "token"]).stderr), expected);
}

#[test]
fn what_cannot_be_written_is_said_before_anybody_signs_in() {
    let ada = Person::new();
    let kubeconfig = ada.folder.join("config");
    std::fs::write(&kubeconfig, "kind: Pod\n").unwrap();
    let said = |server: &str| {
        let mut login = ada.weir(&["login", "--write-kubeconfig", "--server", server]);
        let output = login.arg("--kubeconfig").arg(&kubeconfig).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, told) = said("http://gateway");
    assert_eq!(
        (code, told.as_str()),
        (Some(2), "error: the gateway's address http://gateway is no https URL\n")
    );
    let (code, told) = said("https://gateway");
    assert_eq!(code, Some(3));
    assert!(told.ends_with("it is no kubeconfig: its kind is another\n"), "{told}");
    assert_eq!(std::fs::read_to_string(&kubeconfig).unwrap(), "kind: Pod\n");
    let usage = Command::new(env!("CARGO_BIN_EXE_weir")).arg("login").output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
    assert!(text(&usage.stderr).contains("--issuer <URL>"), "{}", text(&usage.stderr));
}
