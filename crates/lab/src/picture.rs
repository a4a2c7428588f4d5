//! What a lab is at one moment, for who asks more than its process answers: worked out anew here, from the
//! state that all its processes have.

use crate::error::LabError;
use crate::state::State;
use crate::world::World;
use finding_model::SourceFiles;
use policy_engine::Program;
use policy_model::Snapshot;

#[derive(Debug)]
pub struct Picture {
    world: World,
}

impl Picture {
    pub(crate) fn new(state: &State) -> Result<Self, LabError> {
        Ok(Self { world: World::new(state)? })
    }

    /// Pods as they run, with their addresses.
    pub fn snapshot(&self) -> &Snapshot {
        &self.world.plan.snapshot
    }

    /// What packets meet.
    pub fn enforced(&self) -> &Program {
        &self.world.enforced
    }

    /// With the policies that are staged or observed.
    pub fn all(&self) -> &Program {
        &self.world.program
    }

    pub fn files(&self) -> &SourceFiles {
        &self.world.files
    }
}
