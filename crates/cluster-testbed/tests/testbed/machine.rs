//! What a testbed could leave on the machine.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

pub(crate) fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn shell(script: &str) -> String {
    text(&Command::new("bash").args(["-c", script]).output().unwrap())
}

/// What has the testbed's id: processes by their arguments, mounts, control groups, folders.
pub(crate) fn left(id: &str) -> Vec<String> {
    let mut left: Vec<String> = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let entry = entry.unwrap();
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if arguments.contains(id) {
            left.push(arguments);
        }
    }
    let parent = std::env::temp_dir();
    let found = shell(&format!(
        "grep {id} /proc/self/mounts; find /sys/fs/cgroup -name '*{id}*'; ls -d {}/*{id}* 2>/dev/null",
        parent.display()
    ));
    left.extend(found.lines().map(str::to_owned));
    left
}

/// What must be as it was, whatever its values are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Machine(BTreeMap<&'static str, String>);

impl Machine {
    pub(crate) fn now() -> Self {
        let facts = [
            ("mounts", "grep -E ' (/run|/var/l[a-z]*|/proc/sys)[^ ]* ' /proc/self/mounts"),
            ("links", "ip -o link | grep -E 'node[0-9]|cni0|br0'; ip netns"),
            (
                "settings",
                "cd /proc/sys; head vm/overcommit_memory vm/panic_on_oom kernel/panic* kernel/keys/root_max*",
            ),
            (
                "files",
                "find /var/lib/cni /var/lib/kubelet /var/log/containers /var/log/pods /usr/libexec/kubernetes \
                 /etc/cni /opt/cni /opt/containerd /run/containerd /run/nri -printf '%p %T@\\n' 2>/dev/null",
            ),
        ];
        Self(facts.into_iter().map(|(name, script)| (name, shell(script))).collect())
    }
}
