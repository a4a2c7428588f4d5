//! The end of links of which some may be gone already.

use super::Network;
use crate::error::LabError;
use crate::plan::Plan;
use net_fabric::{Changes, FabricError};
use rustix::io::Errno;
use std::collections::BTreeSet;

impl Plan {
    /// The links of all pods that have one.
    pub(crate) fn link_indices(&self) -> BTreeSet<u32> {
        self.pods.iter().filter_map(|pod| pod.link).collect()
    }
}

impl Network {
    /// As [`Self::close`], whatever of it is there.
    pub(crate) fn discard(
        &self,
        plan: &Plan,
        is_gone: impl Fn(u32) -> bool,
    ) -> Result<(), LabError> {
        for link in plan.links().iter().filter(|link| is_gone(link.index)) {
            if let Some(node) = self.nodes.get(link.node) {
                let mut changes = Changes::default();
                changes.delete_link(link.index);
                unless_missing(changes.apply(node))?;
            }
            for route in plan.routes_to(link) {
                let mut changes = Changes::default();
                changes.delete_route(route);
                unless_missing(changes.apply(&self.between))?;
            }
        }
        Ok(())
    }
}

fn unless_missing(made: Result<(), FabricError>) -> Result<(), FabricError> {
    let Err(FabricError::Change { source, .. }) = &made else { return made };
    match Errno::from_io_error(source) {
        Some(Errno::NODEV | Errno::SRCH | Errno::NOENT) => Ok(()),
        Some(_) | None => made,
    }
}
