//! A lab that is up, and how it changes: nothing that is new gets a packet before its policies hold.

use crate::agent::chain;
use crate::agents::Agents;
use crate::change::{changed, roll, rolls_of_templates, stopped, told, ways, workloads};
use crate::error::LabError;
use crate::flow_log::FlowLog;
use crate::folder::Folder;
use crate::names::Names;
use crate::network::Network;
use crate::plan::{Assigned, PodKey};
use crate::roll::Roll;
use crate::servers::{self, Service};
use crate::state::{Change, Setup, State};
use crate::transition::{Failed, Parting, Return, Transition, load_services, send};
use crate::wire::{Enforcement, Start, Status, VERSION};
use crate::world::World;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::mpsc::UnboundedSender;

/// What there is at one moment, for whoever asks about it.
#[derive(Debug)]
pub(crate) struct Moment {
    pub world: Arc<World>,
    pub network: Arc<Network>,
    /// Pods that are about to go: they begin nothing any more.
    pub leaving: BTreeSet<PodKey>,
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
    /// Why the lab is not as it should be, where a change failed and going back did.
    incomplete: Mutex<Option<String>>,
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Made {
    pub epoch: u64,
    /// What is not as the manifests say, and was not said before.
    pub notes: Vec<String>,
    /// What nodes do not enforce as the policies say, with what to do.
    pub problems: Vec<String>,
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
        agents.settle();
        let (world, network, leaving) = (Arc::new(world), Arc::new(network), BTreeSet::new());
        let moment = RwLock::new(Arc::new(Moment { world, network, leaving }));
        let (state, incomplete) = (Mutex::new(state), Mutex::new(None));
        Ok(Self { setup, agents, flows, moment, state, services, incomplete })
    }

