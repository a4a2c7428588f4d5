//! A request that was recognised: what it asks for, about which object, and what is sent on.

use crate::Verb;

/// What `classify` made of a head.
///
/// **Invariant.** `path` and `query` are written from what was parsed, and say the same to the API server as the
/// other fields say here: what was checked is what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub object: Object,
    pub detail: Detail,
    /// What the API server's authoriser is asked: `get`, `list`, `watch`, `create`, …; of paths that are no
    /// resources, the method in lower case.
    pub action: &'static str,
    /// Whether the answer is a stream of changes.
    pub watch: bool,
    /// Percent-encoded, begins with `/`.
    pub path: String,
    /// Percent-encoded, without `?`; empty where there is none.
    pub query: String,
}

/// Methods other than these are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    Resource(Resource),
    /// A path of the API server itself, such as `/version`.
    Path,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub namespace: Option<String>,
    pub resource: String,
    /// As it is written; of a proxy, scheme and port may be in it. [`Request::pod`] takes them away.
    pub name: Option<String>,
    pub subresource: Option<String>,
}

/// What only this kind of request has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    Exec {
        container: Option<String>,
        /// `command=` of the query in order; never empty.
        command: Vec<String>,
        streams: Streams,
        transport: Transport,
    },
    Attach {
        container: Option<String>,
        streams: Streams,
        transport: Transport,
    },
    PortForward {
        /// `ports=` of the query, which only the oldest protocol uses.
        ports: Vec<u16>,
        transport: Transport,
    },
    Debug,
    Logs {
        container: Option<String>,
        follow: bool,
    },
    Proxy(ProxyTarget),
    /// `path` is what the kubelet is asked.
    NodeProxy(ProxyTarget),
    TokenRequest,
    ServerDebug,
    Api,
}

/// Which streams the client wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streams {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub terminal: bool,
}

/// How the client wants to speak once the connection is no longer HTTP, with the protocols that it offers, in its
/// order. None means that it names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Without those that carry a bearer token.
    WebSocket {
        protocols: Vec<String>,
    },
    Spdy {
        protocols: Vec<String>,
    },
}

/// Where a proxied request goes: `https:web:8443` as a name is scheme, name and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyTarget {
    pub scheme: Option<String>,
    pub name: String,
    /// A number, or the name of a port.
    pub port: Option<String>,
    /// Decoded, begins with `/`; `None` where nothing follows `proxy`, which the API server answers itself.
    pub path: Option<String>,
}

impl Detail {
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Exec { .. } => Verb::Exec,
            Self::Attach { .. } => Verb::Attach,
            Self::PortForward { .. } => Verb::PortForward,
            Self::Debug => Verb::Debug,
            Self::Logs { .. } => Verb::Logs,
            Self::Proxy(_) => Verb::Proxy,
            Self::NodeProxy(_) => Verb::NodeProxy,
            Self::TokenRequest => Verb::TokenRequest,
            Self::ServerDebug => Verb::ServerDebug,
            Self::Api => Verb::Api,
        }
    }
}

impl Request {
    #[must_use]
    pub const fn verb(&self) -> Verb {
        self.detail.verb()
    }

