//! What this machine's kernel offers, found out by trying: each thing is made in namespaces of its own, which
//! go with the process that tries.

use crate::agent::chain;
use crate::error::LabError;
use crate::wire::{read_line, write_line};
use dataplane::{Hook, NodePlane, Options, PodInterface};
use net_fabric::{Namespace, rules, spawn_apart};
use serde::{Deserialize, Serialize};
use std::io::{self, BufReader};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a part of Weir needs of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `tcx`, for programs.
    pub code: String,
    pub name: String,
    pub state: CheckState,
    /// What was found, or why it is missing.
    pub found: String,
    /// What its lack costs.
    pub cost: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    Present,
    /// Weir works, with less.
    Missing,
    /// Nothing can be enforced here.
    Fatal,
    /// What it needs is missing.
    NotTried,
}

/// Codes, names and what their lack costs; the first ones are needed by all others.
const CHECKS: [(&str, &str, &str, CheckState); 8] = [
    (
        "privileges",
        "rights to make networks and load programs",
        "no lab, and nothing is enforced: run it as root",
        CheckState::Fatal,
    ),
    (
        "user-namespace",
        "networks without rights, in a user namespace",
        "somebody who is not root cannot make networks either",
        CheckState::Missing,
    ),
    (
        "bpf-file-system",
        "a file system for pins",
        "enforcement would end with the process, so there is none",
        CheckState::Fatal,
    ),
    (
        "tcx",
        "programs at interfaces by tcx (Linux 6.6)",
        "use --hook clsact: others can remove the programs, which an agent puts back within a second",
        CheckState::Missing,
    ),
    (
        "clsact",
        "programs at interfaces by clsact",
        "no way to enforce where tcx is missing too",
        CheckState::Missing,
    ),
    (
        "backends",
        "egress through Services decided by the real backend",
        "a Service's address is decided like any other: rules for its pods do not allow it",
        CheckState::Missing,
    ),
    (
        "packet-filter",
        "Services by the packet filter (the program nft)",
        "labs have no Services; install nftables",
        CheckState::Missing,
    ),
    ("ipv6", "IPv6", "labs have IPv4 alone", CheckState::Missing),
];

type Found = Result<String, String>;

/// Tries everything. `command` runs [`examine_inside`] and is started in namespaces of its own; `without_rights`
/// runs [`examine_as_user`].
pub fn examine(
    command: &mut Command,
    without_rights: &mut Command,
) -> Result<Vec<Check>, LabError> {
    let failed = |source| LabError::Process { what: "hear what was found", source };
    let (mut child, privileges) = match net_fabric::lack() {
        None => {
            let child = spawn_apart(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
            (child, Ok("root's, or enough of them".to_owned()))
        }
        Some(lack) => {
            let command = without_rights.stdin(Stdio::null()).stdout(Stdio::piped());
            let source = |source| LabError::Process { what: "try without rights", source };
            (command.spawn().map_err(source)?, Err(format!("missing: {lack}")))
        }
    };
    let mut found = Vec::new();
    if privileges.is_ok() {
        found.push(("user-namespace".to_owned(), Ok("not needed".to_owned())));
    }
    found.push(("privileges".to_owned(), privileges));
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        while let Some(more) = read_line::<(String, Found)>(&mut output).map_err(failed)? {
            found.push(more);
        }
    }
    child.wait().map_err(failed)?;
    Ok(checks(&found))
}

/// What was not said was not tried.
fn checks(found: &[(String, Found)]) -> Vec<Check> {
    let check = |(code, name, cost, lack): &(&str, &str, &str, CheckState)| {
        let found = found.iter().find(|(of, _)| of == code).map(|(_, found)| found);
        let (state, found) = match found {
            Some(Ok(found)) => (CheckState::Present, found.clone()),
            Some(Err(why)) => (*lack, why.clone()),
            None => (CheckState::NotTried, "not tried, because of what is missing".to_owned()),
        };
        let (code, name, cost) = ((*code).to_owned(), (*name).to_owned(), (*cost).to_owned());
        Check { code, name, state, found, cost }
    };
    CHECKS.iter().map(check).collect()
}

