//! What the cluster says of a pod, and what a pod that is to be created would be given.

use std::collections::BTreeMap;

/// A pod as it was when a session was asked for. Names are given again, UIDs are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFacts {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// `None` as long as it is not scheduled.
    pub node: Option<String>,
    pub service_account: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub containers: Vec<String>,
    pub init_containers: Vec<String>,
    pub ephemeral_containers: Vec<String>,
}

impl PodFacts {
    /// The container that is meant where a request names none: the only one. Where there are several, the API
    /// server asks for a name.
    #[must_use]
    pub fn only_container(&self) -> Option<&str> {
        match self.containers.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// What of a pod's specification reaches beyond the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodShape {
    pub host_network: bool,
    pub host_pid: bool,
    pub host_ipc: bool,
    pub node_name: Option<String>,
    pub host_paths: Vec<String>,
    /// All of them: also initial and ephemeral ones.
    pub containers: Vec<ContainerShape>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerShape {
    pub name: String,
    pub privileged: bool,
    pub added_capabilities: Vec<String>,
    pub host_ports: Vec<u16>,
    /// `procMount: Unmasked`.
    pub unmasked_proc: bool,
    /// Its seccomp or AppArmor profile is `Unconfined`, by itself or by the pod.
    pub unconfined: bool,
    /// `windowsOptions.hostProcess`, by itself or by the pod.
    pub host_process: bool,
}

/// A way in which a pod reaches beyond itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    Capabilities,
    HostIpc,
    HostNetwork,
    HostPath,
    HostPid,
    HostPort,
    HostProcess,
    /// The author chooses the node, past the scheduler.
    NodeName,
    Privileged,
    Unconfined,
    UnmaskedProc,
}

/// What is known of the privileges that a request would bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Privileges {
    /// It brings no pods.
    NotAsked,
    /// In order, each once.
    Known(Vec<Privilege>),
    /// It brings pods, but what it says could not be read: it is in a format that is not read here, or changes
    /// something of which the rest is not known.
    Unreadable,
}

impl Privilege {
    pub const ALL: [Self; 11] = [
        Self::Capabilities,
        Self::HostIpc,
        Self::HostNetwork,
        Self::HostPath,
        Self::HostPid,
        Self::HostPort,
        Self::HostProcess,
        Self::NodeName,
        Self::Privileged,
        Self::Unconfined,
        Self::UnmaskedProc,
    ];

    /// The word of configuration and output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::HostIpc => "host-ipc",
            Self::HostNetwork => "host-network",
            Self::HostPath => "host-path",
            Self::HostPid => "host-pid",
            Self::HostPort => "host-port",
            Self::HostProcess => "host-process",
            Self::NodeName => "node-name",
            Self::Privileged => "privileged",
            Self::Unconfined => "unconfined",
            Self::UnmaskedProc => "unmasked-proc",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|privilege| privilege.word() == word)
    }
}

impl PodShape {
    /// In order, each once.
    #[must_use]
    pub fn privileges(&self) -> Vec<Privilege> {
        Privilege::ALL.into_iter().filter(|privilege| self.has(*privilege)).collect()
    }

    fn has(&self, privilege: Privilege) -> bool {
        let any = |test: fn(&ContainerShape) -> bool| self.containers.iter().any(test);
        match privilege {
            Privilege::Capabilities => any(|container| !container.added_capabilities.is_empty()),
            Privilege::HostIpc => self.host_ipc,
            Privilege::HostNetwork => self.host_network,
            Privilege::HostPath => !self.host_paths.is_empty(),
            Privilege::HostPid => self.host_pid,
            Privilege::HostPort => any(|container| !container.host_ports.is_empty()),
            Privilege::HostProcess => any(|container| container.host_process),
            Privilege::NodeName => self.node_name.is_some(),
            Privilege::Privileged => any(|container| container.privileged),
            Privilege::Unconfined => any(|container| container.unconfined),
            Privilege::UnmaskedProc => any(|container| container.unmasked_proc),
        }
    }
}
