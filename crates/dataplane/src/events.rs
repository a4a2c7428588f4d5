//! The ring of events, read as sightings.
//!
//! Each CPU numbers its events. A gap is a loss, and the next sighting of that CPU says how much was lost.

use crate::kernel_store::of_libbpf;
use crate::layout::Layout;
use crate::skeleton::types::{
    self, cause, connection_flags, event, event_kind, limits, verdict_bits,
};
use crate::wire::{address_of, value_of};
use flow_model::{Cause, Counters, Report, SightedVerdicts, Sighting, Timestamp};
use libbpf_rs::{MapHandle, RingBuffer, RingBufferBuilder};
use net_types::Protocol;
use nix::time::{ClockId, clock_gettime};
use policy_model::Direction;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

/// A reader of the ring. There is one at a time: what it takes is gone.
pub struct Events {
    ring: RingBuffer<'static>,
    found: Rc<RefCell<Vec<event>>>,
    /// By CPU: the number that its next event should have.
    next: BTreeMap<u16, u32>,
    /// What was read before this reader was made.
    backlog: Vec<Sighting>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Events {
    /// `backlog` is older than what the ring has.
    pub(crate) fn new(ring: &MapHandle, backlog: Vec<Sighting>) -> io::Result<Self> {
        Ok(Self { backlog, ..Self::read_by(ring, value_of::<event>)? })
    }

    /// Of a ring that an earlier schema's programs wrote to.
    pub(crate) fn of_layout(ring: &MapHandle, layout: Layout) -> io::Result<Self> {
        Self::read_by(ring, move |bytes| value_of::<event>(&layout.convert(bytes)?))
    }

    fn read_by(
        ring: &MapHandle,
        read: impl Fn(&[u8]) -> Option<event> + 'static,
    ) -> io::Result<Self> {
        let found = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&found);
        let mut builder = RingBufferBuilder::new();
        let take = move |bytes: &[u8]| {
            sink.borrow_mut().extend(read(bytes));
            0
        };
        builder.add(ring, take).map_err(of_libbpf)?;
        Ok(Self {
            ring: builder.build().map_err(of_libbpf)?,
            found,
            next: BTreeMap::new(),
            backlog: Vec::new(),
        })
    }

    /// Everything that waits in the ring, oldest first.
    pub fn read(&mut self) -> io::Result<Vec<Sighting>> {
        self.ring.consume().map_err(of_libbpf)?;
        let clock = Clock::now()?;
        let found = std::mem::take(&mut *self.found.borrow_mut());
        let mut sightings = std::mem::take(&mut self.backlog);
        for event in found {
            let expected = self.next.insert(event.cpu, event.sequence.wrapping_add(1));
            // A number that went back is that of a data plane that was made anew.
            let lost = expected.map_or(0, |expected| event.sequence.wrapping_sub(expected));
            let lost = if lost > u32::MAX / 2 { 0 } else { lost };
            sightings.extend(sighting(&event, &clock, u64::from(lost)));
        }
        Ok(sightings)
    }
}

/// What is between the kernel's monotonic clock and the time of day.
struct Clock {
    offset: i128,
}

impl Clock {
    fn now() -> io::Result<Self> {
        let nanoseconds = |clock| -> io::Result<i128> {
            let time = clock_gettime(clock)?;
            Ok(i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))
        };
        let day = nanoseconds(ClockId::CLOCK_REALTIME)?;
        Ok(Self { offset: day - nanoseconds(ClockId::CLOCK_MONOTONIC)? })
    }

    fn time(&self, monotonic: u64) -> Timestamp {
        Timestamp(u64::try_from(i128::from(monotonic) + self.offset).unwrap_or_default())
    }
}

