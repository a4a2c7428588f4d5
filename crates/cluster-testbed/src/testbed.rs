//! A running cluster: how it comes up, is found by others, and goes down.

use crate::apart::{Apart, FABRIC, node_name, pod_network};
use crate::certificates::Authority;
use crate::folder::{self, Folder, Shared, State};
use crate::node::{self, Node};
use crate::parts::Part;
use crate::spawned::{Spawned, until};
use crate::{control_plane, images, manifests};
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// What a cluster is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// At least one, at most 9.
    pub nodes: usize,
    /// Added to the API server's, for instance feature gates or an OIDC provider.
    pub api_server_arguments: Vec<String>,
    /// Instead of the one that keeps requests of `exec` and the like, and the metadata of everything.
    pub audit_policy: Option<String>,
    /// Network plugins after `bridge` and `portmap`, as their configurations.
    pub chained_plugins: Vec<serde_json::Value>,
    /// Where programs of network plugins are, beside the system's.
    pub plugin_folder: Option<PathBuf>,
    /// Where the testbed's folder is made. Its path has to be short, for the sockets below it.
    pub parent: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 2,
            api_server_arguments: Vec::new(),
            audit_policy: None,
            chained_plugins: Vec::new(),
            plugin_folder: None,
            parent: std::env::temp_dir(),
        }
    }
}

/// A cluster that is there as long as this value, or another one of the same cluster.
pub struct Testbed {
    pub(crate) apart: Apart,
    pub(crate) authority: Authority,
    pub(crate) folder: Folder,
    pub(crate) n_nodes: usize,
    running: Running,
}

/// Our children, if it was us who brought the cluster up.
#[derive(Default)]
struct Running {
    supervisor: Option<Child>,
    control_plane: Vec<Spawned>,
    nodes: Vec<Node>,
}

impl Testbed {
    /// Brings a cluster up: nodes are ready and names resolve when this returns.
    ///
    /// # Errors
    /// Not root, a part or package is missing, or something of the cluster ended; the end of its log is told.
    pub fn up(options: &Options) -> Result<Self> {
        prepare(options)?;
        Self::bring_up(options, Folder::new(&options.parent)?)
    }

    /// The cluster of this name and these options; brings it up if nobody did. It goes down with the last who
    /// has it, however that ends.
    ///
    /// # Errors
    /// As [`Testbed::up`].
    pub fn attach_or_up(name: &str, options: &Options) -> Result<Self> {
        prepare(options)?;
        let shared = Shared { name: name.to_owned(), options: options.text()? };
        match Folder::find_or_make(&options.parent, &shared)? {
            (folder, Some(state)) => Self::attached(folder, &state),
            (folder, None) => Self::bring_up(options, folder),
        }
    }

    /// The cluster of this name that somebody has brought up.
    ///
    /// # Errors
    /// There is none.
    pub fn attach(name: &str, parent: &Path) -> Result<Self> {
        let (folder, state) = Folder::find(parent, name)?;
        Self::attached(folder, &state)
    }

    fn attached(folder: Folder, state: &State) -> Result<Self> {
        let authority = Authority::of(&folder.path.join("certificates"))?;
        Ok(Self {
            apart: Apart::of(state.init),
            authority,
            n_nodes: state.nodes,
            folder,
            running: Running::default(),
        })
    }

    fn bring_up(options: &Options, mut folder: Folder) -> Result<Self> {
        let images = images::made()?;
        let authority = Authority::make(&folder.path.join("certificates"))?;
        let (apart, supervisor) = Apart::new(&mut folder)?;
        let running = Running { supervisor: Some(supervisor), ..Running::default() };
        // From here on dropping it takes down what is there already.
        let mut testbed = Self { apart, authority, folder, n_nodes: options.nodes, running };
        apart.make_fabric()?;
        let wanted = control_plane::Wanted {
            folder: &testbed.folder.path,
            authority: &testbed.authority,
            api_server_arguments: &options.api_server_arguments,
            audit_policy: options.audit_policy.as_deref(),
        };
        testbed.running.control_plane = control_plane::start(apart, &wanted)?;
        testbed.start_nodes(options, &images)?;
        testbed.wait()?;
        testbed.folder.is_up(&State { init: apart.pid(), nodes: options.nodes })?;
        Ok(testbed)
    }

