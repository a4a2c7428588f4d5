//! The addresses that are translated behind the pods' interfaces, as the kernel holds them.
//!
//! No word names a Service, so nothing flips. An address that is missing is decided as itself by the pod's
//! interface and by its backend behind the translation, and both must allow; one that is no longer translated
//! is its own backend. So an address that is there too early or too late opens nothing.

use super::store::{Batch, Store, Table};
use crate::skeleton::types;
use crate::wire::{address, bytes_of};
use net_types::Protocol;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use thiserror::Error;

/// Why the kernel does not know all Services, or knows some that are gone.
#[derive(Debug, Error)]
pub enum ServicesError {
    #[error("no Service has a port of {protocol}, as {address} would: nothing was changed")]
    NoPorts { address: IpAddr, protocol: Protocol },
    #[error(
        "cannot {doing} `services`: {source}; until a change succeeds, connections to Services that it lacks need a rule for the Service's address too"
    )]
    Kernel {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Services {
    /// `None`: the kernel is asked. Another process wrote them, or a write failed.
    known: Option<BTreeSet<Vec<u8>>>,
}

impl Services {
    /// Makes the kernel know these and no others. Returns how many entries it took.
    pub(crate) fn write(
        &mut self,
        store: &mut impl Store,
        wanted: &BTreeSet<(IpAddr, Protocol, u16)>,
    ) -> Result<u64, ServicesError> {
        let mut keys = wanted.iter().map(key).collect::<Result<BTreeSet<Vec<u8>>, _>>()?;
        keys.extend(wanted.iter().map(|(of, ..)| whole(*of)));
        let wanted = keys;
        let known = match self.known.take() {
            Some(known) => known,
            None => {
                let entries = store.entries(Table::Services).map_err(failed("read"))?;
                entries.keys().map(<[u8]>::to_vec).collect()
            }
        };
        let (mut puts, mut removals) = (Batch::default(), Batch::default());
        known.difference(&wanted).for_each(|key| removals.key(key));
        wanted.difference(&known).for_each(|key| puts.entry(key, &0_u32.to_ne_bytes()));
        // Removals first: they make room.
        if removals.len > 0 {
            store.remove(Table::Services, &removals).map_err(failed("remove entries of"))?;
        }
        if puts.len > 0 {
            store.put(Table::Services, &puts).map_err(failed("write"))?;
        }
        self.known = Some(wanted);
        Ok(u64::from(puts.len + removals.len))
    }
}

fn key((of, protocol, port): &(IpAddr, Protocol, u16)) -> Result<Vec<u8>, ServicesError> {
    if !protocol.has_ports() {
        return Err(ServicesError::NoPorts { address: *of, protocol: *protocol });
    }
    let protocol = u16::from(protocol.number());
    Ok(bytes_of(&types::service_key { address: address(*of), port: *port, protocol }).to_vec())
}

/// The address itself, for what is not translated.
fn whole(of: IpAddr) -> Vec<u8> {
    bytes_of(&types::service_key { address: address(of), ..types::service_key::default() }).to_vec()
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> ServicesError {
    move |source| ServicesError::Kernel { doing, source }
}
