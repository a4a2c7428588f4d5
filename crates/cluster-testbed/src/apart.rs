//! Namespaces of a testbed: one of processes and mounts with a first process, one network for the fabric and for
//! each node.
//!
//! util-linux and iproute2 do the work: `unshare`, `nsenter`, `setpriv`, `ip`. Two scripts are what runs when
//! nobody of ours is left: `first.sh` is the first process, `supervise.sh` cleans up after it.

use crate::folder::Folder;
use crate::spawned::run;
use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, setns};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The network in which the control plane is; nodes have links into it.
pub(crate) const FABRIC: &str = "fabric";
pub(crate) const FABRIC_ADDRESS: &str = "192.168.77.1";

#[derive(Clone, Copy)]
pub(crate) struct Apart {
    /// The first process' number outside of its namespace.
    pid: u32,
}

impl Apart {
    /// Starts the first process, and who cleans up after it.
    pub(crate) fn new(folder: &mut Folder) -> Result<(Self, Child)> {
        let mut command = Command::new("bash");
        command.args(["-c", include_str!("supervise.sh"), "testbed"]);
        command.arg(&folder.path).arg(folder.control_group()).arg(include_str!("first.sh"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(folder.take_alive()?);
        let mut supervisor = command.process_group(0).spawn().context("running bash")?;
        match started(&mut supervisor) {
            Ok(pid) => Ok((Self { pid }, supervisor)),
            Err(error) => {
                // It writes what is wrong where its lock is.
                let said = fs::read_to_string(folder.path.join("alive")).unwrap_or_default();
                drop(supervisor.wait());
                Err(error.context(said.trim().to_owned()))
            }
        }
    }

    /// The namespaces of a testbed that somebody else started.
    pub(crate) const fn of(pid: u32) -> Self {
        Self { pid }
    }

    pub(crate) const fn pid(self) -> u32 {
        self.pid
    }

    /// A program among the testbed's processes and mounts, in one of its networks.
    pub(crate) fn inside(self, network: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.nsenter(network);
        command.args(["--mount", "--pid", "--ipc", "--uts", "--"]).arg(program);
        command
    }

    /// A program among the testbed's processes that sees the machine's files, and ends with its `nsenter` too.
    pub(crate) fn beside(self, network: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.nsenter(network);
        command.args(["--pid", "--", "setpriv", "--pdeathsig", "KILL"]).arg(program);
        command
    }

    /// A program that is the caller's own child: only its network is another.
    pub(crate) fn in_network(self, network: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.network(network).display())).arg("--").arg(program);
        command
    }

    fn nsenter(self, network: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.pid));
        command.arg(format!("--net={}", self.network(network).display()));
        command
    }

    /// Runs work in a thread that lives in a network. Sockets stay in the network that they were made in.
    pub(crate) fn enter<T: Send>(
        self,
        network: &str,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T> {
        let file = File::open(self.network(network)).context("opening a network of the testbed")?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&file, CloneFlags::CLONE_NEWNET)
                    .context("entering a network of the testbed")?;
                Ok(work())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A file that stands for a network, as long as the testbed is there.
    pub(crate) fn network(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/run/netns/{name}", self.pid))
    }

    /// The fabric: a bridge that leads to nodes and nowhere else.
    pub(crate) fn make_fabric(self) -> Result<()> {
        self.shell(&format!(
            "ip netns add {FABRIC} && ip -n {FABRIC} link set lo up && ip -n {FABRIC} link add br0 type bridge \
             && ip -n {FABRIC} addr add {FABRIC_ADDRESS}/24 dev br0 && ip -n {FABRIC} link set br0 up"
        ))
    }

    /// A node's network, its link to the fabric, and the ways to the other nodes' pods.
    pub(crate) fn make_node(self, number: usize, n_nodes: usize) -> Result<()> {
        let name = node_name(number);
        let address = node_address(number);
        let mut script = format!(
            "ip netns add {name} && ip -n {name} link set lo up \
             && ip -n {FABRIC} link add {name} type veth peer name eth0 netns {name} \
             && ip -n {FABRIC} link set {name} master br0 up \
             && ip -n {name} addr add {address}/24 dev eth0 && ip -n {name} link set eth0 up \
             && ip netns exec {name} sysctl -qw net.ipv4.ip_forward=1 \
             && ip -n {FABRIC} route add {} via {address}",
            pod_network(number)
        );
        for other in (1..=n_nodes).filter(|other| *other != number) {
            let (pods, address) = (pod_network(other), node_address(other));
            write!(script, " && ip -n {name} route add {pods} via {address}")?;
        }
        self.shell(&script)
    }

    fn shell(self, script: &str) -> Result<()> {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.pid))
            .args(["--mount", "--pid", "--net", "--", "sh", "-ec", script]);
        run(&mut command).map(drop)
    }
}

/// The number of the first process, once it made its mounts.
fn started(supervisor: &mut Child) -> Result<u32> {
    let stdout = supervisor.stdout.take().context("the supervisor has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.trim() != "ready" {
        bail!("the testbed's namespaces and mounts could not be made: this needs root");
    }
    // The supervisor has `unshare` as its one child, and that the first process.
    only_child(only_child(supervisor.id())?)
}

pub(crate) fn only_child(parent: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let first = children.split_whitespace().next();
    first.and_then(|pid| pid.parse().ok()).with_context(|| format!("process {parent} has no child"))
}

pub(crate) fn node_name(number: usize) -> String {
    format!("node{number}")
}

pub(crate) fn node_address(number: usize) -> String {
    format!("192.168.77.{}", 10 + number)
}

pub(crate) fn pod_network(number: usize) -> String {
    format!("10.244.{number}.0/24")
}
