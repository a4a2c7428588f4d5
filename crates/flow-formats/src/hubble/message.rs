//! The messages of Hubble's API that a flow needs, with the names of the `.proto` files.
//!
//! The JSON mapping of proto3 lets a writer choose between a field's own name and its camel case, writes
//! 64-bit integers as text, and leaves out what is zero: a reader takes all of that.

use crate::record::Time;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) flow: Option<Box<Message<'a>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "lostEvents")]
    pub(super) lost_events: Option<LostEvents>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "nodeStatus")]
    pub(super) node_status: Option<Value>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", alias = "nodeName")]
    pub(super) node_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Time>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct LostEvents {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(default, alias = "numEventsLost")]
    pub(super) num_events_lost: Integer,
}

/// `flow.Flow`.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) emitter: Option<Emitter>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) verdict: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "dropReason")]
    pub(super) drop_reason: Option<u32>,
    #[serde(borrow, default, rename = "IP", skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<Ip<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) l4: Option<Layer4>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Endpoint<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<Endpoint<'a>>,
    #[serde(borrow, default, rename = "Type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", alias = "nodeName")]
    pub(super) node_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) l7: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "eventType")]
    pub(super) event_type: Option<EventType>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", alias = "sourceService")]
    pub(super) source_service: Option<Service<'a>>,
    #[serde(
        borrow,
        default,
        skip_serializing_if = "Option::is_none",
        alias = "destinationService"
    )]
    pub(super) destination_service: Option<Service<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", alias = "trafficDirection")]
    pub(super) traffic_direction: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "policyMatchType")]
    pub(super) policy_match_type: Option<u32>,
    #[serde(
        borrow,
        default,
        skip_serializing_if = "Option::is_none",
        alias = "traceObservationPoint"
    )]
    pub(super) trace_observation_point: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", alias = "traceReason")]
    pub(super) trace_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", alias = "dropReasonDesc")]
    pub(super) drop_reason_desc: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "isReply")]
    pub(super) is_reply: Option<bool>,
    #[serde(default, rename = "Summary", skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) extensions: Option<Value>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty", alias = "egressAllowedBy")]
    pub(super) egress_allowed_by: Vec<Policy<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty", alias = "ingressAllowedBy")]
    pub(super) ingress_allowed_by: Vec<Policy<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty", alias = "egressDeniedBy")]
    pub(super) egress_denied_by: Vec<Policy<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty", alias = "ingressDeniedBy")]
    pub(super) ingress_denied_by: Vec<Policy<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", alias = "policyLog")]
    pub(super) policy_log: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Emitter {
    pub(super) name: String,
    pub(super) version: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Ip<'a> {
    #[serde(borrow, default)]
    pub(super) source: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) destination: Cow<'a, str>,
    #[serde(borrow, default, rename = "ipVersion", skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Cow<'a, str>>,
}

/// One of them is there. VRRP and IGMP are not read.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Layer4 {
    #[serde(default, rename = "TCP", skip_serializing_if = "Option::is_none")]
    pub(super) tcp: Option<Segment>,
    #[serde(default, rename = "UDP", skip_serializing_if = "Option::is_none")]
    pub(super) udp: Option<Segment>,
    #[serde(default, rename = "SCTP", skip_serializing_if = "Option::is_none")]
    pub(super) sctp: Option<Segment>,
    #[serde(default, rename = "ICMPv4", skip_serializing_if = "Option::is_none")]
    pub(super) icmp_v4: Option<Icmp>,
    #[serde(default, rename = "ICMPv6", skip_serializing_if = "Option::is_none")]
    pub(super) icmp_v6: Option<Icmp>,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Segment {
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "sourcePort")]
    pub(super) source_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "destinationPort")]
    pub(super) destination_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) flags: Option<Flags>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Icmp {
    #[serde(default, rename = "type")]
    pub(super) kind: u8,
    #[serde(default)]
    pub(super) code: u8,
}

/// The names of the flags that are set, as fields that are true.
pub(super) struct Flags(pub(super) u8);

#[derive(Serialize, Deserialize)]
pub(super) struct Endpoint<'a> {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) identity: u32,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub(super) namespace: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<String>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty", alias = "podName")]
    pub(super) pod_name: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub(super) workloads: Vec<Workload<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Workload<'a> {
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) kind: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Service<'a> {
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) namespace: Cow<'a, str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct EventType {
    #[serde(default, rename = "type")]
    pub(super) kind: i32,
    #[serde(default, skip_serializing_if = "is_no_sub_type", alias = "subType")]
    pub(super) sub_type: i32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Policy<'a> {
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub(super) namespace: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<Integer>,
    #[serde(borrow, default)]
    pub(super) kind: Cow<'a, str>,
}

/// 64 bits, which JSON has as text.
#[derive(Clone, Copy, Default)]
pub(super) struct Integer(pub(super) u64);

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_no_sub_type(number: &i32) -> bool {
    *number == 0
}

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_u64(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number.map(Self).ok_or_else(|| D::Error::custom("expected a 64-bit integer"))
    }
}

impl Flags {
    pub(super) const NAMES: [&'static str; 8] =
        ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let bits = self.0;
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| bits >> bit & 1 == 1)
            .map(|f| f.1)
    }
}

impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names().map(|name| (name, true)))
    }
}

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let set = std::collections::BTreeMap::<String, bool>::deserialize(deserializer)?;
        let bit = |(bit, name): (usize, &&str)| u8::from(set.get(*name) == Some(&true)) << bit;
        Ok(Self(Self::NAMES.iter().enumerate().map(bit).sum()))
    }
}