    pub(crate) fn now(&self) -> Arc<Moment> {
        Arc::clone(&self.moment.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state that a change leads to, and what it means. Nothing is changed.
    pub(crate) fn with(&self, change: &Change) -> Result<(State, World), LabError> {
        changed(&self.state(), change, &self.now().world)
    }

    /// Makes the change, whole or not at all; where a node does not take it, its pods deny and it is tried
    /// again. Pods of a workload whose template is another one are replaced.
    pub(crate) fn change(&self, change: &Change) -> Result<Made, LabError> {
        let mut state = self.state();
        let now = self.now();
        let (target, world) = changed(&state, change, &now.world)?;
        let rolls = rolls_of_templates(&now.world, &world);
        self.go(&mut state, (target, world), &rolls)
    }

    /// Pods of these names end, or come back.
    pub(crate) fn set_stopped(&self, pods: &[String], is_stopped: bool) -> Result<Made, LabError> {
        let mut state = self.state();
        let target = stopped(&state, pods, is_stopped, &self.now().world)?;
        self.go(&mut state, target, &[])
    }

    /// Replaces the pods of these workloads, one after the other.
    pub(crate) fn roll(&self, names: &[String]) -> Result<Made, LabError> {
        let mut state = self.state();
        let now = self.now();
        let workloads = workloads(&now.world, names)?;
        let target = State { epoch: state.epoch + 1, ..state.clone() };
        let world = World::new(&target)?;
        let rolls = workloads.iter().filter_map(|workload| roll(workload, &now.world, &world));
        let rolls: Vec<Roll> = rolls.collect();
        self.go(&mut state, (target, world), &rolls)
    }

    /// Waits for a change that is being made.
    pub(crate) fn known_state(&self) -> State {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By all steps that it takes. What a node does not take at once does not stop the others.
    fn go(
        &self,
        state: &mut State,
        (target, world): (State, World),
        rolls: &[Roll],
    ) -> Result<Made, LabError> {
        let (first, from) = (self.now(), state.clone());
        let mut enforced = Ok(());
        if rolls.is_empty() {
            enforced = self.step((state, &from), (target, world), Parting::AtOnce)?;
        } else {
            for mut next in ways(state, target, rolls) {
                next.assigned.clone_from(&state.assigned);
                let world = World::new(&next)?;
                enforced = self.step((state, &from), (next, world), Parting::Graceful)?;
            }
        }
        self.agents.settle();
        let now = self.now();
        let said: BTreeSet<&String> = first.world.plan.notes.iter().collect();
        let notes = now.world.plan.notes.iter().filter(|note| !said.contains(note)).cloned();
        let notes = told(rolls, &first.world, &now.world).into_iter().chain(notes).collect();
        let problems = self.agents.problems();
        enforced.map(|()| Made { epoch: state.epoch, notes, problems })
    }

    /// The outer error is of what could not be made, after which the lab is as it was with `first`; the inner
    /// one of what is not enforced everywhere.
    fn step(
        &self,
        (state, first): (&mut State, &State),
        (mut next, world): (State, World),
        parting: Parting,
    ) -> Result<Result<(), LabError>, LabError> {
        next.assigned = Assigned::of(&world.plan);
        let before = self.now();
        let transition = Transition {
            agents: &self.agents,
            services: &self.services,
            before: &before,
            state: &next,
            world,
            parting,
        };
        let leave = |leaving| {
            let (world, network) = (Arc::clone(&before.world), Arc::clone(&before.network));
            self.set(Moment { world, network, leaving });
        };
        match transition.make(leave) {
            Ok((moment, enforced)) => {
                *state = next;
                self.set(moment);
                Ok(enforced)
            }
            Err(failed) => Err(self.go_back((state, first), &before, next, *failed)),
        }
    }

    /// What is to be said of it.
    fn go_back(
        &self,
        (state, first): (&mut State, &State),
        before: &Arc<Moment>,
        next: State,
        Failed { error, reached }: Failed,
    ) -> LabError {
        if reached.is_none() && state.epoch == first.epoch {
            state.assigned.renumber(|_| true, &next.assigned);
            return LabError::Undone(Box::new(error));
        }
        let reached = reached.map_or_else(|| Arc::clone(before), Arc::new);
        let mut old = State { epoch: next.epoch + 1, ..first.clone() };
        let (there, come) = (before.world.plan.link_indices(), reached.world.plan.link_indices());
        let is_kept = |link| there.contains(&link) && come.contains(&link);
        old.assigned.renumber(is_kept, &next.assigned);
        let returned = World::new(&old).and_then(|world| {
            let (agents, services) = (&self.agents, &self.services);
            let state = &old;
            Return { agents, services, before, reached: &reached, state, world }.make()
        });
        let back = match returned {
            Ok((moment, errors)) => {
                self.set(moment);
                *state = old;
                self.agents.settle();
                // Who answers no more took neither the change nor this.
                let is_known = |of: &LabError| matches!((of, &error), (LabError::Silent(now), LabError::Silent(then)) if now == then);
                let errors = errors.iter().filter(|error| !is_known(error));
                errors.map(|error| chain(error)).collect::<Vec<_>>().join("; ")
            }
            Err(error) => {
                // The nearest to what is there.
                self.set_shared(reached);
                *state = next;
                drop(self.agents.enforce(state));
                chain(&error)
            }
        };
        if back.is_empty() {
            return LabError::Undone(Box::new(error));
        }
        let error = LabError::Incomplete { error: chain(&error), back };
        *self.incomplete.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        error
    }

    fn set(&self, moment: Moment) {
        self.set_shared(Arc::new(moment));
    }

    fn set_shared(&self, moment: Arc<Moment>) {
        *self.moment.write().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    pub(crate) fn status(&self) -> Status {
        let moment = self.now();
        let plan = &moment.world.plan;
        let hook = "the data plane in the kernel";
        let choice = self.setup.pods;
        let incomplete = self.incomplete.lock().unwrap_or_else(PoisonError::into_inner).clone();
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
            notes: incomplete.into_iter().chain(plan.notes.iter().cloned()).collect(),
        }
    }
}