    /// What is written on the request line: `path?query`, after the cluster's base path.
    #[must_use]
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    #[must_use]
    pub const fn resource(&self) -> Option<&Resource> {
        match &self.object {
            Object::Resource(resource) => Some(resource),
            Object::Path => None,
        }
    }

    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.resource().and_then(|resource| resource.namespace.as_deref())
    }

    /// The object's name, without what a proxy adds to it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.detail {
            Detail::Proxy(target) | Detail::NodeProxy(target) => Some(&target.name),
            Detail::Exec { .. }
            | Detail::Attach { .. }
            | Detail::PortForward { .. }
            | Detail::Debug
            | Detail::Logs { .. }
            | Detail::TokenRequest
            | Detail::ServerDebug
            | Detail::Api => self.resource().and_then(|resource| resource.name.as_deref()),
        }
    }

    /// Namespace and name of the pod that a privileged request is about.
    #[must_use]
    pub fn pod(&self) -> Option<(&str, &str)> {
        let resource = self.resource()?;
        let is_pod = resource.group.is_empty() && resource.resource == "pods";
        if !is_pod || self.verb() == Verb::Api {
            return None;
        }
        Some((resource.namespace.as_deref()?, self.name()?))
    }

    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match &self.detail {
            Detail::Exec { container, .. }
            | Detail::Attach { container, .. }
            | Detail::Logs { container, .. } => container.as_deref(),
            Detail::PortForward { .. }
            | Detail::Debug
            | Detail::Proxy(_)
            | Detail::NodeProxy(_)
            | Detail::TokenRequest
            | Detail::ServerDebug
            | Detail::Api => None,
        }
    }

    /// The command line, argument by argument; empty where there is none.
    #[must_use]
    pub fn command(&self) -> &[String] {
        match &self.detail {
            Detail::Exec { command, .. } => command,
            Detail::Attach { .. }
            | Detail::PortForward { .. }
            | Detail::Debug
            | Detail::Logs { .. }
            | Detail::Proxy(_)
            | Detail::NodeProxy(_)
            | Detail::TokenRequest
            | Detail::ServerDebug
            | Detail::Api => &[],
        }
    }

    /// The streams of exec and attach.
    #[must_use]
    pub const fn streams(&self) -> Option<Streams> {
        match &self.detail {
            Detail::Exec { streams, .. } | Detail::Attach { streams, .. } => Some(*streams),
            Detail::PortForward { .. }
            | Detail::Debug
            | Detail::Logs { .. }
            | Detail::Proxy(_)
            | Detail::NodeProxy(_)
            | Detail::TokenRequest
            | Detail::ServerDebug
            | Detail::Api => None,
        }
    }

    /// What exec, attach and port-forward want to speak. All other requests are plain HTTP.
    #[must_use]
    pub const fn transport(&self) -> Option<&Transport> {
        match &self.detail {
            Detail::Exec { transport, .. }
            | Detail::Attach { transport, .. }
            | Detail::PortForward { transport, .. } => Some(transport),
            Detail::Debug
            | Detail::Logs { .. }
            | Detail::Proxy(_)
            | Detail::NodeProxy(_)
            | Detail::TokenRequest
            | Detail::ServerDebug
            | Detail::Api => None,
        }
    }

    #[must_use]
    pub fn terminal(&self) -> bool {
        self.streams().is_some_and(|streams| streams.terminal)
    }

    /// Whether it may change something, by its method. Reviews, which are asked by POST and change nothing,
    /// count as well: telling them apart would be a guess about API servers that are not known here.
    #[must_use]
    pub const fn mutates(&self) -> bool {
        match self.method {
            Method::Get | Method::Head | Method::Options => false,
            Method::Post | Method::Put | Method::Patch | Method::Delete => true,
        }
    }

    /// Whether the bodies of request or answer are secrets by what they are, and never recorded.
    #[must_use]
    pub fn bodies_are_secret(&self) -> bool {
        let Some(Resource { group, resource, .. }) = self.resource() else {
            return self.verb() == Verb::ServerDebug;
        };
        self.verb() == Verb::TokenRequest
            || (group.is_empty() && resource == "secrets")
            || (group == "authentication.k8s.io" && resource == "tokenreviews")
    }

    /// The creation of pods, or of what makes pods: what to ask `privileges` of.
    #[must_use]
    pub fn brings_pods(&self) -> bool {
        let Some(Resource { group, resource, subresource: None, .. }) = self.resource() else {
            return false;
        };
        let resources: &[&str] = match group.as_str() {
            "" => &["pods", "podtemplates", "replicationcontrollers"],
            "apps" => &["daemonsets", "deployments", "replicasets", "statefulsets"],
            "batch" => &["cronjobs", "jobs"],
            _ => &[],
        };
        resources.contains(&resource.as_str()) && self.mutates() && self.method != Method::Delete
    }

    /// What the API server's authoriser must allow the caller for the request to go on.
    ///
    /// Exec, attach and port-forward ask for `create` whatever the method: API servers before 1.35 let `get` be
    /// enough for those that come as WebSocket.
    #[must_use]
    pub fn review(&self) -> Review<'_> {
        let action = match self.verb() {
            Verb::Exec | Verb::Attach | Verb::PortForward => "create",
            Verb::Debug
            | Verb::Logs
            | Verb::Proxy
            | Verb::NodeProxy
            | Verb::TokenRequest
            | Verb::ServerDebug
            | Verb::Api => self.action,
        };
        match &self.object {
            Object::Resource(resource) => Review::Resource { action, resource },
            Object::Path => Review::Path { action, path: &self.path },
        }
    }
}

/// The question of a SubjectAccessReview, without the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review<'request> {
    Resource { action: &'static str, resource: &'request Resource },
    Path { action: &'static str, path: &'request str },
}

impl Method {
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    pub(crate) const fn lower_case(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Options => "options",
        }
    }
}
