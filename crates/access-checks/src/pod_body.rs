//! Which privileges a request's body would give to a pod.
//!
//! JSON is read, as whole objects and as patches that look like objects. Everything else that API servers take (YAML,
//! protobuf, CBOR, lists of patch operations) is `Unreadable`: a rule that denies a privilege then applies.

use access_model::{ContainerShape, PodShape, Privileges, Request, Verb};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Bringer {
    metadata: Option<Metadata>,
    spec: Option<Body>,
    template: Option<Template>,
}

/// Of a pod, or of what has a template of one: whichever members are there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    template: Option<Template>,
    job_template: Option<JobTemplate>,
    host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    host_ipc: Option<bool>,
    node_name: Option<String>,
    volumes: Option<Vec<Volume>>,
    security_context: Option<SecurityContext>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
}

#[derive(Deserialize)]
struct Template {
    metadata: Option<Metadata>,
    spec: Option<Box<Body>>,
}

#[derive(Deserialize)]
struct JobTemplate {
    spec: Option<Box<Body>>,
}

#[derive(Deserialize)]
struct Metadata {
    annotations: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    host_path: Option<HostPath>,
}

#[derive(Deserialize)]
struct HostPath {
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: Option<String>,
    ports: Option<Vec<Port>>,
    security_context: Option<SecurityContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    host_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecurityContext {
    privileged: Option<bool>,
    capabilities: Option<Capabilities>,
    proc_mount: Option<String>,
    seccomp_profile: Option<Profile>,
    app_armor_profile: Option<Profile>,
    windows_options: Option<WindowsOptions>,
}

#[derive(Deserialize)]
struct Capabilities {
    add: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WindowsOptions {
    host_process: Option<bool>,
}

/// What the body of this request would give to pods. A patch is read as what it adds; what is there already was
/// judged when it came, and the directives of strategic merge patches (`$patch: delete`) only take away.
#[must_use]
pub fn privileges(request: &Request, body: &[u8]) -> Privileges {
    if !request.brings_pods() && request.verb() != Verb::Debug {
        return Privileges::NotAsked;
    }
    // A list of patch operations is JSON, too, but says nothing of what it makes.
    match serde_json::from_slice::<Bringer>(body) {
        Ok(bringer) => Privileges::Known(shape(bringer).privileges()),
        Err(_) => Privileges::Unreadable,
    }
}

fn shape(bringer: Bringer) -> PodShape {
    let mut shape = PodShape::default();
    let Bringer { metadata, spec, template } = bringer;
    let unconfined = metadata.as_ref().is_some_and(is_unconfined);
    if let Some(spec) = spec {
        add_body(spec, unconfined, &mut shape);
    }
    if let Some(template) = template {
        add_template(template, &mut shape);
    }
    shape
}

fn add_template(template: Template, shape: &mut PodShape) {
    let Template { metadata, spec } = template;
    let unconfined = metadata.as_ref().is_some_and(is_unconfined);
    if let Some(spec) = spec {
        add_body(*spec, unconfined, shape);
    }
}

/// Templates cannot be nested deeper than JSON is allowed to be.
fn add_body(body: Body, unconfined: bool, shape: &mut PodShape) {
    shape.host_network |= body.host_network == Some(true);
    shape.host_pid |= body.host_pid == Some(true);
    shape.host_ipc |= body.host_ipc == Some(true);
    shape.node_name = shape.node_name.take().or(body.node_name.filter(|name| !name.is_empty()));
    let paths = body.volumes.into_iter().flatten().filter_map(|volume| volume.host_path);
    shape.host_paths.extend(paths.map(|host_path| host_path.path.unwrap_or_default()));
    let pod = body.security_context.as_ref();
    let containers = [body.containers, body.init_containers, body.ephemeral_containers];
    let containers = containers.into_iter().flatten().flatten();
    shape.containers.extend(containers.map(|container| shape_of(container, pod, unconfined)));
    if let Some(template) = body.template {
        add_template(template, shape);
    }
    if let Some(spec) = body.job_template.and_then(|job| job.spec) {
        add_body(*spec, false, shape);
    }
}

fn shape_of(
    container: Container,
    pod: Option<&SecurityContext>,
    unconfined: bool,
) -> ContainerShape {
    let own = container.security_context.as_ref();
    let either =
        |test: fn(&SecurityContext) -> bool| own.is_some_and(test) || pod.is_some_and(test);
    let added = own.and_then(|context| context.capabilities.as_ref()?.add.clone());
    let ports = container.ports.into_iter().flatten().filter_map(|port| port.host_port);
    ContainerShape {
        name: container.name.unwrap_or_default(),
        privileged: own.is_some_and(|context| context.privileged == Some(true)),
        added_capabilities: added.unwrap_or_default(),
        host_ports: ports.filter(|port| *port > 0).collect(),
        unmasked_proc: own.is_some_and(|context| context.proc_mount.as_deref() == Some("Unmasked")),
        unconfined: unconfined || either(SecurityContext::is_unconfined),
        host_process: either(SecurityContext::is_host_process),
    }
}

impl SecurityContext {
    fn is_unconfined(&self) -> bool {
        let is_open = |profile: &Profile| profile.kind.as_deref() == Some("Unconfined");
        self.seccomp_profile.as_ref().is_some_and(is_open)
            || self.app_armor_profile.as_ref().is_some_and(is_open)
    }

    fn is_host_process(&self) -> bool {
        self.windows_options.as_ref().is_some_and(|options| options.host_process == Some(true))
    }
}

/// Profiles as they were asked for before there were fields for them.
fn is_unconfined(metadata: &Metadata) -> bool {
    metadata.annotations.iter().flatten().any(|(key, value)| {
        key.starts_with("container.apparmor.security.beta.kubernetes.io/")
            && value.as_deref() == Some("unconfined")
    })
}
