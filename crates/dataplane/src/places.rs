//! Pods by the low bits of their interface's index: nearly every packet finds its pod there, and is spared
//! a hash. Where two pods want one place, the hash finds the second.
//!
//! **Invariant.** While a place names an interface nothing in it changes, and a packet that found it before
//! it was left has gone before it is taken again.

use crate::skeleton::types::{limits, placed_pod, pod};
use crate::wire::{bytes_of, value_of};
use crate::writer::{Batch, Store, Table};
use std::collections::BTreeMap;
use std::io;

#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Who has the place.
    taken: BTreeMap<u32, placed_pod>,
}

fn place_of(interface: u32) -> u32 {
    interface % limits::MAX_PODS.0
}

fn put<'a>(
    store: &mut impl Store,
    placed: impl IntoIterator<Item = (&'a u32, placed_pod)>,
) -> io::Result<()> {
    let mut entries = Batch::default();
    for (place, pod) in placed {
        entries.entry(bytes_of(place), bytes_of(&pod));
    }
    if entries.len > 0 { store.put(Table::PlacedPods, &entries) } else { Ok(()) }
}

fn nobody_at(placed: placed_pod) -> placed_pod {
    placed_pod { interface: 0, ..placed }
}

impl Places {
    /// `pods`: all that are there, by interface. Packets are on their way.
    pub(crate) fn adopt(store: &mut impl Store, pods: &BTreeMap<u32, pod>) -> io::Result<Self> {
        let mut places = Self::default();
        let mut left = BTreeMap::new();
        for (place, placed) in store.entries(Table::PlacedPods)?.iter() {
            let (Some(place), Some(placed)) =
                (value_of::<u32>(place), value_of::<placed_pod>(placed))
            else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            if pods.get(&placed.interface).is_some_and(|pod| pod.id == placed.pod.id) {
                places.taken.insert(place, placed);
            } else if placed.interface != 0 {
                left.insert(place, nobody_at(placed));
            }
        }
        put(store, left.iter().map(|(place, placed)| (place, *placed)))?;
        let mut wanted = BTreeMap::new();
        for (interface, pod) in pods {
            let (place, interface) = (place_of(*interface), *interface);
            if !places.taken.contains_key(&place) {
                wanted.entry(place).or_insert(placed_pod { interface, pod: *pod });
            }
        }
        if !wanted.is_empty() {
            store.wait_for_packets()?;
            // Whole before it is named, for packets of the interface that look meanwhile.
            put(store, wanted.iter().map(|(place, placed)| (place, nobody_at(*placed))))?;
            store.wait_for_packets()?;
            put(store, wanted.iter().map(|(place, placed)| (place, *placed)))?;
            places.taken.append(&mut wanted);
        }
        Ok(places)
    }

    /// Of an interface that no packet looks for yet, after a grace period since a place was left.
    pub(crate) fn take(
        &mut self,
        store: &mut impl Store,
        interface: u32,
        pod: pod,
    ) -> io::Result<()> {
        let place = place_of(interface);
        match self.taken.get(&place) {
            // Of an addition that failed: the hash has the pod.
            Some(placed) if placed.interface == interface => self.leave(store, interface),
            Some(_) => Ok(()),
            None => {
                let placed = placed_pod { interface, pod };
                // Also if the write fails: it may have been made.
                self.taken.insert(place, placed);
                put(store, [(&place, placed)])
            }
        }
    }

    pub(crate) fn leave(&mut self, store: &mut impl Store, interface: u32) -> io::Result<()> {
        let place = place_of(interface);
        if let Some(placed) = self.taken.get(&place).filter(|placed| placed.interface == interface)
        {
            put(store, [(&place, nobody_at(*placed))])?;
            self.taken.remove(&place);
        }
        Ok(())
    }
}
