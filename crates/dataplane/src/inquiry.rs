//! Asks the kernel's tables what they answer, without a packet.

use crate::calls;
use crate::events;
use crate::skeleton::types::{cause, direction, inquiry};
use crate::wire::{address, bytes_of, value_of};
use flow_model::{Cause, SightedVerdicts};
use net_types::Protocol;
use policy_model::Direction;
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

/// A packet that would open a connection, at one side of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inquiry {
    pub direction: Direction,
    /// The other end.
    pub peer: IpAddr,
    pub protocol: Protocol,
    /// Of the destination; 0 where the protocol has none.
    pub port: u16,
}

/// By the very function that decides packets, on the tables that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Decided {
        /// A number of [`NodePlane::profiles`](crate::NodePlane::profiles).
        profile: u32,
        /// Every rule that matches, as bits, 64 in a word.
        vector: Vec<u64>,
        verdicts: SightedVerdicts,
    },
    /// No policy yet, or a table without an entry that it must have.
    Refused(Cause),
}

pub(crate) fn ask(program: BorrowedFd<'_>, slot: u32, asked: &Inquiry) -> io::Result<Answer> {
    let side = match asked.direction {
        Direction::Ingress => direction::INGRESS,
        Direction::Egress => direction::EGRESS,
    };
    let question = inquiry {
        remote: address(asked.peer),
        slot,
        direction: side.0,
        protocol: u32::from(asked.protocol.number()),
        port: u32::from(asked.port),
        ..inquiry::default()
    };
    let mut bytes = bytes_of(&question).to_vec();
    calls::run_over(program, &mut bytes)?;
    let found: inquiry = value_of(&bytes).ok_or(io::ErrorKind::InvalidData)?;
    if ![cause::CAUSE_NONE.0, cause::CAUSE_POLICY.0].contains(&found.cause) {
        let of = u8::try_from(found.cause).ok().and_then(events::refusal);
        return of.map(Answer::Refused).ok_or_else(|| io::ErrorKind::InvalidData.into());
    }
    let rules = [found.rule, found.observed_rule, found.staged_rule];
    Ok(Answer::Decided {
        profile: found.profile,
        vector: found.vector.into_iter().take(found.n_words as usize).collect(),
        verdicts: events::verdicts(found.verdicts, rules),
    })
}
