//! The JSON of `weir dataplane`; docs/formats.md.

use dataplane::{ConnectionState, PlaneState, PodMode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use uuid::Uuid;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    schema: u32,
    pods: Vec<Pod<'a>>,
    dropped: BTreeMap<&'static str, u64>,
    tables: Vec<Table<'a>>,
    links: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pod<'a> {
    number: u32,
    /// Absent where nobody told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    interface: u32,
    addresses: &'a [IpAddr],
    open_until_policy: bool,
    /// Absent until one is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    connections: u32,
}

#[derive(Serialize)]
struct Policy {
    mode: &'static str,
    ingress: u16,
    egress: u16,
    generation: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Table<'a> {
    name: &'a str,
    entries: usize,
    max_entries: u32,
    bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Dump {
    connections: Vec<Connection>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    pod: u32,
    local: IpAddr,
    local_port: u16,
    remote: IpAddr,
    remote_port: u16,
    protocol: String,
    opened_by_pod: bool,
    packets_in: u64,
    packets_out: u64,
    bytes_in: u64,
    bytes_out: u64,
}

pub(super) fn mode(mode: PodMode) -> &'static str {
    match mode {
        PodMode::Enforce => "enforce",
        PodMode::Observe => "observe",
    }
}

fn uid(bytes: [u8; 16]) -> Option<String> {
    let uid = Uuid::from_bytes(bytes);
    (!uid.is_nil()).then(|| uid.to_string())
}

impl<'a> Status<'a> {
    pub(super) fn of(state: &'a PlaneState) -> Self {
        let pods = state.pods.iter().map(|pod| Pod {
            number: pod.number.0,
            uid: uid(pod.interface.uid),
            interface: pod.interface.interface,
            addresses: &pod.interface.addresses,
            open_until_policy: pod.interface.open_until_policy,
            policy: pod.policy.as_ref().map(|policy| Policy {
                mode: mode(policy.mode),
                ingress: policy.ingress,
                egress: policy.egress,
                generation: policy.generation,
            }),
            connections: pod.connections,
        });
        let tables = state.tables.iter().map(|table| Table {
            name: &table.name,
            entries: table.entries,
            max_entries: table.max_entries,
            bytes: table.bytes,
        });
        Self {
            schema: state.schema,
            pods: pods.collect(),
            dropped: state.counters.iter().copied().collect(),
            tables: tables.collect(),
            links: &state.links,
        }
    }
}

impl Dump {
    pub(super) fn of(connections: &[ConnectionState]) -> Self {
        let connection = |of: &ConnectionState| {
            let ([packets_in, packets_out], [bytes_in, bytes_out]) = (of.packets, of.bytes);
            Connection {
                pod: of.pod.0,
                local: of.local.0,
                local_port: of.local.1,
                remote: of.remote.0,
                remote_port: of.remote.1,
                protocol: of.protocol.to_string(),
                opened_by_pod: of.opened_by_pod,
                packets_in,
                packets_out,
                bytes_in,
                bytes_out,
            }
        };
        Self { connections: connections.iter().map(connection).collect() }
    }
}
