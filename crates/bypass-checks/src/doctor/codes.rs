//! The names of what the doctor finds.

use finding_model::Code;

pub(super) const POLICY_MISSING: Code = Code("gateway-policy-missing");
pub(super) const POLICY_CHANGED: Code = Code("gateway-policy-changed");
pub(super) const POLICY_OBSERVES: Code = Code("gateway-policy-only-observes");
pub(super) const EXEMPT: Code = Code("gateway-policy-exemptions");
pub(super) const ALL_RIGHTS: Code = Code("may-do-everything");
pub(super) const KUBELET: Code = Code("may-reach-kubelets");
pub(super) const CHANGE_POLICY: Code = Code("may-change-gateway-policy");
pub(super) const FORGE: Code = Code("may-forge-sessions");
pub(super) const BE_BREAK_GLASS: Code = Code("may-be-break-glass");
pub(super) const BE_GATEWAY: Code = Code("may-be-gateway");
pub(super) const ISSUE: Code = Code("may-issue-certificates");
pub(super) const GRANT: Code = Code("may-grant-rights");
pub(super) const REACH_NODES: Code = Code("may-run-host-pods");
pub(super) const HOST_PODS: Code = Code("host-pods");
pub(super) const STATIC_PODS: Code = Code("static-pods");
pub(super) const INCOMPLETE: Code = Code("cluster-objects-incomplete");
pub(super) const NOT_SEEN: Code = Code("ways-not-looked-at");

/// All of them.
pub const DOCTOR_CODES: [Code; 17] = [
    POLICY_MISSING,
    POLICY_CHANGED,
    POLICY_OBSERVES,
    EXEMPT,
    ALL_RIGHTS,
    KUBELET,
    CHANGE_POLICY,
    FORGE,
    BE_BREAK_GLASS,
    BE_GATEWAY,
    ISSUE,
    GRANT,
    REACH_NODES,
    HOST_PODS,
    STATIC_PODS,
    INCOMPLETE,
    NOT_SEEN,
];
