//! From a change that was made in part back to what was before it.

use super::{Difference, load_services, send, settle};
use crate::agents::Agents;
use crate::error::LabError;
use crate::names::Names;
use crate::plan::PodKey;
use crate::running::Moment;
use crate::servers::{self, Service};
use crate::state::State;
use crate::world::World;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// The way back.
pub(crate) struct Return<'a> {
    pub agents: &'a Agents,
    pub services: &'a UnboundedSender<Service>,
    /// Before the step that failed, and what it came to.
    pub before: &'a Moment,
    pub reached: &'a Moment,
    /// Where it leads: pods whose links may be gone have other ones.
    pub state: &'a State,
    pub world: World,
}

impl Return<'_> {
    /// What is there then, and what of it could not be made: one failure does not keep the rest from going back.
    ///
    /// # Errors
    /// There is no network for it, so nothing went back.
    pub(crate) fn make(self) -> Result<(Moment, Vec<LabError>), LabError> {
        let Self { agents, services, before, reached, state, world } = self;
        let (old, new) = (&reached.world.plan, &world.plan);
        let forth = Difference::new(&before.world.plan, old);
        let back = Difference::new(old, new);
        let links = new.link_indices();
        before.network.discard(&before.world.plan, |link| !links.contains(&link))?;
        reached.network.discard(old, |link| !links.contains(&link))?;
        let network = reached.network.changed(old, new)?;
        // Whether they serve depends on how far the change came.
        let touched = [&forth.closed, &forth.opened, &back.closed, &back.opened];
        let touched: BTreeSet<&PodKey> = touched.into_iter().flatten().collect();
        let mut errors = Vec::new();
        let mut note = |result: Result<(), LabError>| errors.extend(result.err());
        for pod in &touched {
            note(send(services, Service::End((*pod).clone())));
        }
        note(settle(services));
        note(agents.enforce(state));
        let served = servers::open_pods(new, &network, |pod| touched.contains(pod));
        note(served.and_then(|served| send(services, Service::Serve(served))));
        note(network.open(new, |link| back.new.contains(&link)));
        note(network.settle());
        note(load_services(new, &network));
        note(send(services, Service::Names(Names::new(new))));
        let (world, network) = (Arc::new(world), Arc::new(network));
        Ok((Moment { world, network, leaving: BTreeSet::new() }, errors))
    }
}
