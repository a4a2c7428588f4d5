//! One line of an audit log (`audit.k8s.io/v1`), as far as it is needed.
//!
//! Everything is optional, as in the API: what a privileged call lacks is decided where calls are put together.

use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What every line is read for: whether it matters, and when it was written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Glance<'line> {
    #[serde(borrow, default)]
    pub(super) kind: Cow<'line, str>,
    #[serde(borrow, default)]
    pub(super) stage: Cow<'line, str>,
    #[serde(borrow, default)]
    pub(super) verb: Cow<'line, str>,
    #[serde(borrow, default)]
    pub(super) object_ref: Option<ObjectRef<'line>>,
    #[serde(borrow, default)]
    pub(super) stage_timestamp: Cow<'line, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ObjectRef<'line> {
    #[serde(borrow)]
    pub(super) resource: Cow<'line, str>,
    #[serde(borrow)]
    pub(super) namespace: Cow<'line, str>,
    #[serde(borrow)]
    pub(super) name: Cow<'line, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'line, str>,
    #[serde(borrow)]
    pub(super) api_group: Cow<'line, str>,
    #[serde(borrow)]
    pub(super) subresource: Cow<'line, str>,
}

/// What a line that matters is read for as well.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(rename = "auditID", default)]
    pub(super) audit_id: String,
    #[serde(rename = "requestURI", default)]
    pub(super) request_uri: String,
    #[serde(default)]
    pub(super) user: AuditUser,
    #[serde(default)]
    pub(super) impersonated_user: Option<AuditUser>,
    #[serde(rename = "sourceIPs", default)]
    pub(super) source_addresses: Vec<String>,
    #[serde(default)]
    pub(super) user_agent: String,
    #[serde(default)]
    pub(super) response_status: Option<ResponseStatus>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) request_received_timestamp: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct AuditUser {
    pub(super) username: String,
    pub(super) uid: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) extra: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ResponseStatus {
    pub(super) status: String,
    pub(super) message: String,
    pub(super) code: u16,
}

/// The body of a pod's creation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Creation {
    #[serde(default)]
    pub(super) request_object: Option<serde_json::Value>,
}
