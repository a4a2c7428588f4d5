//! A data plane over interfaces that carry nothing, and what it answers beside what it has to.

use crate::Counts;
use crate::engine::View;
use crate::packets::Programs;
use crate::world::{PORTS, PROTOCOLS, Step};
use dataplane::skeleton::types::limits;
use dataplane::{
    Answer, Established, Events, Inquiry, NodePlane, Options, PodInterface, PodMode, PodNumber,
    PodPolicy,
};
use flow_model::{Report, SightedVerdicts, Sighting};
use net_fabric::{Changes, HardwareAddress, LinkEnd, Namespace};
use net_types::Protocol;
use policy_engine::PodId;
use policy_model::Direction;
use policy_tables::{Evaluated, Tables};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

/// Where packets to pods come from.
pub(crate) const OUTSIDE: u32 = 1;
const FIRST_LINK: u32 = 100;
const N_LINKS: u32 = 16;
/// One question in so many goes to the oracle, which is slow, and one is a packet.
const TO_ORACLE: u64 = 13;
const AS_PACKET: u64 = 17;

pub(crate) struct Plane {
    root: PathBuf,
    n_made: u32,
    open: Option<Open>,
}

struct Open {
    node: NodePlane,
    programs: Programs,
    events: Events,
    numbers: BTreeMap<PodId, (PodNumber, PodInterface)>,
}

impl Plane {
    /// In the namespaces of the calling thread.
    pub(crate) fn open(root: &Path) -> Self {
        let namespace = Namespace::of_this_thread().unwrap();
        let mut changes = Changes::default();
        for index in FIRST_LINK..FIRST_LINK + N_LINKS {
            let end = |name, index| LinkEnd { name, index, hardware: HardwareAddress([2; 6]) };
            let (here, there) = (format!("pod{index}"), format!("far{index}"));
            changes.add_pair(end(&here, index), end(&there, index + N_LINKS), namespace.as_fd());
        }
        changes.apply(&namespace).unwrap();
        let mut plane = Self { root: root.to_owned(), n_made: 0, open: None };
        plane.renew();
        plane
    }

    /// Other maps, with nothing in them.
    pub(crate) fn renew(&mut self) {
        if let Some(open) = self.open.take() {
            open.node.detach().unwrap();
        }
        self.n_made += 1;
        let root = self.root.join(self.n_made.to_string());
        let mut node = NodePlane::open(&root, &Options::default()).unwrap();
        let programs = Programs::over(&root.join(format!("v{}/maps", limits::ABI_SCHEMA.0)));
        let events = node.events().unwrap();
        self.open = Some(Open { node, programs, events, numbers: BTreeMap::new() });
    }

    pub(crate) fn close(mut self) {
        self.open.take().unwrap().node.detach().unwrap();
    }

    /// A node without pods, whatever its tables hold.
    pub(crate) fn begin(&mut self) {
        let open = self.open.as_mut().unwrap();
        for (number, _) in std::mem::take(&mut open.numbers).into_values() {
            open.node.remove_pod(number).unwrap();
        }
    }

    pub(crate) fn write(&mut self, step: &Step, tables: &Tables) {
        self.open.as_mut().unwrap().write(step, tables);
    }

    pub(crate) fn compare(
        &mut self,
        step: &Step,
        tables: &Tables,
        counts: &mut Counts,
    ) -> Result<(), TestCaseError> {
        let open = self.open.as_mut().unwrap();
        let views = View::both(step);
        for pod in &step.locals {
            let view = |asked: &Inquiry| views.iter().find(|view| view.has(*pod, asked.peer));
            for asked in inquiries(step) {
                open.compare((step, *pod), (tables, view(&asked)), &asked, counts)?;
            }
        }
        open.programs.forget();
        Ok(())
    }
}

fn inquiries(step: &Step) -> impl Iterator<Item = Inquiry> + '_ {
    Direction::BOTH.into_iter().flat_map(move |direction| {
        step.peers.iter().flat_map(move |peer| {
            PROTOCOLS.into_iter().flat_map(move |protocol| {
                let ports = if protocol.has_ports() { &PORTS[..] } else { &[0] };
                let of =
                    move |port: &u16| Inquiry { direction, peer: *peer, protocol, port: *port };
                ports.iter().map(of)
            })
        })
    })
}

