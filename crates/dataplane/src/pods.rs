//! The pods of a node: their interfaces, addresses and slots.

use crate::places::Places;
use crate::skeleton::types;
use crate::wire::{address, address_of, bytes_of, value_of};
use crate::writer::{Batch, Store, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::IpAddr;

/// A pod's number in the data plane, never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodNumber(pub u32);

impl fmt::Display for PodNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The host's end of a pod's interface, and the addresses that the pod may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodInterface {
    /// Its index in the node's network namespace.
    pub interface: u32,
    /// At most four, link-local ones included.
    pub addresses: Vec<IpAddr>,
    /// Passes everything until a policy is written, instead of nothing.
    pub open_until_policy: bool,
    /// Of the pod in its cluster, so that the next pod with the same interface and addresses is another one.
    /// Zero where nobody told.
    pub uid: [u8; 16],
}

const MAX_SLOTS: u32 = types::limits::MAX_PODS.0;

#[derive(Debug)]
struct Known {
    slot: u32,
    interface: PodInterface,
}

#[derive(Debug, Default)]
pub(crate) struct Pods {
    known: BTreeMap<PodNumber, Known>,
    places: Places,
    /// A slot is used again as late as possible.
    last_slot: u32,
    last_number: u32,
    /// A pod was removed, and a packet of it may still be on its way.
    unsettled: bool,
}

impl Pods {
    /// Those that an earlier process added.
    pub(crate) fn adopt(store: &mut impl Store) -> io::Result<Self> {
        let mut pods = Self { unsettled: true, ..Self::default() };
        let mut records = BTreeMap::new();
        for (interface, pod) in store.entries(Table::Pods)?.iter() {
            let (Some(interface), Some(pod)) =
                (value_of::<u32>(interface), value_of::<types::pod>(pod))
            else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            records.insert(interface, pod);
            let interface = interface_of(interface, &pod);
            pods.last_slot = pods.last_slot.max(pod.slot);
            pods.known.insert(PodNumber(pod.id), Known { slot: pod.slot, interface });
        }
        pods.last_number = store.last_pod()?;
        pods.places = Places::adopt(store, &records)?;
        let mut addresses: BTreeSet<IpAddr> =
            pods.known.values().flat_map(|known| known.interface.addresses.clone()).collect();
        let there = store.entries(Table::LocalAddresses)?;
        addresses.extend(there.keys().filter_map(value_of).map(|of| address_of(&of)));
        // A process that died may have written some of them.
        pods.place_addresses(store, &addresses.into_iter().collect::<Vec<_>>())?;
        Ok(pods)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PodNumber, &PodInterface)> {
        self.known.iter().map(|(number, known)| (*number, &known.interface))
    }

    pub(crate) fn get(&self, number: PodNumber) -> Option<&PodInterface> {
        self.known.get(&number).map(|known| &known.interface)
    }

    pub(crate) fn slot(&self, number: PodNumber) -> Option<u32> {
        self.known.get(&number).map(|known| known.slot)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.known.values().map(|known| known.slot)
    }

    /// The pod's word is empty before its interface is known. What the interface belonged to before is no
    /// longer a pod.
    pub(crate) fn add(
        &mut self,
        store: &mut impl Store,
        pod: &PodInterface,
    ) -> io::Result<PodNumber> {
        if pod.addresses.len() > types::limits::MAX_POD_ADDRESSES.0 as usize {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a pod has more than four addresses",
            ));
        }
        self.settle(store)?;
        let slot = self.free_slot().ok_or(io::ErrorKind::StorageFull)?;
        let number = PodNumber(self.last_number + 1);
        store.set_last_pod(number.0)?;
        self.last_number = number.0;
        store.set_policy(slot, 0);
        let usage = types::usage { pod: number.0, connections: 0 };
        put(store, Table::Usage, &slot, bytes_of(&usage))?;
        let of_pod = record(slot, number, pod);
        put(store, Table::Pods, &pod.interface, bytes_of(&of_pod))?;
        self.places.take(store, pod.interface, of_pod)?;
        self.last_slot = slot;
        let before = self.at(pod.interface);
        self.known.insert(number, Known { slot, interface: pod.clone() });
        if let Some(before) = before {
            self.forget_addresses(store, before)?;
        }
        self.place_addresses(store, &pod.addresses)?;
        Ok(number)
    }

    /// Each is at the interface of the pod that claimed it first, and of nobody's if nobody has it.
    fn place_addresses(&self, store: &mut impl Store, addresses: &[IpAddr]) -> io::Result<()> {
        let (mut here, mut gone) = (Batch::default(), Batch::default());
        for of in addresses {
            let mut known = self.known.values().map(|known| &known.interface);
            match known.find(|pod| pod.addresses.contains(of)) {
                Some(pod) => here.entry(bytes_of(&address(*of)), &pod.interface.to_ne_bytes()),
                None => gone.key(bytes_of(&address(*of))),
            }
        }
        if gone.len > 0 {
            store.remove(Table::LocalAddresses, &gone)?;
        }
        if here.len > 0 { store.put(Table::LocalAddresses, &here) } else { Ok(()) }
    }

    /// The pod at an interface.
    pub(crate) fn at(&self, interface: u32) -> Option<PodNumber> {
        let mut known = self.known.iter();
        known.find(|(_, known)| known.interface.interface == interface).map(|(number, _)| *number)
    }

    /// A pod of which nobody had told the uid.
    pub(crate) fn tell_uid(
        &mut self,
        store: &mut impl Store,
        number: PodNumber,
        uid: [u8; 16],
    ) -> io::Result<()> {
        self.settle(store)?;
        let Some(known) = self.known.get_mut(&number) else { return Ok(()) };
        known.interface.uid = uid;
        let record = record(known.slot, number, &known.interface);
        self.unsettled = true;
        put(store, Table::Pods, &known.interface.interface, bytes_of(&record))
    }

    pub(crate) fn remove(&mut self, store: &mut impl Store, number: PodNumber) -> io::Result<()> {
        let Some(known) = self.known.get(&number) else { return Ok(()) };
        let mut interface = Batch::default();
        interface.key(&known.interface.interface.to_ne_bytes());
        self.places.leave(store, known.interface.interface)?;
        store.remove(Table::Pods, &interface)?;
        self.forget_addresses(store, number)
    }

    /// It is no longer known.
    fn forget_addresses(&mut self, store: &mut impl Store, number: PodNumber) -> io::Result<()> {
        self.unsettled = true;
        let Some(known) = self.known.remove(&number) else { return Ok(()) };
        self.place_addresses(store, &known.interface.addresses)
    }

    /// A packet that found the entry of a removed pod must not find another's in its place.
    fn settle(&mut self, store: &mut impl Store) -> io::Result<()> {
        if self.unsettled {
            store.wait_for_packets()?;
            self.unsettled = false;
        }
        Ok(())
    }

    fn free_slot(&self) -> Option<u32> {
        let taken: BTreeSet<u32> = self.slots().collect();
        (1..=MAX_SLOTS)
            .map(|step| (self.last_slot + step) % MAX_SLOTS)
            .find(|slot| !taken.contains(slot))
    }
}

pub(crate) fn interface_of(interface: u32, pod: &types::pod) -> PodInterface {
    let addresses = pod.addresses.iter().take(pod.n_addresses as usize).map(address_of);
    PodInterface {
        interface,
        addresses: addresses.collect(),
        open_until_policy: pod.flags & types::pod_flags::POD_OPEN_UNTIL_POLICY.0 != 0,
        uid: pod.uid,
    }
}

fn put<K: crate::wire::Wire>(
    store: &mut impl Store,
    table: Table,
    key: &K,
    value: &[u8],
) -> io::Result<()> {
    let mut entry = Batch::default();
    entry.entry(bytes_of(key), value);
    store.put(table, &entry)
}

fn record(slot: u32, number: PodNumber, pod: &PodInterface) -> types::pod {
    let mut record = types::pod {
        slot,
        id: number.0,
        n_addresses: u32::try_from(pod.addresses.len()).unwrap_or_default(),
        flags: if pod.open_until_policy { types::pod_flags::POD_OPEN_UNTIL_POLICY.0 } else { 0 },
        uid: pod.uid,
        ..types::pod::default()
    };
    for (slot, of) in record.addresses.iter_mut().zip(&pod.addresses) {
        *slot = address(*of);
    }
    record
}