fn say(code: &str, found: Found) -> Result<(), LabError> {
    write_line(&mut io::stdout().lock(), &(code, found))
        .map_err(|source| LabError::Process { what: "say what was found", source })
}

/// Tries what somebody without rights can do, who is root of a user namespace; says what it found. The process
/// must have one thread.
pub fn examine_as_user() -> Result<(), LabError> {
    let made = net_fabric::become_root_of_user_namespace();
    let is_made = made.is_ok();
    let found =
        made.map(|()| "made; networks can be made in it, and no programs loaded".to_owned());
    say("user-namespace", found.map_err(|error| chain(&error)))?;
    if is_made { examine_network() } else { Ok(()) }
}

/// Tries each thing, in namespaces that nobody else is in, and says on standard output what it found.
pub fn examine_inside() -> Result<(), LabError> {
    net_fabric::become_private()?;
    let root = Path::new("/sys/fs/bpf");
    let mounted = net_fabric::mount_bpf(root);
    let has_pins = mounted.is_ok();
    say("bpf-file-system", mounted.map(|()| "mounted".to_owned()).map_err(|e| chain(&e)))?;
    if has_pins {
        let tcx = attached(&root.join("tcx"), Hook::Tcx);
        let clsact = attached(&root.join("clsact"), Hook::Clsact);
        let worked = [&tcx, &clsact].into_iter().flatten().next();
        let backends = worked.map(|(_, sees)| *sees);
        say("tcx", tcx.map(|(took, _)| took))?;
        say("clsact", clsact.map(|(took, _)| took))?;
        if let Some(sees) = backends {
            let why = "the kernel's type information has no connection tracking of its own";
            let found = if sees { Ok("by a netfilter link behind DNAT") } else { Err(why) };
            say("backends", found.map(str::to_owned).map_err(str::to_owned))?;
        }
    }
    examine_network()
}

fn examine_network() -> Result<(), LabError> {
    let filter = Namespace::of_this_thread().and_then(|own| rules::load(&own, PACKET_FILTER));
    say("packet-filter", filter.map(|()| "rules are taken".to_owned()).map_err(|e| chain(&e)))?;
    let ipv6 = UdpSocket::bind(("::", 0)).map(|_socket| "sockets are made".to_owned());
    say("ipv6", ipv6.map_err(|error| error.to_string()))
}

const PACKET_FILTER: &str = "table inet weir_doctor {\n  chain arriving {\n    \
    type nat hook prerouting priority -100\n    \
    ip daddr 192.0.2.1 tcp dport 80 dnat ip to numgen random mod 1 map { 0 : 192.0.2.2 . 80 }\n  }\n}\n";

/// The whole data plane, at the loopback interface; how long it took, and whether it sees backends.
fn attached(root: &Path, hook: Hook) -> Result<(String, bool), String> {
    const LOOPBACK: u32 = 1;
    let start = Instant::now();
    let options =
        Options { hook, max_addresses: 1024, max_connections: 1024, ..Options::default() };
    let mut plane = NodePlane::open(root, &options).map_err(|error| chain(&error))?;
    let pod = PodInterface {
        interface: LOOPBACK,
        addresses: vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))],
        open_until_policy: false,
        uid: [0; 16],
    };
    plane.add_pod(&pod).map_err(|error| error.to_string())?;
    let took = format!("loaded and attached in {} ms", start.elapsed().as_millis());
    let sees = plane.sees_backends();
    plane.detach().map_err(|error| error.to_string())?;
    Ok((took, sees))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_is_said() {
        let found = [
            ("privileges".to_owned(), Ok("root's".to_owned())),
            ("tcx".to_owned(), Err("no such thing".to_owned())),
        ];
        let states: Vec<CheckState> = checks(&found).iter().map(|check| check.state).collect();
        assert_eq!(
            states.get(..5),
            Some(
                &[
                    CheckState::Present,
                    CheckState::NotTried,
                    CheckState::NotTried,
                    CheckState::Missing,
                    CheckState::NotTried,
                ][..]
            )
        );
    }
}
