//! Pods that were brought with privileges: no session, but what makes one needless.

use access_model::{ContainerShape, PodShape, Privilege};
use serde_json::Value;
use std::collections::BTreeMap;

/// Creations of pods that reach beyond themselves, by who created them where, and with which privileges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BroughtPods {
    /// The number of pods, and the name of one, by user, namespace and privileges.
    pub privileged: BTreeMap<(String, String, Vec<Privilege>), (u64, String)>,
    /// Creations whose bodies the log does not have.
    pub unseen: u64,
}

impl BroughtPods {
    pub(super) fn add(&mut self, user: &str, namespace: &str, body: Option<&Value>) {
        let Some(pod) = body else {
            self.unseen += 1;
            return;
        };
        let privileges = shape(pod).privileges();
        if privileges.is_empty() {
            return;
        }
        let name = text(pod, "/metadata/name").or_else(|| text(pod, "/metadata/generateName"));
        let key = (user.to_owned(), namespace.to_owned(), privileges);
        let found = self.privileged.entry(key).or_insert_with(|| (0, name.unwrap_or_default()));
        found.0 += 1;
    }
}

/// What of a pod reaches beyond it.
pub(crate) fn shape(pod: &Value) -> PodShape {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let containers = lists.iter().flat_map(|list| items(spec, list));
    PodShape {
        host_network: is_true(spec, "/hostNetwork"),
        host_pid: is_true(spec, "/hostPID"),
        host_ipc: is_true(spec, "/hostIPC"),
        node_name: text(spec, "/nodeName"),
        host_paths: items(spec, "volumes")
            .filter_map(|volume| text(volume, "/hostPath/path"))
            .collect(),
        containers: containers.map(|container| container_shape(container, spec)).collect(),
    }
}

fn container_shape(container: &Value, spec: &Value) -> ContainerShape {
    let added = container.pointer("/securityContext/capabilities/add");
    let is_unconfined = |of: &Value| {
        let types =
            ["/securityContext/seccompProfile/type", "/securityContext/appArmorProfile/type"];
        types.iter().any(|path| text(of, path).as_deref() == Some("Unconfined"))
    };
    let is_host_process = |of: &Value| is_true(of, "/securityContext/windowsOptions/hostProcess");
    ContainerShape {
        name: text(container, "/name").unwrap_or_default(),
        privileged: is_true(container, "/securityContext/privileged"),
        added_capabilities: added
            .and_then(Value::as_array)
            .map(|added| added.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
        host_ports: items(container, "ports")
            .filter_map(|port| u16::try_from(port.get("hostPort")?.as_u64()?).ok())
            .collect(),
        unmasked_proc: text(container, "/securityContext/procMount").as_deref() == Some("Unmasked"),
        unconfined: is_unconfined(container) || is_unconfined(spec),
        host_process: is_host_process(container) || is_host_process(spec),
    }
}

fn items<'value>(of: &'value Value, list: &str) -> impl Iterator<Item = &'value Value> {
    of.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn is_true(of: &Value, path: &str) -> bool {
    of.pointer(path).and_then(Value::as_bool) == Some(true)
}

fn text(of: &Value, path: &str) -> Option<String> {
    let text = of.pointer(path)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}
