//! The resources of the core group, `/api/v1`: the only one whose sub-resources reach into containers and nodes,
//! and therefore the only one that is listed in full. One that is not in here is refused.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Cluster,
    Namespaced,
}

pub(crate) struct CoreResource {
    pub(crate) name: &'static str,
    pub(crate) scope: Scope,
    pub(crate) subresources: &'static [&'static str],
}

const fn cluster(name: &'static str, subresources: &'static [&'static str]) -> CoreResource {
    CoreResource { name, scope: Scope::Cluster, subresources }
}

const fn namespaced(name: &'static str, subresources: &'static [&'static str]) -> CoreResource {
    CoreResource { name, scope: Scope::Namespaced, subresources }
}

const RESOURCES: [CoreResource; 17] = [
    namespaced("bindings", &[]),
    cluster("componentstatuses", &[]),
    namespaced("configmaps", &[]),
    namespaced("endpoints", &[]),
    namespaced("events", &[]),
    namespaced("limitranges", &[]),
    cluster("namespaces", &["finalize", "status"]),
    cluster("nodes", &["proxy", "status"]),
    namespaced("persistentvolumeclaims", &["status"]),
    cluster("persistentvolumes", &["status"]),
    namespaced(
        "pods",
        &[
            "attach",
            "binding",
            "ephemeralcontainers",
            "eviction",
            "exec",
            "log",
            "portforward",
            "proxy",
            "resize",
            "status",
        ],
    ),
    namespaced("podtemplates", &[]),
    namespaced("replicationcontrollers", &["scale", "status"]),
    namespaced("resourcequotas", &["status"]),
    namespaced("secrets", &[]),
    namespaced("serviceaccounts", &["token"]),
    namespaced("services", &["proxy", "status"]),
];

pub(crate) fn find(name: &str) -> Option<&'static CoreResource> {
    RESOURCES.iter().find(|resource| resource.name == name)
}
