//! Recordings of the gateway, read by the library, with both keys.

use crate::world::World;
use session_record::{Event, SessionId, Step};
use session_store::{AgeIdentities, Condition, Recordings, UnwrapKey, unwrap_keys};
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

fn recordings(world: &World) -> Recordings {
    Recordings::new(&world.folder().join("recordings"))
}

pub(crate) fn all(world: &World) -> BTreeSet<SessionId> {
    recordings(world).sessions().unwrap().into_iter().collect()
}

pub(crate) fn sealed(world: &World) -> BTreeSet<SessionId> {
    let listed = recordings(world).list().unwrap().into_iter();
    let sealed = listed.filter(|listed| matches!(listed.condition, Condition::Sealed { .. }));
    sealed.map(|listed| listed.session).collect()
}

/// Every event of a recording, in its order.
pub(crate) fn each(world: &World, session: SessionId, mut see: impl FnMut(Event)) {
    let identity = |name: &str| -> Arc<dyn UnwrapKey> {
        Arc::new(AgeIdentities::parse(&fs::read_to_string(world.key(name)).unwrap()).unwrap())
    };
    let recordings = recordings(world);
    let keys = recordings.keys_file(session).unwrap();
    let keys = unwrap_keys(&keys, &[identity("shown.key"), identity("typed.key")]).unwrap();
    let mut reader = recordings.reader(session, &keys).unwrap();
    while let Some(step) = reader.next_step().unwrap() {
        if let Step::Known(record) = step {
            see(record.event);
        }
    }
}
