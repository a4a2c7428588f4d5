//! A machine of a test's own, as far as namespaces go, and all of it that a lab could change.
//!
//! Other tests and other people's labs run beside, so what belongs to a machine as a whole is told apart: ours
//! are the processes with a mark in their environment, and programs, maps and links of the kernel that no
//! living process of anybody else has.

use crate::kernel_objects::{Objects, unheld};
use anyhow::{Context as _, Result, bail, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// In the environment of whatever a test starts.
const MARK: &str = "WEIR_TEST_MARK";

/// Where programs leave files, empty at first.
const FOLDERS: [&str; 5] = ["/run", "/tmp", "/var/tmp", "/dev/shm", "/sys/fs/bpf"];

/// What a namespace of the network shows of itself.
const SHOWN: [(&str, &[&str]); 8] = [
    ("links", &["ip", "-o", "link"]),
    ("addresses", &["ip", "-o", "addr"]),
    ("routes", &["ip", "route", "show", "table", "all"]),
    ("routes by IPv6", &["ip", "-6", "route", "show", "table", "all"]),
    ("rules of routes", &["ip", "rule"]),
    ("neighbours", &["ip", "neigh"]),
    ("packet filter", &["nft", "list", "ruleset"]),
    ("named namespaces", &["ip", "netns"]),
];

/// Settings that change by themselves.
const LIVELY: [&str; 12] = [
    "fs/aio-nr",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-nr",
    "fs/inode-state",
    "kernel/ns_last_pid",
    "kernel/perf_event_max_sample_rate",
    "kernel/pty/nr",
    "kernel/random/",
    "kernel/tainted",
    "net/netfilter/nf_conntrack_count",
    "vm/stat_refresh",
];

/// How long the kernel may take to end what nobody has any more.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// The thread that makes it is in it from then on, and whatever it starts.
pub(crate) struct OwnMachine {
    mark: String,
    objects: Objects,
    before: Seen,
}

/// Lines of each part.
type Seen = BTreeMap<&'static str, BTreeSet<String>>;

impl OwnMachine {
    /// `kept` are folders that can be used as before.
    pub(crate) fn enter(name: &str, kept: &[&Path]) -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC)
            .context("the test needs root, to be on a machine of its own")?;
        let nothing = None::<&str>;
        for propagation in [MsFlags::MS_SLAVE, MsFlags::MS_SHARED] {
            mount(nothing, "/", nothing, MsFlags::MS_REC | propagation, nothing)?;
        }
        let kept: Result<Vec<(&Path, File)>> =
            kept.iter().map(|path| Ok((*path, File::open(path)?))).collect();
        let kept = kept?;
        for folder in FOLDERS {
            let kind = if folder == "/sys/fs/bpf" { "bpf" } else { "tmpfs" };
            mount(Some(kind), folder, Some(kind), MsFlags::empty(), nothing)
                .with_context(|| format!("cannot mount {kind} at {folder}"))?;
        }
        for (path, folder) in &kept {
            if !path.exists() {
                fs::create_dir_all(path)?;
                let there = format!("/proc/thread-self/fd/{}", folder.as_raw_fd());
                mount(Some(there.as_str()), *path, nothing, MsFlags::MS_BIND, nothing)?;
            }
        }
        furnish()?;
        let mark = format!("{name}-{}", std::process::id());
        let before = look(&mark)?;
        ensure!(before.values().filter(|lines| !lines.is_empty()).count() > 6, "{before:?}");
        Ok(Self { objects: Objects::now()?, mark, before })
    }

    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env(MARK, &self.mark);
        command
    }

    /// Processes that were started here and have this in their command line.
    pub(crate) fn processes(&self, with: &str) -> Result<Vec<u32>> {
        let ours = marked(&self.mark)?.into_iter().filter(|(_, line)| line.contains(with));
        Ok(ours.map(|(number, _)| number).collect())
    }

    /// Returns when all have ended that were started here.
    pub(crate) fn wait_for_processes(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let running = marked(&self.mark)?;
            if running.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < end, "they do not end: {running:?}");
            thread::sleep(POLL);
        }
    }

    /// Nothing is there that was not before, and nothing is missing.
    pub(crate) fn is_as_before(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut differing = differing(&self.before, &look(&self.mark)?);
            differing.extend(unheld(&self.objects)?);
            if differing.is_empty() {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the machine is another one than before:\n{}", differing.join("\n"));
            }
            thread::sleep(POLL);
        }
    }
}

