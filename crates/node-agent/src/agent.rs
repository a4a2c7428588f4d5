//! One node's enforcement, looked after by this process for now.

use crate::wanted::{Wanted, WantedPod};
use dataplane::{
    Events, NodePlane, OpenError, Options, PodInterface, PodNumber, PodPolicy, ServicesError,
    Upgraded, WriteError,
};
use flow_attribution::{Attribution, Epoch};
use flow_model::{Flow, Timestamp};
use policy_engine::PodId;
use policy_tables::{LocalPod, Problem, Tables};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Reports come late by at most a few changes, but connections live long and are reported until they end.
const EPOCHS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Why a node does not enforce what is wanted.
#[derive(Debug, Error)]
pub enum AgentError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot {doing}")]
    Kernel {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    /// Some pods deny everything; it is tried again.
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Services(#[from] ServicesError),
}

/// What came of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub epoch: u64,
    /// Pods whose policy is another one now.
    pub flipped: usize,
    /// Entries put into the kernel's tables.
    pub entries: u64,
    /// What could not be written as tables, and on whom that falls.
    pub problems: Vec<Problem>,
}

/// What a turn of looking after it found.
#[derive(Debug, Default)]
pub struct Turn {
    /// Pods whose programs somebody had detached, and that were open until now.
    pub repaired: Vec<PodNumber>,
    /// A change that had failed, and did not now.
    pub applied: Option<Applied>,
}

#[derive(Debug)]
pub struct Agent {
    node: Arc<str>,
    plane: NodePlane,
    events: Events,
    attribution: Option<Attribution>,
    tables: Option<Tables>,
    /// What the kernel did not take.
    pending: Option<Wanted>,
}

impl Agent {
    /// Goes on where an earlier process stopped, if one did. The calling thread is in the node's network
    /// namespace, here and in every later call.
    pub fn open(node: &str, root: &Path, options: &Options) -> Result<Self, AgentError> {
        let mut plane = NodePlane::open(root, options)?;
        let events = plane.events().map_err(of_kernel("read events"))?;
        Ok(Self {
            node: node.into(),
            plane,
            events,
            attribution: None,
            tables: None,
            pending: None,
        })
    }

    /// What this process found of an earlier version's data plane, and took over.
    pub fn upgraded(&self) -> Option<Upgraded> {
        self.plane.upgraded()
    }

    /// Makes the kernel enforce this and nothing else.
    ///
    /// # Errors
    /// The pods that the change concerns deny everything, and each [`Self::turn`] tries again.
    pub fn apply(&mut self, wanted: Wanted) -> Result<Applied, AgentError> {
        let applied = self.enforce(&wanted);
        self.pending = applied.is_err().then_some(wanted);
        applied
    }

    fn enforce(&mut self, wanted: &Wanted) -> Result<Applied, AgentError> {
        let pods = self.exchange_pods(&wanted.pods)?;
        self.plane.set_services(&wanted.services)?;
        let locals: Vec<LocalPod> = pods.iter().map(|(_, pod)| LocalPod { pod: pod.pod }).collect();
        let tables = Tables::build(&wanted.program, &locals, &wanted.modes, self.tables.as_ref());
        let policies: Vec<PodPolicy> = (pods.iter())
            .map(|(number, wanted)| PodPolicy {
                number: *number,
                pod: wanted.pod,
                mode: wanted.mode,
                established: wanted.established,
            })
            .collect();
        let since = now();
        let written = self.plane.write(&tables, &policies);
        let numbers = pods.iter().map(|(number, pod)| (number.0, pod.pod)).collect();
        self.install(wanted, since, numbers);
        let written = written?;
        let applied = Applied {
            epoch: wanted.epoch,
            flipped: written.flipped.len(),
            entries: written.entries,
            problems: tables.problems().to_vec(),
        };
        self.tables = Some(tables);
        Ok(applied)
    }

    /// What is there and wanted stays. An interface that is another pod's now is never without programs.
    fn exchange_pods<'w>(
        &mut self,
        wanted: &'w [WantedPod],
    ) -> Result<Vec<(PodNumber, &'w WantedPod)>, AgentError> {
        let there: BTreeMap<u32, (PodNumber, PodInterface)> =
            self.plane.pods().map(|(number, pod)| (pod.interface, (number, pod.clone()))).collect();
        let kept: BTreeSet<u32> = wanted.iter().map(|pod| pod.interface.interface).collect();
        for (interface, (number, _)) in &there {
            if !kept.contains(interface) {
                self.plane.remove_pod(*number).map_err(of_kernel("let go of an interface"))?;
            }
        }
        let mut pods = Vec::with_capacity(wanted.len());
        for pod in wanted {
            let number = match there.get(&pod.interface.interface) {
                Some((number, known)) if *known == pod.interface => *number,
                Some((number, known)) if is_untold(known, &pod.interface) => {
                    let told = self.plane.tell_uid(*number, pod.interface.uid);
                    told.map_err(of_kernel("say whose interface it is"))?;
                    *number
                }
                Some(_) | None => {
                    self.plane.add_pod(&pod.interface).map_err(of_kernel("take an interface"))?
                }
            };
            pods.push((number, pod));
        }
        Ok(pods)
    }

    /// Also after a write that failed: what denies then has a meaning too.
    fn install(&mut self, wanted: &Wanted, since: Timestamp, pods: BTreeMap<u32, PodId>) {
        let words = self.plane.words().into_iter().map(|(number, word)| (number.0, word));
        let epoch = Epoch {
            number: wanted.epoch,
            since,
            program: Arc::clone(&wanted.program),
            modes: wanted.modes.clone(),
            files: Arc::clone(&wanted.files),
            profiles: self.plane.profiles(),
            words: words.collect(),
            pods,
        };
        match &mut self.attribution {
            Some(attribution) => attribution.install(epoch),
            none => *none = Some(Attribution::new(Arc::clone(&self.node), epoch, EPOCHS)),
        }
    }

    /// What the kernel has seen since the last call, oldest first. Before anything was applied it waits in
    /// the kernel.
    pub fn flows(&mut self) -> io::Result<Vec<Flow>> {
        let Some(attribution) = &mut self.attribution else { return Ok(Vec::new()) };
        let sightings = self.events.read()?;
        Ok(sightings.iter().map(|sighting| attribution.attribute(sighting)).collect())
    }

    /// Gives one interface its final place, where there were too many at once to wait for it. Returns whether
    /// there are more. To be called when there is time: other changes of the machine's networks wait.
    pub fn settle(&mut self) -> Result<bool, AgentError> {
        self.plane.settle_links(1).map_err(of_kernel("move an interface to tcx"))
    }

    /// What has to be done once a second: connections expire, what was detached is put back, and a change
    /// that failed is tried again.
    pub fn turn(&mut self) -> Result<Turn, AgentError> {
        self.plane.tick().map_err(of_kernel("let connections expire"))?;
        let repaired = self.plane.repair().map_err(of_kernel("put back what was detached"))?;
        let applied = match self.pending.take() {
            Some(wanted) => Some(self.apply(wanted)?),
            None => None,
        };
        Ok(Turn { repaired, applied })
    }
}

/// An earlier version did not know of uids.
fn is_untold(known: &PodInterface, wanted: &PodInterface) -> bool {
    known.uid == [0; 16] && PodInterface { uid: wanted.uid, ..known.clone() } == *wanted
}

fn of_kernel(doing: &'static str) -> impl FnOnce(io::Error) -> AgentError {
    move |source| AgentError::Kernel { doing, source }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
