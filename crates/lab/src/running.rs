//! A lab that is up, and how it changes: nothing that is new gets a packet before its policies hold.

use crate::agents::Agents;
use crate::error::LabError;
use crate::flow_log::FlowLog;
use crate::folder::Folder;
use crate::names::Names;
use crate::network::{Network, service_rules};
use crate::plan::{Assigned, Listener, Plan, PodKey};
use crate::servers::{self, Service};
use crate::state::{Change, PolicyMode, Setup, State};
use crate::wire::{Enforcement, Start, Status, VERSION};
use crate::world::{World, with_objects};
use kube_import::{Input, Options};
use net_fabric::rules;
use policy_model::PolicyId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::mpsc::UnboundedSender;

/// What there is at one moment, for whoever asks about it.
#[derive(Debug)]
pub(crate) struct Moment {
    pub world: World,
    pub network: Network,
}

#[derive(Debug)]
pub(crate) struct Lab {
    pub setup: Setup,
    pub agents: Agents,
    pub flows: Arc<FlowLog>,
    moment: RwLock<Arc<Moment>>,
    /// Held while the lab changes.
    state: Mutex<State>,
    services: UnboundedSender<Service>,
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Made {
    pub epoch: u64,
    /// What is not as the manifests say, and was not said before.
    pub notes: Vec<String>,
}

impl Lab {
    /// To be called in the namespace that becomes the one between the nodes.
    pub(crate) fn create(
        folder: &Folder,
        Start { setup, hook }: Start,
        services: UnboundedSender<Service>,
    ) -> Result<Self, LabError> {
        let mut state = State::new(setup.clone());
        let world = World::new(&state)?;
        state.assigned = Assigned::of(&world.plan);
        let plan = &world.plan;
        let network = Network::create(plan)?;
        let flows = Arc::new(FlowLog::default());
        let agents = Agents::start(folder, (plan, &network), (&state, hook), &flows)?;
        load_services(plan, &network)?;
        let served = servers::open_pods(plan, &network, |_| true)?;
        send(&services, Service::Serve(served))?;
        send(&services, Service::Serve(servers::open_external(plan, &network)?))?;
        send(&services, Service::Names(Names::new(plan)))?;
        network.open(plan, |_| true)?;
        network.settle()?;
        let moment = RwLock::new(Arc::new(Moment { world, network }));
        Ok(Self { setup, agents, flows, moment, state: Mutex::new(state), services })
    }

    pub(crate) fn now(&self) -> Arc<Moment> {
        Arc::clone(&self.moment.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state that a change leads to, and what it means. Nothing is changed.
    pub(crate) fn with(&self, change: &Change) -> Result<(State, World), LabError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        changed(&state, change, &self.now().world)
    }

    /// Makes the change, whole or not at all; where a node does not take it, its pods deny and it is tried
    /// again.
    pub(crate) fn change(&self, change: &Change) -> Result<Made, LabError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (new_state, world) = changed(&state, change, &self.now().world)?;
        self.become_world(&mut state, new_state, world)
    }

    /// Pods of these names end, or come back.
    pub(crate) fn set_stopped(&self, pods: &[String], stopped: bool) -> Result<Made, LabError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new_state = State { epoch: state.epoch + 1, ..state.clone() };
        let there = self.now();
        for pod in pods {
            let is_there = there.world.plan.snapshot.pods.iter().any(|of| of.to_string() == *pod);
            if stopped && !is_there {
                return Err(LabError::Refused(format!("there is no pod {pod}")));
            }
            let done = if stopped {
                new_state.stopped.insert(pod.clone())
            } else {
                new_state.stopped.remove(pod)
            };
            if !done {
                return Err(LabError::Refused(format!("{pod} is not stopped")));
            }
        }
        let world = World::new(&new_state)?;
        self.become_world(&mut state, new_state, world)
    }

    fn become_world(
        &self,
        state: &mut State,
        mut new_state: State,
        world: World,
    ) -> Result<Made, LabError> {
        new_state.assigned = Assigned::of(&world.plan);
        let before = self.now();
        let difference = Difference::new(&before.world.plan, &world.plan);
        let Difference { gone, closed, new, opened } = &difference;
        before.network.close(&before.world.plan, |link| gone.contains(&link))?;
        for pod in closed {
            send(&self.services, Service::End(pod.clone()))?;
        }
        self.settle()?;
        let network = before.network.changed(&before.world.plan, &world.plan)?;
        // From here on the lab is the new one, whatever its agents say.
        let enforced = self.agents.enforce(&new_state);
        load_services(&world.plan, &network)?;
        let is_opened = |pod: &PodKey| opened.contains(pod);
        send(
            &self.services,
            Service::Serve(servers::open_pods(&world.plan, &network, is_opened)?),
        )?;
        send(&self.services, Service::Names(Names::new(&world.plan)))?;
        network.open(&world.plan, |link| new.contains(&link))?;
        network.settle()?;
        let said: BTreeSet<&String> = before.world.plan.notes.iter().collect();
        let notes = world.plan.notes.iter().filter(|note| !said.contains(note)).cloned().collect();
        let epoch = new_state.epoch;
        *state = new_state;
        *self.moment.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Moment { world, network });
        enforced.map(|()| Made { epoch, notes })
    }

    /// Returns when what was asked to end has ended.
    fn settle(&self) -> Result<(), LabError> {
        let (told, settled) = channel();
        send(&self.services, Service::Settled(told))?;
        settled.recv().map_err(|_gone| ended())
    }

    pub(crate) fn status(&self) -> Status {
        let moment = self.now();
        let plan = &moment.world.plan;
        let hook = "the data plane in the kernel";
        let choice = self.setup.pods;
        Status {
            name: self.setup.name.clone(),
            version: VERSION.to_owned(),
            nodes: plan.nodes.len(),
            pods: plan.pods.len(),
            services: plan.services.len(),
            external: plan.external.iter().map(|peer| peer.address).collect(),
            enforcement: Enforcement {
                by: hook.to_owned(),
                observe: choice.observe,
                fail_open_start: choice.fail_open_start,
                keep_established: choice.keep_established,
            },
            agents: self.agents.status(),
            notes: plan.notes.clone(),
        }
    }
}

