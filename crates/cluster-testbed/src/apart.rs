//! Namespaces of a testbed: one of processes and mounts with an init, one network for the fabric and each node.
//!
//! The init is a shell that waits for the end of its standard input, a pipe of which the owner alone has the other
//! end. util-linux and iproute2 do the work: `unshare`, `nsenter`, `ip`.

use crate::spawned::run;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The network in which the control plane is; nodes have links into it.
pub(crate) const FABRIC: &str = "fabric";
pub(crate) const FABRIC_ADDRESS: &str = "192.168.77.1";

pub(crate) struct Apart {
    init: Child,
    /// Keeps the init alive.
    pipe: Option<ChildStdin>,
    /// The init's number outside of its namespace.
    pid: u32,
}

impl Apart {
    /// Starts the init, with mounts of its own: what others have below /run is not seen, and nothing is left.
    pub(crate) fn new() -> Result<Self> {
        let prepare = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/lock \
                       && mkdir -p /var/lib/cni && mount -t tmpfs tmpfs /var/lib/cni \
                       && mount --make-rshared / && ip link set lo up && echo ready && read -r _; exit 0";
        let mut init = Command::new("unshare")
            .args([
                "--pid",
                "--fork",
                "--kill-child",
                "--mount",
                "--mount-proc",
                "--net",
                "--uts",
                "--ipc",
                "--",
            ])
            .args(["bash", "-c", prepare])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("running unshare, of the package util-linux")?;
        let pipe = init.stdin.take();
        let stdout = init.stdout.take().context("the init has no output")?;
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
        if line.trim() != "ready" {
            bail!(
                "the testbed's namespaces could not be made: this needs root, mount and network namespaces"
            );
        }
        let pid = child_of(init.id())?;
        Ok(Self { init, pipe, pid })
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// A program among the testbed's processes, in one of its networks.
    pub(crate) fn inside(&self, network: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.pid)).args(["--mount", "--pid", "--ipc", "--uts"]);
        command.arg(format!("--net={}", self.network(network).display())).arg("--").arg(program);
        command
    }

    /// The same for a program that is to be the caller's own child: only its network is another.
    pub(crate) fn in_network(
        &self,
        network: &str,
        program: impl AsRef<std::ffi::OsStr>,
    ) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.network(network).display())).arg("--").arg(program);
        command
    }

    /// A file that stands for a network, as long as the testbed is there.
    pub(crate) fn network(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/run/netns/{name}", self.pid))
    }

    /// The fabric: a bridge that leads to nodes and nowhere else.
    pub(crate) fn make_fabric(&self) -> Result<()> {
        self.shell(&format!(
            "ip netns add {FABRIC} && ip -n {FABRIC} link set lo up && ip -n {FABRIC} link add br0 type bridge \
             && ip -n {FABRIC} addr add {FABRIC_ADDRESS}/24 dev br0 && ip -n {FABRIC} link set br0 up"
        ))
    }

    /// A node's network, its link to the fabric, and the ways to the other nodes' pods.
    pub(crate) fn make_node(&self, number: usize, n_nodes: usize) -> Result<()> {
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
            script += &format!(
                " && ip -n {name} route add {} via {}",
                pod_network(other),
                node_address(other)
            );
        }
        self.shell(&script)
    }

    fn shell(&self, script: &str) -> Result<()> {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.pid))
            .args(["--mount", "--pid", "--net", "--", "sh", "-ec", script]);
        run(&mut command).map(drop)
    }

    /// Ends every process of the testbed, and waits for the last.
    pub(crate) fn end(&mut self) -> Result<()> {
        drop(self.pipe.take());
        let until = Instant::now() + Duration::from_secs(20);
        while self.init.try_wait()?.is_none() {
            if Instant::now() > until {
                self.init.kill()?;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
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

/// `unshare --fork` waits for its one child.
fn child_of(parent: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    children
        .split_whitespace()
        .next()
        .and_then(|pid| pid.parse().ok())
        .context("unshare has no child")
}
