//! What the cluster's own authorisation says of a caller.

use super::{ApiServer, ApiServerError, Question};
use access_model::{Identity, Review};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The cluster's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    Granted,
    /// With what the authoriser gave as reason; often nothing.
    Refused {
        reason: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectAccessReview<'review> {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec<'review>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'review> {
    user: &'review str,
    groups: &'review [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'review str>,
    extra: &'review BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_attributes: Option<ResourceAttributes<'review>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_resource_attributes: Option<PathAttributes<'review>>,
}

#[derive(Serialize)]
struct ResourceAttributes<'review> {
    verb: &'review str,
    group: &'review str,
    version: &'review str,
    resource: &'review str,
    subresource: &'review str,
    namespace: &'review str,
    name: &'review str,
}

#[derive(Serialize)]
struct PathAttributes<'review> {
    verb: &'review str,
    path: &'review str,
}

#[derive(Deserialize)]
struct Reviewed {
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    allowed: bool,
    denied: bool,
    reason: String,
    evaluation_error: String,
}

impl ApiServer {
    /// Whether the cluster lets this caller do it.
    ///
    /// # Errors
    /// No answer, which is no permission either.
    pub async fn permission(
        &self,
        identity: &Identity,
        review: Review<'_>,
    ) -> Result<Permission, ApiServerError> {
        let what = "a review of an access";
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let asked = SubjectAccessReview {
            api_version: "authorization.k8s.io/v1",
            kind: "SubjectAccessReview",
            spec: spec(identity, review),
        };
        let reviewed: Reviewed = self.create(Question { what, path }, &asked).await?;
        let status = reviewed.status.ok_or(ApiServerError::Incomplete { what, field: "status" })?;
        let Status { allowed, denied, reason, evaluation_error } = status;
        if allowed && !denied {
            return Ok(Permission::Granted);
        }
        let reason = if reason.is_empty() { evaluation_error } else { reason };
        Ok(Permission::Refused { reason })
    }
}

fn spec<'review>(identity: &'review Identity, review: Review<'review>) -> Spec<'review> {
    let (resource_attributes, non_resource_attributes) = match review {
        Review::Path { action, path } => (None, Some(PathAttributes { verb: action, path })),
        Review::Resource { action, resource } => {
            let attributes = ResourceAttributes {
                verb: action,
                group: &resource.group,
                version: &resource.version,
                resource: &resource.resource,
                subresource: resource.subresource.as_deref().unwrap_or_default(),
                namespace: resource.namespace.as_deref().unwrap_or_default(),
                name: resource.name.as_deref().unwrap_or_default(),
            };
            (Some(attributes), None)
        }
    };
    Spec {
        user: &identity.user,
        groups: &identity.groups,
        uid: identity.uid.as_deref(),
        extra: &identity.extra,
        resource_attributes,
        non_resource_attributes,
    }
}
