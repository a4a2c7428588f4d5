//! What a pod is, at this moment.

use super::{ApiServer, ApiServerError, Question};
use access_model::PodFacts;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    service_account_name: Option<String>,
    containers: Vec<Container>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
}

impl ApiServer {
    /// The pod of this name; `None` where there is none.
    ///
    /// # Errors
    /// No answer, or one about another pod.
    pub async fn pod(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<PodFacts>, ApiServerError> {
        let what = "a pod";
        let path = format!("/api/v1/namespaces/{}/pods/{}", step(namespace)?, step(name)?);
        let Some(pod) = self.find::<Pod>(Question { what, path: &path }).await? else {
            return Ok(None);
        };
        let Metadata { name: found_name, namespace: found_namespace, uid, labels } = pod.metadata;
        if found_name != name || found_namespace != namespace || uid.is_empty() {
            return Err(ApiServerError::Incomplete { what, field: "matching metadata" });
        }
        let names = |containers: Vec<Container>| -> Vec<String> {
            containers.into_iter().map(|container| container.name).collect()
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Some(PodFacts {
            namespace: found_namespace,
            name: found_name,
            uid,
            node: given(pod.spec.node_name),
            service_account: given(pod.spec.service_account_name),
            labels: labels.unwrap_or_default(),
            containers: names(pod.spec.containers),
            init_containers: names(pod.spec.init_containers.unwrap_or_default()),
            ephemeral_containers: names(pod.spec.ephemeral_containers.unwrap_or_default()),
        }))
    }
}

/// A name that is one step of a path and needs no encoding, as those of pods and namespaces.
fn step(text: &str) -> Result<&str, ApiServerError> {
    let is_step = !text.is_empty()
        && text.len() <= 253
        && !text.starts_with('.')
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
        });
    if is_step {
        Ok(text)
    } else {
        Err(ApiServerError::Name { text: text.escape_debug().to_string() })
    }
}
