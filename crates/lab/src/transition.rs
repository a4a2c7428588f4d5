//! From one world of a lab to the next: nothing that is new gets a packet before its policies hold, and
//! nothing leads to a pod that does not listen yet or listens no more.

mod back;

pub(crate) use back::Return;

use crate::agents::Agents;
use crate::error::LabError;
use crate::names::Names;
use crate::network::{Network, service_rules};
use crate::plan::{Listener, Plan, PodKey};
use crate::running::Moment;
use crate::servers::{self, Service};
use crate::state::State;
use crate::world::World;
use net_fabric::rules;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// How long a pod that is replaced goes on answering after the last one was led to it, for what is on its way
/// and what is half said: the grace that a cluster gives, for calls as short as a lab's.
const GRACE: Duration = Duration::from_millis(300);

/// Whether pods that go may finish what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// As a rolling update does.
    Graceful,
    /// As a crash does.
    AtOnce,
}

/// What changes with a world.
pub(crate) struct Transition<'a> {
    pub agents: &'a Agents,
    pub services: &'a UnboundedSender<Service>,
    pub before: &'a Moment,
    pub state: &'a State,
    pub world: World,
    pub parting: Parting,
}

/// A change that could not be made.
pub(crate) struct Failed {
    pub error: LabError,
    /// What is there now, in part; `None` where nothing was touched.
    pub reached: Option<Moment>,
}

impl Transition<'_> {
    /// The new moment, and whether all nodes enforce it. `leaving` is told which pods are about to go.
    pub(crate) fn make(
        self,
        leaving: impl FnOnce(BTreeSet<PodKey>),
    ) -> Result<(Moment, Result<(), LabError>), Box<Failed>> {
        let Self { agents, services, before, state, world, parting } = self;
        let difference = Difference::new(&before.world.plan, &world.plan);
        agents.must_answer().map_err(|error| Box::new(Failed { error, reached: None }))?;
        // Links that are down disturb nobody, and go with their namespaces where not all can be made.
        let network = before.network.changed(&before.world.plan, &world.plan);
        let network = network.map_err(|error| Box::new(Failed { error, reached: None }))?;
        let (world, network) = (Arc::new(world), Arc::new(network));
        let moment = Moment { world, network, leaving: BTreeSet::new() };
        let way = Way { agents, services, before, after: &moment, state, parting };
        match way.go(&difference, leaving) {
            Ok(enforced) => Ok((moment, enforced)),
            Err(error) => Err(Box::new(Failed { error, reached: Some(moment) })),
        }
    }
}

/// Between two moments that both have their links.
struct Way<'a> {
    agents: &'a Agents,
    services: &'a UnboundedSender<Service>,
    before: &'a Moment,
    after: &'a Moment,
    state: &'a State,
    parting: Parting,
}

impl Way<'_> {
    fn go(
        self,
        difference: &Difference,
        leaving: impl FnOnce(BTreeSet<PodKey>),
    ) -> Result<Result<(), LabError>, LabError> {
        let Self { agents, services, before, after, state, parting } = self;
        let (old, new) = (&before.world.plan, &after.world.plan);
        let network = &after.network;
        let Difference { gone, closed, new: come, opened } = difference;
        // What leads to pods goes before them, and comes after them.
        let rest = old.serving(|pod| !closed.contains(pod));
        let ready = new.serving(|pod| !opened.contains(pod));
        let mut rules = Rules { loaded: service_rules(old) };
        leaving(pods_of(old, gone));
        rules.load(&rest, network)?;
        send(services, Service::Names(Names::new(&rest)))?;
        if parting == Parting::Graceful && !gone.is_empty() {
            thread::sleep(GRACE);
        }
        before.network.close(old, |link| gone.contains(&link))?;
        for pod in closed {
            send(services, Service::End(pod.clone()))?;
        }
        settle(services)?;
        let enforced = match agents.enforce(state) {
            Err(error @ LabError::Silent(_)) => return Err(error),
            enforced => enforced,
        };
        rules.load(&ready, network)?;
        let served = servers::open_pods(new, network, |pod| opened.contains(pod))?;
        send(services, Service::Serve(served))?;
        network.open(new, |link| come.contains(&link))?;
        network.settle()?;
        rules.load(new, network)?;
        send(services, Service::Names(Names::new(new)))?;
        Ok(enforced)
    }
}

/// The rules of Services that every node has.
struct Rules {
    loaded: String,
}

impl Rules {
    /// Loading takes longer than finding out that nothing changed.
    fn load(&mut self, plan: &Plan, network: &Network) -> Result<(), LabError> {
        let script = service_rules(plan);
        if script != self.loaded {
            load_script(&script, network)?;
            self.loaded = script;
        }
        Ok(())
    }
}

pub(crate) fn load_services(plan: &Plan, network: &Network) -> Result<(), LabError> {
    load_script(&service_rules(plan), network)
}

fn load_script(script: &str, network: &Network) -> Result<(), LabError> {
    network.nodes().iter().try_for_each(|node| Ok(rules::load(node, script)?))
}

/// Returns when what was asked to end has ended.
fn settle(services: &UnboundedSender<Service>) -> Result<(), LabError> {
    let (told, settled) = channel();
    send(services, Service::Settled(told))?;
    settled.recv().map_err(|_gone| ended())
}

pub(crate) fn send(services: &UnboundedSender<Service>, service: Service) -> Result<(), LabError> {
    services.send(service).map_err(|_gone| ended())
}

fn ended() -> LabError {
    LabError::Refused("the lab is ending".to_owned())
}

fn pods_of(plan: &Plan, links: &BTreeSet<u32>) -> BTreeSet<PodKey> {
    let pods = plan.snapshot.pods.iter().zip(&plan.pods);
    let of = pods.filter(|(_, planned)| planned.link.is_some_and(|link| links.contains(&link)));
    of.map(|(pod, _)| PodKey::of(pod)).collect()
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