/// What has to be done from one plan to the next.
struct Difference {
    /// Links that end, and that begin.
    gone: BTreeSet<u32>,
    new: BTreeSet<u32>,
    /// Pods whose servers end, and begin; those whose ports change are in both.
    closed: BTreeSet<PodKey>,
    opened: BTreeSet<PodKey>,
}

impl Difference {
    fn new(before: &Plan, after: &Plan) -> Self {
        let (old, new) = (pods(before), pods(after));
        let links = |of: &Pods<'_>| -> BTreeSet<u32> {
            of.values().filter_map(|(link, _)| *link).collect()
        };
        let (old_links, new_links) = (links(&old), links(&new));
        let differing = |these: &Pods<'_>, those: &Pods<'_>| {
            let pods = these.iter().filter(|(pod, of)| those.get(pod) != Some(of));
            pods.map(|(pod, _)| pod.clone()).collect()
        };
        Self {
            gone: old_links.difference(&new_links).copied().collect(),
            new: new_links.difference(&old_links).copied().collect(),
            closed: differing(&old, &new),
            opened: differing(&new, &old),
        }
    }
}

/// Each pod's link and ports.
type Pods<'a> = BTreeMap<PodKey, (Option<u32>, &'a [Listener])>;

fn pods(plan: &Plan) -> Pods<'_> {
    let pods = plan.snapshot.pods.iter().zip(&plan.pods);
    pods.map(|(pod, planned)| (PodKey::of(pod), (planned.link, &*planned.listeners))).collect()
}

fn changed(state: &State, change: &Change, before: &World) -> Result<(State, World), LabError> {
    let mut state = State { epoch: state.epoch + 1, ..state.clone() };
    for policy in policies(change)? {
        let was = before.plan.snapshot.policies.contains_key(&policy);
        let name = policy.to_string();
        let mode = state.modes.get(&name).copied().unwrap_or_default();
        if was && mode == PolicyMode::Enforce && change.mode != PolicyMode::Enforce {
            return Err(LabError::Refused(format!(
                "{name} is enforced: with another mode it would enforce nothing any more; give what is \
                 to be tried another name, or ask `weir lab diff` what it would change"
            )));
        }
        match change.mode {
            PolicyMode::Enforce => state.modes.remove(&name),
            PolicyMode::Observe | PolicyMode::Staged => state.modes.insert(name, change.mode),
        };
    }
    for (name, labels) in &change.labels {
        if !is_there(before, name) {
            return Err(LabError::Refused(format!(
                "there is no pod or namespace {name} to relabel"
            )));
        }
        state.labels.entry(name.clone()).or_default().extend(labels.clone());
    }
    let refused =
        |error| if let LabError::Setup(text) = error { LabError::Refused(text) } else { error };
    if change.files.is_empty() && change.removed.is_empty() {
        let world = World::new(&state).map_err(refused)?;
        return Ok((state, world));
    }
    let (state, imported) = with_objects(&state, change).map_err(refused)?;
    let world = World::of(&state, imported);
    Ok((state, world))
}

/// A pod or a namespace of this name.
fn is_there(world: &World, name: &str) -> bool {
    let snapshot = &world.plan.snapshot;
    snapshot.namespaces.contains_key(name)
        || snapshot.pods.iter().any(|pod| pod.to_string() == name)
}

/// The policies in the files of a change.
fn policies(change: &Change) -> Result<Vec<PolicyId>, LabError> {
    let text =
        |(name, text): &(String, String)| Input::Text { name: name.clone(), text: text.clone() };
    let inputs: Vec<Input> = change.files.iter().map(text).collect();
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let imported = kube_import::import(&inputs, &Options::default())
        .map_err(|error| LabError::Refused(error.to_string()))?;
    Ok(imported.snapshot.policies.into_keys().collect())
}

fn load_services(plan: &Plan, network: &Network) -> Result<(), LabError> {
    let script = service_rules(plan);
    network.nodes().iter().try_for_each(|node| Ok(rules::load(node, &script)?))
}

fn send(services: &UnboundedSender<Service>, service: Service) -> Result<(), LabError> {
    services.send(service).map_err(|_gone| ended())
}

fn ended() -> LabError {
    LabError::Refused("the lab is ending".to_owned())
}
