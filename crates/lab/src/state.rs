//! What a lab is to be: everything that its processes have to agree on, so that each works out the same.

use crate::plan::{Assigned, PlanOptions, Rolled};
use kube_import::{Standing, StandingFile};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use uuid::Uuid;

/// What `up` hands over: the manifests' text, so that all read the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    pub name: String,
    /// Names and texts of the files.
    pub files: Vec<(String, String)>,
    pub keep_going: bool,
    pub nodes: Option<usize>,
    pub replicas: usize,
    pub external: Vec<IpAddr>,
    pub profile: Profile,
    pub pods: PodChoice,
    /// What a node remembers at most; as many as a lab needs, where it is left out.
    pub max_connections: Option<u32>,
}

/// Who reads the policies, where the API leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    Upstream,
    Cilium,
}

/// How pods are treated, all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodChoice {
    /// Nothing is dropped by policy, only reported.
    pub observe: bool,
    /// A pod passes everything until its policy is written, instead of nothing.
    pub fail_open_start: bool,
    /// Established connections outlive a change that denies them.
    pub keep_established: bool,
}

/// Objects that come or go, in a lab that is up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Names and texts of files. An object takes the place of the one of its name.
    pub files: Vec<(String, String)>,
    /// Objects with errors are left out, and said.
    pub keep_going: bool,
    /// `NetworkPolicy/shop/web`.
    pub removed: Vec<String>,
    /// What the policies of these files do from now on.
    pub mode: PolicyMode,
    /// Labels of pods (`shop/web-0`) and namespaces (`shop`) that come, or go where there is no value.
    pub labels: Relabelled,
}

/// By pod or namespace; only the former has a slash.
pub type Relabelled = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// What is done with a policy's verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyMode {
    #[default]
    Enforce,
    /// Its denials are reported and pass.
    Observe,
    /// Its would-be verdict is in each flow.
    Staged,
}

/// A lab at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// Without files: those are below.
    pub setup: Setup,
    /// What the objects are now, the oldest first.
    pub files: Vec<HeldFile>,
    /// By `NetworkPolicy shop/web`; what is not here is enforced.
    pub modes: BTreeMap<String, PolicyMode>,
    /// `namespace/name` of pods that are not there for now.
    pub stopped: BTreeSet<String>,
    /// Other labels than the manifests say.
    pub labels: Relabelled,
    /// Workloads whose pods are not the first ones of their names.
    pub rolled: Rolled,
    /// While pods are replaced: what there was before, for those that are still to go.
    pub before: Option<Box<State>>,
    pub assigned: Assigned,
    pub uids: Uids,
    /// Counts changes.
    pub epoch: u64,
}

/// Of a lab's pods: no pod of any lab has one that another had, also not of the same name or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Uids(u128);

impl Uids {
    fn random() -> Self {
        Self(Uuid::new_v4().as_u128())
    }

    /// A link is given to one pod and never to another; its number is in the random part.
    pub(crate) fn of(self, link: u32) -> [u8; 16] {
        (self.0 ^ u128::from(link)).to_be_bytes()
    }
}

/// A file without the objects that were replaced or removed, by where they begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeldFile {
    name: String,
    text: String,
    gone: BTreeSet<(u32, u32)>,
}

impl State {
    pub(crate) fn new(mut setup: Setup) -> Self {
        let standing = Standing::new(std::mem::take(&mut setup.files));
        let (modes, stopped) = (BTreeMap::new(), BTreeSet::new());
        let (labels, rolled) = (Relabelled::new(), Rolled::new());
        let (files, before, assigned, epoch) = (Vec::new(), None, Assigned::default(), 1);
        let uids = Uids::random();
        let mut state =
            Self { setup, files, modes, stopped, labels, rolled, before, assigned, uids, epoch };
        state.hold(standing);
        state
    }

    pub(crate) fn standing(&self) -> Standing {
        let file = |HeldFile { name, text, gone }: &HeldFile| StandingFile {
            name: name.clone(),
            text: text.clone(),
            gone: gone.clone(),
        };
        Standing { files: self.files.iter().map(file).collect() }
    }

    pub(crate) fn hold(&mut self, Standing { files }: Standing) {
        let file = |StandingFile { name, text, gone }| HeldFile { name, text, gone };
        self.files = files.into_iter().map(file).collect();
    }

    pub(crate) fn plan_options(&self) -> PlanOptions {
        let Setup { nodes, replicas, external, .. } = &self.setup;
        PlanOptions {
            nodes: *nodes,
            replicas: *replicas,
            external: external.clone(),
            stopped: self.stopped.clone(),
            labels: self.labels.clone(),
            rolled: self.rolled.clone(),
            old: None,
        }
    }
}
