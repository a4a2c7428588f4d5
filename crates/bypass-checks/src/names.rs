//! What objects and keys are called: the gateway sets them, the policy asks for them, the checks look for them.

/// The key of the extra value that holds a session's id. The gateway puts it beside the caller's name.
pub const SESSION_KEY: &str = "weir.dev/session";
/// The policy that refuses what is not recorded, and its binding.
pub const POLICY: &str = "privileged-sessions.weir.dev";
/// The policy that marks uses of identities which may pass the gateway, and its binding.
pub const BREAK_GLASS_POLICY: &str = "break-glass.weir.dev";
/// Under it the audit log has who broke the glass.
pub const BREAK_GLASS_ANNOTATION: &str = "break-glass.weir.dev/identity";
/// Under it the audit log has which policy a request failed.
pub const FAILURE_ANNOTATION: &str = "validation.policy.admission.k8s.io/validation_failure";
/// As whom the gateway speaks to the API server where nothing else is said.
pub const GATEWAY_IDENTITY: &str = "system:serviceaccount:weir-system:weir-gateway";
/// The gateway's role, the binding of it, and the roles by which it stands for service accounts.
pub const ROLE: &str = "weir-gateway";

pub(crate) const VERSION_ANNOTATION: &str = "weir.dev/policy-version";
/// Raised whenever what is installed changes in what it refuses.
pub(crate) const POLICY_VERSION: &str = "1";
