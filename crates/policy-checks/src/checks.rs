//! One check a file, in the order of their codes.

pub(crate) mod and_or_peers;
pub(crate) mod block_covers_pods;
pub(crate) mod dns_egress_without_tcp;
pub(crate) mod duplicate_policy;
pub(crate) mod duplicate_rule;
pub(crate) mod entry_backend_denied;
pub(crate) mod entry_backend_missing;
pub(crate) mod half_open;
pub(crate) mod host_network_subject;
pub(crate) mod internet_egress;
pub(crate) mod missing_dns_egress;
pub(crate) mod named_port_unserved;
pub(crate) mod namespace_label_unmatched;
pub(crate) mod not_isolated;
pub(crate) mod peer_matches_nothing;
pub(crate) mod policy_in_empty_namespace;
pub(crate) mod port_unserved;
pub(crate) mod profile_dependent;
pub(crate) mod same_priority_order;
pub(crate) mod service_target_port_unserved;
pub(crate) mod service_unreachable;
pub(crate) mod service_without_endpoints;
pub(crate) mod shadowed_rule;
pub(crate) mod unknown_namespace;
pub(crate) mod unselected_policy;
pub(crate) mod world_open_ingress;