    fn start_nodes(&mut self, options: &Options, images: &[PathBuf]) -> Result<()> {
        let apart = self.apart;
        let wanted = node::Wanted {
            folder: &self.folder.path,
            control_group: self.folder.control_group(),
            chained_plugins: &options.chained_plugins,
            plugin_folder: options.plugin_folder.as_deref(),
        };
        for number in 1..=options.nodes {
            apart.make_node(number, options.nodes)?;
            self.running.nodes.push(Node::start(apart, number, &wanted)?);
        }
        std::thread::scope(|scope| {
            let imports: Vec<_> = self
                .running
                .nodes
                .iter_mut()
                .map(|node| scope.spawn(move || node.import(apart, images)))
                .collect();
            imports.into_iter().try_for_each(|import| {
                import.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        self.until_alive("the API server answers", |testbed| {
            Ok(testbed.kubectl(&["get", "--raw", "/readyz"])?.status.success())
        })?;
        for node in &mut self.running.nodes {
            node.join(apart, &self.authority)?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        self.apply(&manifests::core_dns())?;
        for number in 1..=self.n_nodes {
            let name = node_name(number);
            self.wait_alive(&["wait", "--for=create", &format!("node/{name}")])?;
            // Nobody else assigns networks here, so that routes can be there before nodes.
            let network = pod_network(number);
            let patch = format!(r#"{{"spec":{{"podCIDR":"{network}","podCIDRs":["{network}"]}}}}"#);
            self.kubectl_fine(&["patch", "node", &name, "--type=merge", "-p", &patch])?;
        }
        self.wait_alive(&["wait", "--for=condition=Ready", "node", "--all"])?;
        self.wait_alive(&["-n", "kube-system", "rollout", "status", "deployment/coredns"])?;
        self.wait_alive(&["wait", "--for=create", "serviceaccount/default"])
    }

    /// `kubectl wait` or the like, until it ends or something of the cluster does.
    fn wait_alive(&mut self, arguments: &[&str]) -> Result<()> {
        let mut command = self.kubectl_command()?;
        command.args(arguments).arg("--timeout=60s");
        let log = self.folder.path.join("logs/waiting.log");
        let file = std::fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let mut child = command.spawn().context("running kubectl")?;
        let mut status = None;
        let ended = self.until_alive(&format!("kubectl {}", arguments.join(" ")), |_| {
            status = child.try_wait()?;
            Ok(status.is_some())
        });
        if ended.is_err() {
            drop(child.kill());
            drop(child.wait());
        }
        ended?;
        if status.is_none_or(|status| !status.success()) {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("kubectl {}: {}", arguments.join(" "), said.trim());
        }
        Ok(())
    }

    fn until_alive(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        until(what, Duration::from_secs(70), || {
            self.running.control_plane.iter_mut().try_for_each(Spawned::still_running)?;
            self.running.nodes.iter_mut().try_for_each(Node::still_running)?;
            holds(self)
        })
    }

    /// Keeps the cluster up when nobody has it any more, until [`Testbed::take_down`].
    ///
    /// # Errors
    /// The process that is to hold it cannot be started.
    pub fn keep(&self) -> Result<()> {
        let mut command = self.apart.beside(FABRIC, "flock");
        let holders = self.folder.path.join("holders");
        command.arg("--shared").arg(holders);
        command.args(["sh", "-c", "echo kept; exec sleep infinity >/dev/null 2>&1"]);
        let logs = self.folder.path.join("logs");
        let mut keeper = Spawned::start("keeper", &mut command, &logs)?;
        until("the testbed is kept", Duration::from_secs(10), || {
            keeper.still_running()?;
            Ok(std::fs::read_to_string(logs.join("keeper.log"))?.contains("kept"))
        })
    }

    /// Stops to use it. If nobody else does, this takes everything away, and says what could not be.
    ///
    /// # Errors
    /// A process, a control group or a file stays.
    pub fn down(mut self) -> Result<()> {
        self.end()
    }

    /// Takes it down, whoever else uses it.
    ///
    /// # Errors
    /// As [`Testbed::down`].
    pub fn take_down(mut self) -> Result<()> {
        ensure!(self.folder.has_process(self.apart.pid()), "the testbed has ended");
        kill(Pid::from_raw(i32::try_from(self.apart.pid())?), Signal::SIGKILL)
            .context("killing the testbed's first process")?;
        self.folder.end_for_all()?;
        std::mem::take(&mut self.running).reap();
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let ended = self.folder.end();
        let running = std::mem::take(&mut self.running);
        // Others may have it still; then our children are there as well.
        if ended.is_ok() && !self.folder.path.exists() {
            running.reap();
        }
        ended
    }

    /// Removes what testbeds left whose supervisor was killed; [`Testbed::up`] does so too.
    ///
    /// # Errors
    /// A control group or a file stays.
    pub fn clean(parent: &Path) -> Result<()> {
        folder::sweep(parent)
    }

    /// The testbeds that are there.
    ///
    /// # Errors
    /// Their folders cannot be read.
    pub fn all(parent: &Path) -> Result<Vec<Found>> {
        let found = Folder::all(parent)?.into_iter().map(|folder| Found {
            name: folder.shared().map(|shared| shared.name),
            nodes: folder.state().map(|state| state.nodes),
            folder: folder.path,
        });
        Ok(found.collect())
    }
}

/// A testbed of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub folder: PathBuf,
    /// None if it is its owner's alone.
    pub name: Option<String>,
    /// None while it comes up.
    pub nodes: Option<usize>,
}

impl Options {
    /// Testbeds with equal texts can stand in for each other.
    fn text(&self) -> Result<String> {
        let programs = Part::Kubernetes.built()?;
        Ok(format!(
            "{} {:?} {:?} {:?} {:?} {}",
            self.nodes,
            self.api_server_arguments,
            self.audit_policy,
            self.chained_plugins,
            self.plugin_folder,
            programs.display()
        ))
    }
}

impl Running {
    fn reap(mut self) {
        self.control_plane.iter_mut().for_each(Spawned::reap);
        self.nodes.iter_mut().for_each(Node::reap);
        if let Some(mut supervisor) = self.supervisor {
            drop(supervisor.wait());
        }
    }
}

fn prepare(options: &Options) -> Result<()> {
    ensure!((1..=9).contains(&options.nodes), "a testbed has 1 to 9 nodes, not {}", options.nodes);
    ensure!(
        nix::unistd::geteuid().is_root(),
        "a testbed needs root: it makes namespaces and control groups"
    );
    for program in ["etcd", "runc", "nft", "conntrack", "flock", "setpriv", "nsenter", "ip"] {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
        ensure!(is_there, "{program} is missing: run make testbed-toolchain");
    }
    folder::sweep(&options.parent)
}

impl Drop for Testbed {
    fn drop(&mut self) {
        // What stays is removed by the next testbed.
        drop(self.end());
    }
}

impl std::fmt::Debug for Testbed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Testbed").field("folder", &self.folder.path).finish_non_exhaustive()
    }
}
