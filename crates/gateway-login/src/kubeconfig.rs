//! A kubeconfig in which kubectl finds the gateway: a cluster, a user whose credentials come from `weir`, a context.

use crate::settings::is_https;
use crate::yaml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use thiserror::Error;

/// What is written into a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Of the cluster, the user and the context.
    pub name: String,
    /// The gateway's address, with `/clusters/NAME` where it has one for each.
    pub server: String,
    /// Certificates (PEM) by which the gateway is trusted; the system's if `None`.
    pub authority: Option<Vec<u8>>,
    pub namespace: Option<String>,
    /// The plug-in, and what it is started with.
    pub command: String,
    pub arguments: Vec<String>,
    /// Whether kubectl uses it from now on.
    pub is_current: bool,
}

#[derive(Debug, Error)]
pub enum KubeconfigError {
    #[error("the gateway's address {server} is no https URL")]
    Server { server: String },
    #[error("it is no YAML that can be read")]
    Yaml(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it is no kubeconfig: {what}")]
    NoKubeconfig { what: &'static str },
}

/// A kubeconfig with the access, and all else that was in `existing`; comments are lost, as kubectl loses them.
///
/// # Errors
/// What exists is no kubeconfig, or the access is none.
pub fn kubeconfig(existing: Option<&str>, access: &Access) -> Result<String, KubeconfigError> {
    if !is_https(&access.server) {
        return Err(KubeconfigError::Server { server: access.server.clone() });
    }
    let mut root = match existing.filter(|text| !text.trim().is_empty()) {
        None => Map::new(),
        Some(text) => read(text)?,
    };
    root.entry("apiVersion").or_insert_with(|| json!("v1"));
    root.entry("kind").or_insert_with(|| json!("Config"));
    let name = access.name.as_str();
    put(&mut root, "clusters", &json!({ "name": name, "cluster": cluster(access) }))?;
    put(&mut root, "users", &json!({ "name": name, "user": { "exec": exec(access) } }))?;
    let mut context = json!({ "cluster": name, "user": name });
    if let (Some(namespace), Some(context)) = (&access.namespace, context.as_object_mut()) {
        context.insert("namespace".to_owned(), json!(namespace));
    }
    put(&mut root, "contexts", &json!({ "name": name, "context": context }))?;
    let has_current =
        root.get("current-context").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if access.is_current || !has_current {
        root.insert("current-context".to_owned(), json!(name));
    }
    Ok(yaml::written(&Value::Object(root)))
}

fn read(text: &str) -> Result<Map<String, Value>, KubeconfigError> {
    let what = "its top is no mapping";
    let root: Value =
        serde_saphyr::from_str(text).map_err(|error| KubeconfigError::Yaml(Box::new(error)))?;
    let Value::Object(root) = root else { return Err(KubeconfigError::NoKubeconfig { what }) };
    if root.get("kind").is_some_and(|kind| kind != "Config") {
        return Err(KubeconfigError::NoKubeconfig { what: "its kind is another" });
    }
    Ok(root)
}

fn cluster(access: &Access) -> Value {
    let mut cluster = json!({ "server": access.server });
    if let (Some(pem), Some(cluster)) = (&access.authority, cluster.as_object_mut()) {
        cluster.insert("certificate-authority-data".to_owned(), json!(STANDARD.encode(pem)));
    }
    cluster
}

fn exec(access: &Access) -> Value {
    json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": access.command,
        "args": access.arguments,
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": false,
        "installHint": "weir signs you in to the gateway; put it where your shell finds commands",
    })
}