/// Things that a lab could disturb.
fn furnish() -> Result<()> {
    let script = "
        ip link set lo up && ip link add machine0 type veth peer name machine1
        ip addr add 198.51.100.1/24 dev machine0 && ip addr add 2001:db8::1/64 dev machine0 nodad
        ip link set machine0 up addrgenmode none && ip link set machine1 up addrgenmode none
        ip route add 10.244.0.0/16 via 198.51.100.2 && ip rule add fwmark 7 table 100
        ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:07 dev machine0 nud permanent
        nft add table inet machine && nft add chain inet machine passing '{ type filter hook forward priority 0; }'
        sysctl -qw net.ipv4.ip_forward=0";
    let furnished = Command::new("sh").args(["-ec", script]).output()?;
    ensure!(furnished.status.success(), "{}", String::from_utf8_lossy(&furnished.stderr));
    Ok(())
}

fn look(mark: &str) -> Result<Seen> {
    let mut seen = Seen::new();
    for (part, command) in SHOWN {
        let (program, arguments) = command.split_first().context("no command")?;
        let output = Command::new(program).args(arguments).output();
        let output = output.with_context(|| format!("{program} is missing"))?;
        seen.insert(part, String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect());
    }
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo")?;
    seen.insert("mounts", mounts.lines().map(str::to_owned).collect());
    seen.insert("sockets", sockets()?);
    seen.insert("settings", settings()?);
    let mut files = BTreeSet::new();
    for folder in FOLDERS {
        let device = fs::metadata(folder)?.dev();
        list(Path::new(folder), device, &mut files)?;
    }
    seen.insert("files", files);
    let processes = marked(mark)?.into_iter();
    seen.insert("processes", processes.map(|(number, line)| format!("{number} {line}")).collect());
    Ok(seen)
}

fn differing(before: &Seen, now: &Seen) -> Vec<String> {
    let mut differing = Vec::new();
    for (part, there) in before {
        let found = now.get(part).cloned().unwrap_or_default();
        differing.extend(found.difference(there).map(|line| format!("{part}: new: {line}")));
        differing.extend(there.difference(&found).map(|line| format!("{part}: gone: {line}")));
    }
    differing
}

/// Of every kind, in the network of this thread.
fn sockets() -> Result<BTreeSet<String>> {
    let mut sockets = BTreeSet::new();
    for kind in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "unix"] {
        let Ok(lines) = fs::read_to_string(format!("/proc/thread-self/net/{kind}")) else {
            continue;
        };
        sockets.extend(lines.lines().skip(1).map(|line| format!("{kind} {line}")));
    }
    Ok(sockets)
}

fn settings() -> Result<BTreeSet<String>> {
    let root = Path::new("/proc/sys");
    let mut files = BTreeSet::new();
    list(root, fs::metadata(root)?.dev(), &mut files)?;
    let mut settings = BTreeSet::new();
    let files = files.into_iter().map(PathBuf::from);
    for path in files.chain([PathBuf::from("/sys/kernel/rcu_expedited")]) {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        if LIVELY.iter().any(|lively| name.starts_with(lively)) {
            continue;
        }
        // Some can only be written.
        if let Ok(value) = fs::read(&path) {
            settings.insert(format!("{name} = {}", String::from_utf8_lossy(&value).trim()));
        }
    }
    Ok(settings)
}

/// Everything below a folder that is in the same file system.
fn list(folder: &Path, device: u64, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // It may have gone meanwhile.
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.dev() != device {
            continue;
        }
        found.insert(path.to_string_lossy().into_owned());
        if metadata.is_dir() {
            list(&path, device, found)?;
        }
    }
    Ok(())
}

/// Numbers and command lines of the processes that were started with this mark.
fn marked(mark: &str) -> Result<Vec<(u32, String)>> {
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end while it is looked at; one that has ended has no environment.
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|byte| *byte == 0).map(OsStr::from_bytes).collect();
            found.push((number, words.join(OsStr::new(" ")).to_string_lossy().into_owned()));
        }
    }
    Ok(found)
}