/// `None` for an event that this version does not know, which only another version's program writes.
fn sighting(event: &event, clock: &Clock, lost_before: u64) -> Option<Sighting> {
    let side = direction(event.direction)?;
    let report = report(event)?;
    let opened_by_pod = side == Direction::Egress;
    let [from_source, to_source] = if opened_by_pod { [1, 0] } else { [0, 1] };
    let of =
        |counters: [u64; 2], direction: usize| counters.get(direction).copied().unwrap_or_default();
    let flags = |direction: usize| event.tcp_flags.get(direction).copied().unwrap_or_default();
    let backend = (event.backend_port != 0)
        .then(|| SocketAddr::new(address_of(&event.backend), event.backend_port));
    let icmp = is_icmp(event.protocol).then_some((event.icmp_type, event.icmp_code));
    let rules = [event.rule, event.observed_rule, event.staged_rule];
    let observed = u32::from(event.flags) & connection_flags::CONNECTION_OBSERVED.0 != 0;
    let denied = matches!(report, Report::Denied | Report::Revoked | Report::Refused(_));
    Some(Sighting {
        time: clock.time(event.time),
        report,
        pod: event.pod,
        side,
        local: address_of(&event.local),
        remote: address_of(&event.remote),
        local_port: event.local_port,
        remote_port: event.remote_port,
        protocol: protocol(event.protocol),
        icmp,
        backend,
        profile: event.profile,
        vector: event.vector.iter().take(usize::from(event.n_words)).copied().collect(),
        verdicts: (event.profile != 0).then(|| verdicts(event.verdicts, rules)),
        dropped: denied && !observed,
        opened: (event.opened != 0).then(|| clock.time(event.opened)),
        counters: Counters {
            packets_forward: of(event.packets, from_source),
            packets_back: of(event.packets, to_source),
            bytes_forward: of(event.bytes, from_source),
            bytes_back: of(event.bytes, to_source),
            tcp_flags_forward: flags(from_source),
            tcp_flags_back: flags(to_source),
        },
        count: event.count.max(1),
        generation: event.generation,
        lost_before,
    })
}

fn direction(of: u8) -> Option<Direction> {
    match types::direction(u32::from(of)) {
        types::direction::INGRESS => Some(Direction::Ingress),
        types::direction::EGRESS => Some(Direction::Egress),
        _ => None,
    }
}

fn report(event: &event) -> Option<Report> {
    match event_kind(u32::from(event.kind)) {
        event_kind::EVENT_OPENED => Some(Report::Opened),
        event_kind::EVENT_CLOSED => Some(Report::Closed),
        event_kind::EVENT_ACTIVE => Some(Report::Active),
        event_kind::EVENT_DENIED if u32::from(event.cause) == cause::CAUSE_NO_POLICY_YET.0 => {
            Some(Report::Refused(Cause::NoPolicyYet))
        }
        event_kind::EVENT_DENIED => Some(Report::Denied),
        event_kind::EVENT_REVOKED => Some(Report::Revoked),
        event_kind::EVENT_REFUSED => Some(Report::Refused(refusal(event.cause)?)),
        _ => None,
    }
}

/// The causes behind `CAUSE_POLICY`, in the order of [`Cause::ALL`].
pub(crate) fn refusal(of: u8) -> Option<Cause> {
    let first = cause::CAUSE_NO_POLICY_YET.0;
    Cause::ALL.get(u32::from(of).checked_sub(first)? as usize).copied()
}

fn protocol(of: u8) -> Protocol {
    match of {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        132 => Protocol::Sctp,
        other => Protocol::Other(other),
    }
}

fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, 1 | 58)
}

/// `rules`: by the enforced policies, with the observed ones, with the staged ones too.
pub(crate) fn verdicts(bits: u8, rules: [u16; 3]) -> SightedVerdicts {
    let has = |bit: verdict_bits| u32::from(bits) & bit.0 != 0;
    let rule = |rule: u16| (u32::from(rule) != limits::NO_RULE.0).then_some(rule);
    let [enforced, observed, staged] = rules;
    SightedVerdicts {
        denied: has(verdict_bits::VERDICT_DENY),
        rule: rule(enforced),
        observed_denied: has(verdict_bits::VERDICT_OBSERVED_DENY),
        observed_rule: rule(observed),
        staged_denied: has(verdict_bits::VERDICT_STAGED_DENY),
        staged_rule: rule(staged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stand_in_the_kernels_order() {
        let of = |of: cause| refusal(u8::try_from(of.0).unwrap_or_default());
        assert_eq!(of(cause::CAUSE_POLICY), None);
        assert_eq!(of(cause::CAUSE_NO_POLICY_YET), Some(Cause::NoPolicyYet));
        assert_eq!(of(cause::CAUSE_VLAN), Some(Cause::Vlan));
        assert_eq!(of(cause::CAUSE_LINK_LOCAL), Some(Cause::LinkLocal));
        assert_eq!(of(cause::CAUSE_SERVICE_UNDECIDED), Some(Cause::ServiceUndecided));
        assert_eq!(of(cause::CAUSE_RING_FULL), None, "it is of events, not of packets");
    }

    #[test]
    fn what_no_policy_was_asked_about_is_refused_and_not_denied() {
        let of = |why: cause| {
            let kind = u8::try_from(event_kind::EVENT_DENIED.0).unwrap();
            report(&event { kind, cause: u8::try_from(why.0).unwrap(), ..event::default() })
        };
        assert_eq!(of(cause::CAUSE_POLICY), Some(Report::Denied));
        assert_eq!(of(cause::CAUSE_NO_POLICY_YET), Some(Report::Refused(Cause::NoPolicyYet)));
    }
}
