//! What tests do with a cluster: its addresses and files, programs in its networks, clients as its administrator.

use crate::apart::{FABRIC, node_name};
use crate::certificates::ClientCertificate;
use crate::control_plane::{self, SERVER};
use crate::node;
use crate::parts::Part;
use crate::spawned::{run, until};
use crate::testbed::Testbed;
use anyhow::{Context as _, Result, ensure};
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Files and addresses.
impl Testbed {
    /// What its folder and its control groups are called by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.folder.id
    }

    /// Where the testbed keeps its files; logs of its programs are below `logs/`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// The URL of the API server, as processes in the fabric and pods reach it.
    #[must_use]
    pub const fn server(&self) -> &'static str {
        SERVER
    }

    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.n_nodes
    }

    /// Of a member of `system:masters`.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> PathBuf {
        control_plane::admin_kubeconfig(&self.folder.path)
    }

    /// Lines of JSON, written before the API server answers.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        control_plane::audit_log(&self.folder.path)
    }

    /// The certificate of the cluster's authority.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.authority.certificate()
    }

    /// The authority's key.
    #[must_use]
    pub fn authority_key(&self) -> PathBuf {
        self.authority.key()
    }

    /// A certificate of a user of the cluster, with at most two groups.
    ///
    /// # Errors
    /// More groups, or the files cannot be written.
    pub fn client_certificate(&self, user: &str, groups: &[&str]) -> Result<ClientCertificate> {
        self.authority.client(user, groups)
    }

    /// A certificate for a server at these names and addresses, signed by the cluster's authority.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn server_certificate(&self, name: &str, names: &[&str]) -> Result<ClientCertificate> {
        self.authority.server(name, &[], names)
    }

    /// Writes a kubeconfig for this user at a server that the cluster's authority signed for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_kubeconfig(
        &self,
        path: &Path,
        server: &str,
        user: &ClientCertificate,
    ) -> Result<()> {
        self.authority.kubeconfig(path, server, user)
    }

    /// A file that stands for the network of a node, numbered from 1; 0 is the fabric's.
    #[must_use]
    pub fn network(&self, number: usize) -> PathBuf {
        if number == 0 {
            self.apart.network(FABRIC)
        } else {
            self.apart.network(&node_name(number))
        }
    }

    /// Where containerd of a node listens, numbered from 1.
    #[must_use]
    pub fn containerd_socket(&self, number: usize) -> PathBuf {
        node::socket(&self.folder.path, number)
    }

    /// The first process of the testbed; all end with it.
    #[must_use]
    pub const fn init(&self) -> u32 {
        self.apart.pid()
    }
}

/// Programs in its networks.
impl Testbed {
    /// A program in the network of the control plane: it reaches the API server, and listens where pods and nodes
    /// reach it at 192.168.77.1. It is the caller's child and does not end with the testbed.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.apart.in_network(FABRIC, program)
    }

    /// The same for what is to run longer, such as a gateway: started by [`Process::start`](crate::Process::start),
    /// it ends with the testbed, even if the test is killed.
    #[must_use]
    pub fn beside(&self, program: impl AsRef<OsStr>) -> Command {
        self.apart.beside(FABRIC, program)
    }

    /// Runs work in a thread that is in the network of the control plane. Sockets that it makes stay there,
    /// wherever they are used.
    ///
    /// # Errors
    /// The testbed has ended.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.apart.enter(FABRIC, work)
    }

    /// A program among the processes and mounts of a node, numbered from 1.
    #[must_use]
    pub fn on_node(&self, number: usize, program: impl AsRef<OsStr>) -> Command {
        self.apart.inside(&node_name(number), program)
    }

    /// containerd's client on a node, numbered from 1.
    ///
    /// # Errors
    /// There is no such node.
    pub fn ctr(&self, number: usize) -> Result<Command> {
        ensure!((1..=self.n_nodes).contains(&number), "there is no node {number}");
        let mut ctr = self.on_node(number, Part::Containerd.program("ctr")?);
        ctr.arg("--address").arg(self.containerd_socket(number)).args(["--namespace", "k8s.io"]);
        Ok(ctr)
    }
}

/// Clients as its administrator.
impl Testbed {
    /// `kubectl` of the cluster's version.
    ///
    /// # Errors
    /// It is not built and cannot be.
    pub fn kubectl_command(&self) -> Result<Command> {
        Ok(self.client(&Part::Kubernetes.program("kubectl")?))
    }

    /// `kubectl` 1.32.
    ///
    /// # Errors
    /// As [`Testbed::kubectl_command`].
    pub fn kubectl_132_command(&self) -> Result<Command> {
        Ok(self.client(&Part::OldKubectl.program("kubectl-1.32")?))
    }

    /// `testbed/exec-client`: a client of client-go that uses the executor that it is told.
    ///
    /// # Errors
    /// As [`Testbed::kubectl_command`].
    pub fn exec_client_command(&self) -> Result<Command> {
        let mut command = self.client(&Part::ExecClient.program("exec-client")?);
        command.arg("-kubeconfig").arg(self.admin_kubeconfig());
        Ok(command)
    }

    fn client(&self, program: &Path) -> Command {
        let mut command = self.command(program);
        command.env("KUBECONFIG", self.admin_kubeconfig()).stdin(Stdio::null());
        command
    }

    /// Runs [`Testbed::kubectl_command`]; what it ended with is in the output.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output> {
        self.kubectl_command()?.args(arguments).output().context("running kubectl")
    }

    /// Runs [`Testbed::kubectl_132_command`]; what it ended with is in the output.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn kubectl_132(&self, arguments: &[&str]) -> Result<Output> {
        self.kubectl_132_command()?.args(arguments).output().context("running kubectl 1.32")
    }

    /// Runs [`Testbed::kubectl_command`], which must succeed; gives what it printed.
    ///
    /// # Errors
    /// It did not succeed.
    pub fn kubectl_fine(&self, arguments: &[&str]) -> Result<String> {
        let output = run(self.kubectl_command()?.args(arguments))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Applies manifests by the server.
    ///
    /// # Errors
    /// The API server refuses one.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let mut command = self.kubectl_command()?;
        command.args(["apply", "--server-side", "-f", "-"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        child.stdin.take().context("kubectl has no input")?.write_all(manifests.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "kubectl apply: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Runs a pod of the busybox image that sleeps, and waits until it is ready.
    ///
    /// # Errors
    /// It does not get ready.
    pub fn run_pod(&self, namespace: &str, name: &str, node: usize) -> Result<()> {
        let node = node_name(node);
        self.apply(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}\n\
             spec:\n  nodeName: {node}\n  terminationGracePeriodSeconds: 0\n  containers:\n  - {{name: main, \
             image: 'docker.io/library/busybox:1', imagePullPolicy: Never}}\n"
        ))?;
        let pod = format!("pod/{name}");
        self.kubectl_fine(&[
            "-n",
            namespace,
            "wait",
            "--for=condition=Ready",
            "--timeout=30s",
            &pod,
        ])?;
        Ok(())
    }

    /// Waits up to a minute until something holds.
    ///
    /// # Errors
    /// It does not, or cannot be asked.
    pub fn wait_for(&self, what: &str, holds: impl FnMut() -> Result<bool>) -> Result<()> {
        until(what, Duration::from_secs(60), holds)
    }
}
