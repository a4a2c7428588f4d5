//! Who is calling.

use std::collections::BTreeMap;

/// A caller whose proof was checked. Names are those that the cluster's RBAC knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub user: String,
    pub uid: Option<String>,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
    pub proof: Proof,
    /// Seconds since 1970 (UTC) at which the proof ends; sessions do not outlive it unless configured.
    pub expires_at: Option<i64>,
}

/// How the caller proved who it is. Digests are lower-case hexadecimal SHA-256, so that a log never holds what
/// could be used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    ClientCertificate { fingerprint: String },
    OidcToken { issuer: String, subject: String, digest: String },
    ServiceAccountToken { digest: String },
}