/// In the place of the entry of the same name, or at the end.
fn put(root: &mut Map<String, Value>, list: &str, entry: &Value) -> Result<(), KubeconfigError> {
    let entries = root.entry(list).or_insert(Value::Null);
    if entries.is_null() {
        *entries = json!([]);
    }
    let what = "its clusters, users or contexts are no list";
    let entries = entries.as_array_mut().ok_or(KubeconfigError::NoKubeconfig { what })?;
    match entries.iter_mut().find(|other| other.get("name") == entry.get("name")) {
        Some(other) => other.clone_from(entry),
        None => entries.push(entry.clone()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn access() -> Access {
        Access {
            name: "prod".to_owned(),
            server: "https://gateway.example:8443/clusters/prod".to_owned(),
            authority: Some(b"PEM".to_vec()),
            namespace: Some("shop".to_owned()),
            command: "weir".to_owned(),
            arguments: ["login", "token", "--issuer", "https://id.example"]
                .map(str::to_owned)
                .to_vec(),
            is_current: false,
        }
    }

    #[test]
    fn a_new_one_has_a_cluster_a_user_and_a_context() {
        expect![[r#"
            apiVersion: "v1"
            clusters:
            - cluster:
                certificate-authority-data: "UEVN"
                server: "https://gateway.example:8443/clusters/prod"
              name: "prod"
            contexts:
            - context:
                cluster: "prod"
                namespace: "shop"
                user: "prod"
              name: "prod"
            current-context: "prod"
            kind: "Config"
            users:
            - name: "prod"
              user:
                exec:
                  apiVersion: "client.authentication.k8s.io/v1"
                  args:
                  - "login"
                  - "token"
                  - "--issuer"
                  - "https://id.example"
                  command: "weir"
                  installHint: "weir signs you in to the gateway; put it where your shell finds commands"
                  interactiveMode: "IfAvailable"
                  provideClusterInfo: false
        "#]]
        .assert_eq(&kubeconfig(None, &access()).unwrap());
    }

    #[test]
    fn what_was_there_stays_and_the_same_name_is_replaced() {
        let existing = "
apiVersion: v1
kind: Config
preferences: {}
current-context: other   # mine
clusters:
- name: other
  cluster: {server: 'https://10.0.0.1:6443', insecure-skip-tls-verify: true}
- name: prod
  cluster: {server: https://old, certificate-authority: /old.pem}
users:
- {name: other, user: {token: \"a: b\\n\", client-key-data: LS0t}}
contexts: null
extensions: [{name: x, extension: {n: 7, list: [], text: 'yes'}}]
";
        let once = kubeconfig(Some(existing), &Access { authority: None, ..access() }).unwrap();
        let read: Value = serde_saphyr::from_str(&once).unwrap();
        let before: Value = serde_saphyr::from_str(existing).unwrap();
        for same in ["preferences", "current-context", "extensions", "kind"] {
            assert_eq!(read[same], before[same], "{same}");
        }
        assert_eq!(read["clusters"][0], before["clusters"][0]);
        assert_eq!(read["users"][0], before["users"][0]);
        assert_eq!(read["clusters"][1]["cluster"], json!({ "server": access().server }));
        assert_eq!(read["clusters"].as_array().unwrap().len(), 2);
        let twice = kubeconfig(Some(&once), &Access { authority: None, ..access() }).unwrap();
        assert_eq!(once, twice);
        let current = kubeconfig(Some(&once), &Access { is_current: true, ..access() }).unwrap();
        let current: Value = serde_saphyr::from_str(&current).unwrap();
        assert_eq!(current["current-context"], "prod");
    }

    #[test]
    fn what_is_no_kubeconfig_is_left_alone() {
        for (text, expected) in [
            ("[]", "it is no kubeconfig: its top is no mapping"),
            ("kind: Pod", "it is no kubeconfig: its kind is another"),
            ("users: 7", "it is no kubeconfig: its clusters, users or contexts are no list"),
            ("a: [", "it is no YAML that can be read"),
        ] {
            let error = kubeconfig(Some(text), &access()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let plain = Access { server: "http://gateway".to_owned(), ..access() };
        let error = kubeconfig(None, &plain).unwrap_err().to_string();
        assert_eq!(error, "the gateway's address http://gateway is no https URL");
    }
}