impl Open {
    /// Pods that came or went, and then the policies of all.
    fn write(&mut self, step: &Step, tables: &Tables) {
        let wanted: BTreeMap<PodId, PodInterface> = (step.locals.iter().zip(FIRST_LINK..))
            .map(|(pod, interface)| {
                let addresses = step.addresses(*pod).to_vec();
                (
                    *pod,
                    PodInterface { interface, addresses, open_until_policy: false, uid: [0; 16] },
                )
            })
            .collect();
        let known = std::mem::take(&mut self.numbers);
        for (pod, (number, interface)) in known {
            if wanted.get(&pod) == Some(&interface) {
                self.numbers.insert(pod, (number, interface));
            } else {
                self.node.remove_pod(number).unwrap();
            }
        }
        for (pod, interface) in wanted {
            if !self.numbers.contains_key(&pod) {
                let number = self.node.add_pod(&interface).unwrap();
                self.numbers.insert(pod, (number, interface));
            }
        }
        let (mode, established) = (PodMode::Enforce, Established::Revoke);
        let policies: Vec<PodPolicy> = (self.numbers.iter())
            .map(|(pod, (number, _))| PodPolicy { number: *number, pod: *pod, mode, established })
            .collect();
        self.node.write(tables, &policies).unwrap();
    }

    fn compare(
        &mut self,
        (step, pod): (&Step, PodId),
        (tables, view): (&Tables, Option<&View>),
        asked: &Inquiry,
        counts: &mut Counts,
    ) -> Result<(), TestCaseError> {
        let ids = tables.pods()[&pod];
        let id = match asked.direction {
            Direction::Ingress => ids.ingress,
            Direction::Egress => ids.egress,
        };
        let expected = tables.evaluate(id, asked.peer, asked.protocol, asked.port).unwrap();
        let (number, interface) = self.numbers[&pod].clone();
        let found = self.node.ask(number, asked).unwrap();
        let same = matches!(&found, Some(Answer::Decided { vector, verdicts, .. })
            if *vector == expected.vector && *verdicts == sighted(&expected));
        let name = || &step.program.pod(pod).unwrap().name;
        prop_assert!(same, "{} {asked:?}: {found:?} is not {expected:?}", name());
        counts.by_tables += 1;
        let Some(view) = view else { return Ok(()) };
        if let Some(allow) = view.by_engine(pod, asked) {
            prop_assert_eq!(expected.enforced.allow, allow, "engine: {} {:?}", name(), asked);
            counts.by_engine += 1;
            if counts.by_tables.is_multiple_of(TO_ORACLE)
                && let Some(allow) = view.by_oracle(pod, asked)
            {
                prop_assert_eq!(expected.enforced.allow, allow, "oracle: {} {:?}", name(), asked);
                counts.by_oracle += 1;
            }
        }
        if counts.by_tables.is_multiple_of(AS_PACKET)
            && !matches!(asked.protocol, Protocol::Other(_))
        {
            self.compare_packet((&interface, number), &expected, asked)?;
            counts.packets += 1;
        }
        Ok(())
    }

    /// The packet passes or not, and the event says why.
    fn compare_packet(
        &mut self,
        (interface, number): (&PodInterface, PodNumber),
        expected: &Evaluated,
        asked: &Inquiry,
    ) -> Result<(), TestCaseError> {
        let mut own = interface.addresses.iter();
        let own = own.find(|own| own.is_ipv4() == asked.peer.is_ipv4()).unwrap();
        let passed = self.programs.pass(interface.interface, *own, asked);
        prop_assert_eq!(passed, expected.enforced.allow, "packet {:?}", asked);
        let sightings = self.events.read().unwrap();
        let [Sighting { report, pod, vector, verdicts, .. }] = &sightings[..] else {
            return Err(TestCaseError::fail(format!("{asked:?}: not one event: {sightings:?}")));
        };
        let told = if passed { Report::Opened } else { Report::Denied };
        prop_assert_eq!((*report, *pod), (told, number.0), "packet {:?}", asked);
        prop_assert_eq!(vector, &expected.vector, "packet {:?}", asked);
        prop_assert_eq!(*verdicts, Some(sighted(expected)), "packet {:?}", asked);
        Ok(())
    }
}

fn sighted(expected: &Evaluated) -> SightedVerdicts {
    let rule = |rule: Option<usize>| rule.map(|bit| u16::try_from(bit).unwrap());
    SightedVerdicts {
        denied: !expected.enforced.allow,
        rule: rule(expected.enforced.rule),
        observed_denied: !expected.observed.allow,
        observed_rule: rule(expected.observed.rule),
        staged_denied: !expected.staged.allow,
        staged_rule: rule(expected.staged.rule),
    }
}
