//! The epochs that are kept, and the join.

use crate::deciding::Deciding;
use crate::epoch::{Epoch, Known};
use flow_model::{
    Decider, End, Flow, FlowVerdict, Identity, Observer, Report, ServiceHop, Sighting, Timestamp,
    Trace,
};
use policy_model::Direction;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Gives sightings of one node their names.
#[derive(Debug)]
pub struct Attribution {
    node: Arc<str>,
    newest: Known,
    /// The oldest first; with the newest as many as `most`.
    older: VecDeque<Known>,
    most: NonZeroUsize,
}

impl Attribution {
    /// Keeps `most` epochs: late reports of older ones get no rule.
    pub fn new(node: Arc<str>, first: Epoch, most: NonZeroUsize) -> Self {
        Self { node, newest: Known::new(first), older: VecDeque::new(), most }
    }

    /// What holds from now on; `epoch` is newer than all before. Comes directly behind the write of its
    /// tables, also one that failed, and before sightings from behind its `since` are attributed: they may
    /// have a number that only this epoch knows.
    pub fn install(&mut self, epoch: Epoch) {
        let before = std::mem::replace(&mut self.newest, Known::new(epoch));
        self.older.push_back(before);
        while self.older.len() >= self.most.get() {
            self.older.pop_front();
        }
    }

    pub fn attribute(&mut self, sighting: &Sighting) -> Flow {
        let decided = self.decided(sighting);
        let epoch = decided.as_ref().map(|known| known.epoch.number);
        let deciding = Deciding::of(sighting, decided);
        let node = Arc::clone(&self.node);
        let known = self.in_force(sighting.time);
        let (source, destination, service) = known.ends(sighting);
        let Deciding { decision, observed, staged, matched } = deciding;
        let exempt = || match sighting.report {
            Report::Refused(_) => None,
            Report::Opened | Report::Active | Report::Closed => {
                Some(Trace { verdict: FlowVerdict::Allow, decider: known.exemption(sighting) })
            }
            Report::Denied | Report::Revoked => {
                Some(Trace { verdict: FlowVerdict::Deny, decider: Decider::Unknown(None) })
            }
        };
        Flow {
            time: sighting.time,
            report: sighting.report,
            observer: Observer { node, side: sighting.side },
            source,
            destination,
            protocol: sighting.protocol,
            icmp: sighting.icmp,
            service,
            decision: decision.or_else(exempt),
            observed,
            staged,
            matched,
            dropped: sighting.dropped,
            opened: sighting.opened,
            counters: Some(sighting.counters),
            count: sighting.count,
            epoch,
            lost_before: sighting.lost_before,
        }
    }

    /// The epoch of that time, else the oldest that is kept.
    fn in_force(&mut self, time: Timestamp) -> &mut Known {
        if self.newest.epoch.since <= time {
            return &mut self.newest;
        }
        let at = self.older.iter().rposition(|known| known.epoch.since <= time);
        self.older.get_mut(at.unwrap_or_default()).unwrap_or(&mut self.newest)
    }

    /// The epoch whose tables decided, if it is certain which one that is.
    fn decided(&mut self, sighting: &Sighting) -> Option<&mut Known> {
        let by_word = self.newest_of(sighting.time, |known| known.has_word(sighting));
        let may_be_kept = match sighting.report {
            Report::Active | Report::Closed => {
                by_word.is_none_or(|at| self.epochs().nth(at).is_some_and(|it| it.keeps(sighting)))
            }
            Report::Opened | Report::Denied | Report::Revoked | Report::Refused(_) => false,
        };
        let at = if may_be_kept { self.since_opened(sighting) } else { by_word };
        let denying = || self.newest_of(sighting.time, |known| known.denies_everything(sighting));
        let at = at.or_else(denying)?;
        self.at(at)
    }

    /// A connection that its pod keeps has the generation of the last change and the profile from when it
    /// began, whose number the kernel may have given away again since. The epoch in which it began, if the
    /// pod's words asked for that number then, and for nothing else by that number up to the generation.
    fn since_opened(&self, sighting: &Sighting) -> Option<usize> {
        let opened = sighting.opened?;
        let began = self.epochs().take_while(|known| known.epoch.since <= opened).count();
        let began = began.checked_sub(1)?;
        let same_word = |known: &Known| known.generation(sighting) == Some(sighting.generation);
        let last = self.epochs().enumerate().filter(|(_, known)| same_word(known)).last();
        let end = last.map_or(self.older.len(), |(at, _)| at);
        // Until an epoch's tables are written, the words before it decide.
        let possible = self.epochs().enumerate().take(end + 1).skip(began.saturating_sub(1));
        let asking: Vec<(usize, &Known)> =
            possible.filter(|(_, known)| known.asks(sighting)).collect();
        let table = asking.first()?.1.table(sighting.profile)?;
        let same = |known: &Known| {
            known.table(sighting.profile).is_some_and(|other| other.rules() == table.rules())
        };
        if !asking.iter().all(|(_, known)| same(known)) {
            return None;
        }
        asking.iter().map(|(at, _)| *at).take_while(|at| *at <= began).last()
    }

    /// The newest not after `time` that is such, else the oldest that is.
    fn newest_of(&self, time: Timestamp, is_such: impl Fn(&Known) -> bool) -> Option<usize> {
        let mut such = self.epochs().enumerate().filter(|(_, known)| is_such(known));
        let first = such.next()?;
        let in_time = such.take_while(|(_, known)| known.epoch.since <= time);
        Some(in_time.last().unwrap_or(first).0)
    }

    /// The oldest first.
    fn epochs(&self) -> impl Iterator<Item = &Known> {
        self.older.iter().chain([&self.newest])
    }

    fn at(&mut self, index: usize) -> Option<&mut Known> {
        if index == self.older.len() {
            return Some(&mut self.newest);
        }
        self.older.get_mut(index)
    }
}

impl Known {
    /// Source, destination, and the Service that the source asked for.
    fn ends(&mut self, sighting: &Sighting) -> (End, End, Option<ServiceHop>) {
        let has_ports = sighting.protocol.has_ports();
        let port = |port: u16| (has_ports && port != 0).then_some(port);
        let local = match self.pod(sighting.pod).and_then(|id| self.identity(id)) {
            Some(pod) => Identity::Pod(pod),
            None => self.at(sighting.local),
        };
        let local =
            End { address: sighting.local, port: port(sighting.local_port), identity: local };
        let service = sighting.backend.map(|_| ServiceHop {
            address: sighting.remote,
            port: sighting.remote_port,
            name: self.service_at(sighting.remote),
        });
        let (address, remote_port) = match sighting.backend {
            Some(backend) => (backend.ip(), backend.port()),
            None => (sighting.remote, sighting.remote_port),
        };
        let remote = End { address, port: port(remote_port), identity: self.at(address) };
        match sighting.side {
            Direction::Egress => (local, remote, service),
            Direction::Ingress => (remote, local, service),
        }
    }
}
