//! Single values as JSON has them: words for our enums, RFC 3339 for times.

use crate::Problem;
use chrono::{DateTime, SecondsFormat, Utc};
use flow_model::{Cause, FlowVerdict, Report, Timestamp};
use net_types::Protocol;
use policy_model::{Action, Direction, PolicyKind, WorkloadKind};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::str::FromStr as _;

/// `2026-11-21T15:10:31.123456789Z`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Time {
    pub(crate) fn to_text(self, digits: SecondsFormat) -> String {
        const SECOND: u64 = 1_000_000_000;
        let Timestamp(nanoseconds) = self.0;
        let seconds = i64::try_from(nanoseconds / SECOND).unwrap_or_default();
        let rest = u32::try_from(nanoseconds % SECOND).unwrap_or_default();
        DateTime::<Utc>::from_timestamp(seconds, rest)
            .unwrap_or_default()
            .to_rfc3339_opts(digits, true)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        let seconds = u64::try_from(time.timestamp()).ok()?.checked_mul(1_000_000_000)?;
        let nanoseconds = seconds.checked_add(u64::from(time.timestamp_subsec_nanos()))?;
        Some(Self(Timestamp(nanoseconds)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text(SecondsFormat::Nanos))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a time must be RFC 3339, 1970 to 2554"))
    }
}

/// `TCP`, `ICMPV6`, `PROTO-47`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtocolWord(pub(crate) Protocol);

impl Serialize for ProtocolWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProtocolWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Protocol::from_str(&text).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct IcmpLine {
    #[serde(rename = "type")]
    pub(crate) kind: u8,
    pub(crate) code: u8,
}

impl IcmpLine {
    pub(crate) fn of((kind, code): (u8, u8)) -> Self {
        Self { kind, code }
    }

    pub(crate) fn read(self) -> (u8, u8) {
        let Self { kind, code } = self;
        (kind, code)
    }
}

/// From the lowest bit of the header's 14th byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum TcpFlag {
    Fin,
    Syn,
    Rst,
    Psh,
    Ack,
    Urg,
    Ece,
    Cwr,
}

impl TcpFlag {
    const ALL: [Self; 8] =
        [Self::Fin, Self::Syn, Self::Rst, Self::Psh, Self::Ack, Self::Urg, Self::Ece, Self::Cwr];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// `["SYN","ACK"]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpFlags(pub(crate) u8);

impl Serialize for TcpFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(TcpFlag::ALL.iter().filter(|flag| self.0 & flag.bit() != 0))
    }
}

impl<'de> Deserialize<'de> for TcpFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flags = Vec::<TcpFlag>::deserialize(deserializer)?;
        Ok(Self(flags.into_iter().fold(0, |bits, flag| bits | flag.bit())))
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReportWord {
    Opened,
    Active,
    Closed,
    Denied,
    Revoked,
    Refused,
}

impl ReportWord {
    pub(crate) fn of(report: Report) -> (Self, Option<CauseWord>) {
        match report {
            Report::Opened => (Self::Opened, None),
            Report::Active => (Self::Active, None),
            Report::Closed => (Self::Closed, None),
            Report::Denied => (Self::Denied, None),
            Report::Revoked => (Self::Revoked, None),
            Report::Refused(cause) => (Self::Refused, Some(CauseWord(cause))),
        }
    }

    pub(crate) fn read(self, cause: Option<CauseWord>) -> Result<Report, Problem> {
        let report = match (self, cause) {
            (Self::Refused, Some(CauseWord(cause))) => return Ok(Report::Refused(cause)),
            (Self::Refused, None) => return Err(Problem::Missing("cause")),
            (Self::Opened, None) => Report::Opened,
            (Self::Active, None) => Report::Active,
            (Self::Closed, None) => Report::Closed,
            (Self::Denied, None) => Report::Denied,
            (Self::Revoked, None) => Report::Revoked,
            (
                Self::Opened | Self::Active | Self::Closed | Self::Denied | Self::Revoked,
                Some(_),
            ) => {
                let why = "only what is refused has a cause";
                return Err(Problem::Impossible { field: "cause", why });
            }
        };
        Ok(report)
    }
}

/// The spelling of [`Cause::code`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct CauseWord(pub(crate) Cause);

impl Serialize for CauseWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code())
    }
}

impl<'de> Deserialize<'de> for CauseWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let cause = Cause::ALL.into_iter().find(|cause| cause.code() == text);
        cause.map(Self).ok_or_else(|| D::Error::custom(format!("unknown cause `{text}`")))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Direction", rename_all = "lowercase")]
pub(crate) enum DirectionWord {
    Ingress,
    Egress,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "FlowVerdict", rename_all = "lowercase")]
pub(crate) enum VerdictWord {
    Allow,
    Deny,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Action")]
pub(crate) enum ActionWord {
    Accept,
    Deny,
    Pass,
}

#[expect(clippy::enum_variant_names, reason = "the kinds of the API are called so")]
#[derive(Serialize, Deserialize)]
#[serde(remote = "PolicyKind")]
pub(crate) enum PolicyKindWord {
    NetworkPolicy,
    ClusterNetworkPolicy,
    AdminNetworkPolicy,
    BaselineAdminNetworkPolicy,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "WorkloadKind")]
pub(crate) enum WorkloadKindWord {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Job,
    CronJob,
    Pod,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nanoseconds_and_are_read_in_any_zone() {
        let text = "2026-11-21T15:10:31.000000009Z";
        let time = Time::parse(text).unwrap();
        assert_eq!(time.to_text(SecondsFormat::Nanos), text);
        assert_eq!(Time::parse("2026-11-21T16:10:31.000000009+01:00").unwrap().0, time.0);
        assert_eq!(
            Time(Timestamp(u64::MAX)).to_text(SecondsFormat::Nanos),
            "2554-07-21T23:34:33.709551615Z"
        );
        for text in ["1969-12-31T23:59:59Z", "2555-01-01T00:00:00Z", "2026-11-21", ""] {
            assert!(Time::parse(text).is_none(), "{text}");
        }
    }
}
