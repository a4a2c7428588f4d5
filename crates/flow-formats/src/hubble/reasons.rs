//! Why something was dropped, in Hubble's words. Where it has none of its own the nearest one stands for
//! it, and ours is under `extensions`.

use flow_model::Cause;

/// Hubble's name and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason(pub(super) &'static str, pub(super) u8);

/// No rule allowed it.
pub(super) const DEFAULT_DENY: Reason = Reason("POLICY_DENIED", 133);
/// A rule denied it.
pub(super) const DENIED_BY_RULE: Reason = Reason("POLICY_DENY", 181);

pub(super) fn of(cause: Cause) -> Reason {
    match cause {
        Cause::NoPolicyYet | Cause::Tables => {
            Reason("NO_CONFIGURATION_AVAILABLE_TO_PERFORM_POLICY_DECISION", 165)
        }
        Cause::NotOwnAddress => Reason("INVALID_SOURCE_IP", 132),
        Cause::Malformed => Reason("INVALID_PACKET_DROPPED", 134),
        Cause::Truncated => Reason("CT_TRUNCATED_OR_INVALID_HEADER", 135),
        Cause::UnknownEthertype => Reason("UNSUPPORTED_L2_PROTOCOL", 166),
        Cause::Vlan => Reason("VLAN_FILTERED", 182),
        Cause::UnknownExtension => Reason("INVALID_IPV6_EXTENSION_HEADER", 156),
        Cause::Fragment => Reason("FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND", 175),
        Cause::NotConnected | Cause::IcmpUnrelated => {
            Reason("UNKNOWN_CONNECTION_TRACKING_STATE", 163)
        }
        Cause::LinkLocal => Reason("FORBIDDEN_ICMPV6_MESSAGE", 176),
        Cause::ConnectionsFull | Cause::PodQuota => Reason("CT_MAP_INSERTION_FAILED", 155),
        Cause::ServiceUndecided => Reason("SERVICE_BACKEND_NOT_FOUND", 158),
    }
}

/// The first cause that Hubble's word stands for.
pub(super) fn cause(name: &str) -> Option<Cause> {
    Cause::ALL.into_iter().find(|cause| of(*cause).0 == name)
}
