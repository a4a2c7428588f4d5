//! One end of a connection as JSON has it.

use super::words::WorkloadKindWord;
use crate::Problem;
use flow_model::{End, Identity, PodIdentity};
use policy_model::{Labels, WorkloadKind, WorkloadRef};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub(crate) struct EndLine<'a> {
    kind: EndKind,
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    workload: Option<WorkloadLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Cow<'a, BTreeMap<String, String>>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    node: Option<Cow<'a, str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EndKind {
    Pod,
    Node,
    Service,
    Outside,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct WorkloadLine<'a> {
    #[serde(with = "WorkloadKindWord")]
    pub(crate) kind: WorkloadKind,
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
}

impl EndKind {
    pub(crate) fn of(identity: &Identity) -> Self {
        match identity {
            Identity::Pod(_) => Self::Pod,
            Identity::Node(_) => Self::Node,
            Identity::Service { .. } => Self::Service,
            Identity::Outside => Self::Outside,
        }
    }
}

impl<'a> EndLine<'a> {
    pub(crate) fn of(end: &'a End) -> Self {
        let End { address, port, identity } = end;
        let kind = EndKind::of(identity);
        let (namespace, name) = match identity {
            Identity::Pod(pod) => (Some(pod.namespace()), Some(pod.name.as_str())),
            Identity::Node(name) => (None, Some(name.as_ref())),
            Identity::Service { namespace, name } => {
                (Some(namespace.as_ref()), Some(name.as_ref()))
            }
            Identity::Outside => (None, None),
        };
        let pod = match identity {
            Identity::Pod(pod) => Some(pod.as_ref()),
            Identity::Node(_) | Identity::Service { .. } | Identity::Outside => None,
        };
        Self {
            kind,
            address: *address,
            port: *port,
            namespace: namespace.map(Cow::Borrowed),
            name: name.map(Cow::Borrowed),
            workload: pod.map(|pod| WorkloadLine {
                kind: pod.workload.kind,
                name: Cow::Borrowed(&pod.workload.name),
            }),
            labels: pod.map(|pod| Cow::Borrowed(&pod.labels.0)),
            node: pod.and_then(|pod| pod.node.as_deref()).map(Cow::Borrowed),
        }
    }

    pub(crate) fn read(self) -> Result<End, Problem> {
        let Self { kind, address, port, namespace, name, workload, labels, node } = self;
        let name = name.ok_or(Problem::Missing("name"));
        let namespace = namespace.ok_or(Problem::Missing("namespace"));
        let identity = match kind {
            EndKind::Outside => Identity::Outside,
            EndKind::Node => Identity::Node(name?.into()),
            EndKind::Service => {
                Identity::Service { namespace: namespace?.into(), name: name?.into() }
            }
            EndKind::Pod => {
                let WorkloadLine { kind, name: owner } =
                    workload.ok_or(Problem::Missing("workload"))?;
                let namespace = namespace?.into_owned();
                Identity::Pod(Arc::new(PodIdentity {
                    name: name?.into_owned(),
                    workload: WorkloadRef { namespace, name: owner.into_owned(), kind },
                    labels: Labels(labels.ok_or(Problem::Missing("labels"))?.into_owned()),
                    node: node.map(Cow::into_owned),
                }))
            }
        };
        Ok(End { address, port, identity })
    }
}
