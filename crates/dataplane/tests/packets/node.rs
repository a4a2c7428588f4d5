//! One node with one pod: the loaded object, its tables, and what packets do to them.

use crate::bytes::{bytes_of, value_of};
use crate::rules::{Action, Mode, Peer, Ports, Rule, Tier};
use dataplane::DEFAULT_SETTINGS;
use dataplane::skeleton::types::{self, cause, event_kind};
use dataplane::skeleton::{DataPlaneMaps, DataPlaneSkel};
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::{MapCore, MapFlags, OpenObject, ProgramInput, RingBufferBuilder};
use nix::sched::{CloneFlags, unshare};
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Mutex;

pub(crate) const POD: &str = "10.0.0.1";
pub(crate) const POD6: &str = "fd00::1";
pub(crate) const POD_ID: u32 = 7;
pub(crate) const SLOT: u32 = 3;

/// The only interface of a new network namespace stands in for the pod's.
const INTERFACE: u32 = 1;
const ELSEWHERE: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Drop,
}
pub(crate) use Verdict::{Drop, Pass};

/// Loaded objects that no test uses: the verifier takes longer than most tests.
static IDLE: Mutex<Vec<DataPlaneSkel<'static>>> = Mutex::new(Vec::new());

pub(crate) struct Node {
    /// `None` once it is given back.
    skeleton: Option<DataPlaneSkel<'static>>,
    /// With settings of its own it is of no use to others.
    shared: bool,
    events: Rc<RefCell<Vec<types::event>>>,
    ring: libbpf_rs::RingBuffer<'static>,
}

/// What the word of `policies` says of the pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) ingress: u64,
    pub(crate) egress: u64,
    pub(crate) column: u64,
    pub(crate) observe: bool,
    pub(crate) keep: bool,
    pub(crate) generation: u64,
}

pub(crate) const WORD: Word =
    Word { ingress: 1, egress: 2, column: 0, observe: false, keep: false, generation: 1 };

impl Word {
    fn encoded(self) -> u64 {
        self.ingress
            | self.egress << 16
            | self.column << 32
            | u64::from(self.observe) << 33
            | u64::from(self.keep) << 34
            | self.generation << 35
    }
}

pub(crate) fn address(text: &str) -> types::address {
    let bytes = match text.parse().unwrap() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    value_of(&bytes)
}

impl Node {
    /// A node whose pod has the given rules: profile 1 for ingress, profile 2 for egress.
    pub(crate) fn new(ingress: &[Rule], egress: &[Rule]) -> Self {
        let idle = IDLE.lock().unwrap().pop();
        Self::on(idle.unwrap_or_else(|| loaded(&DEFAULT_SETTINGS)), true, ingress, egress)
    }

    pub(crate) fn with_settings(
        settings: &types::settings,
        ingress: &[Rule],
        egress: &[Rule],
    ) -> Self {
        Self::on(loaded(settings), false, ingress, egress)
    }

    fn on(
        skeleton: DataPlaneSkel<'static>,
        shared: bool,
        ingress: &[Rule],
        egress: &[Rule],
    ) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of its own needs root");
        let events = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&events);
        let mut ring = RingBufferBuilder::new();
        ring.add(&skeleton.maps.events, move |bytes| {
            sink.borrow_mut().push(value_of(bytes));
            0
        })
        .unwrap();
        let ring = ring.build().unwrap();
        let node = Self { skeleton: Some(skeleton), shared, events, ring };
        node.clear();
        node.write_pod(&[POD, POD6], 0);
        node.profile(1, ingress);
        node.profile(2, egress);
        node.word(WORD);
        node
    }

    fn skeleton(&self) -> &DataPlaneSkel<'static> {
        self.skeleton.as_ref().unwrap()
    }

    /// What an earlier test left in the tables.
    fn clear(&self) {
        let maps = self.maps();
        let hashes: [&dyn MapCoreKeys; 8] = [
            &maps.addresses,
            &maps.connections,
            &maps.denials,
            &maps.fragments,
            &maps.networks,
            &maps.pods,
            &maps.services,
            &maps.vectors,
        ];
        for map in hashes {
            map.delete_all();
        }
        let none = vec![0; 2 * 65536];
        for key in 0..6_u32 {
            maps.port_classes.update(bytes_of(&key), &none, MapFlags::ANY).unwrap();
        }
        let cpus = libbpf_rs::num_possible_cpus().unwrap();
        for key in 0..cause::N_CAUSES.0 {
            let zeros = vec![vec![0; 8]; cpus];
            maps.counters.update_percpu(bytes_of(&key), &zeros, MapFlags::ANY).unwrap();
        }
        let zeros = vec![vec![0; 4]; cpus];
        maps.sequences.update_percpu(bytes_of(&0_u32), &zeros, MapFlags::ANY).unwrap();
        self.raw_events();
    }

    pub(crate) fn maps(&self) -> &DataPlaneMaps<'static> {
        &self.skeleton().maps
    }

    pub(crate) fn write_pod(&self, addresses: &[&str], flags: u32) {
        self.write_pod_with(POD_ID, addresses, flags);
    }

    /// Another pod at the interface, and its slot is a new one's.
    pub(crate) fn write_next_pod(&self) {
        self.write_pod_with(POD_ID + 1, &[POD, POD6], 0);
    }

    fn write_pod_with(&self, id: u32, addresses: &[&str], flags: u32) {
        let mut pod = types::pod { slot: SLOT, id, flags, ..types::pod::default() };
        pod.n_addresses = u32::try_from(addresses.len()).unwrap();
        for (slot, text) in pod.addresses.iter_mut().zip(addresses) {
            *slot = address(text);
        }
        self.put(&self.maps().pods, &INTERFACE, &pod);
        self.place(INTERFACE, pod);
        self.put(&self.maps().usage, &SLOT, &types::usage { pod: id, connections: 0 });
    }

    /// Who has the place where packets of the pod look first.
    pub(crate) fn place(&self, interface: u32, pod: types::pod) {
        let placed = types::placed_pod { interface, pod };
        self.put(&self.maps().placed_pods, &INTERFACE, &placed);
    }

    pub(crate) fn word(&self, word: Word) {
        self.put(&self.maps().policies, &SLOT, &word.encoded());
    }

    pub(crate) fn put<K: crate::bytes::Plain, V: crate::bytes::Plain>(
        &self,
        map: &impl MapCore,
        key: &K,
        value: &V,
    ) {
        map.update(bytes_of(key), bytes_of(value), MapFlags::ANY).unwrap();
    }

    /// An address is of a class, in both columns.
    pub(crate) fn class(&self, text: &str, class: u32) {
        self.classes(text, [class; 2]);
    }

    /// An address has a class in each column.
    pub(crate) fn classes(&self, text: &str, classes: [u32; 2]) {
        for (column, class) in (0..).zip(classes) {
            let key = types::address_key { address: address(text), column };
            self.put(&self.maps().addresses, &key, &class);
        }
    }

    /// A network has a class, in both columns; an IPv4 prefix counts from 96.
    pub(crate) fn network(&self, text: &str, prefix: u32, class: u32) {
        for column in 0..2_u32 {
            let key = types::network_key {
                prefix_length: 32 + prefix,
                column: column.to_be(),
                address: address(text),
            };
            self.put(&self.maps().networks, &key, &class);
        }
    }

    pub(crate) fn give_slot_to(&self, pod: u32) {
        self.put(&self.maps().usage, &SLOT, &types::usage { pod, connections: 0 });
    }

    pub(crate) fn forget_pod(&self) {
        self.maps().pods.delete(bytes_of(&INTERFACE)).unwrap();
        self.place(0, types::pod::default());
    }

    /// A port is of a class, in both columns; `protocol` as in `port_protocol`.
    pub(crate) fn port_class(&self, protocol: u32, port: u16, class: u16) {
        for column in 0..2 {
            let key = column * 3 + protocol;
            let map = &self.maps().port_classes;
            let mut bytes = map.lookup(bytes_of(&key), MapFlags::ANY).unwrap().unwrap();
            let at = usize::from(port) * 2;
            bytes[at..at + 2].copy_from_slice(&class.to_ne_bytes());
            map.update(bytes_of(&key), &bytes, MapFlags::ANY).unwrap();
        }
    }

    /// Writes a profile and the vectors of its classes.
    pub(crate) fn profile(&self, id: u32, rules: &[Rule]) {
        let tier_end = |last: &[Tier]| {
            let count = rules.iter().take_while(|rule| last.contains(&rule.tier)).count();
            u32::try_from(count).unwrap()
        };
        let mut profile = types::profile {
            n_words: u32::try_from(rules.len().div_ceil(64)).unwrap(),
            admin_end: tier_end(&[Tier::Admin]),
            baseline_start: tier_end(&[Tier::Admin, Tier::NetworkPolicy]),
            flags: types::profile_flags::PROFILE_WRITTEN.0,
            ..types::profile::default()
        };
        for (index, rule) in rules.iter().enumerate() {
            let word = &mut profile.words[index / 64];
            let bit = 1_u64 << (index % 64);
            match rule.mode {
                Mode::Enforced => word.enforced |= bit,
                Mode::Observed => word.observed |= bit,
                Mode::Staged => word.staged |= bit,
            }
            match rule.action {
                Action::Allow => {}
                Action::Deny => word.denies |= bit,
                Action::Pass => word.passes |= bit,
            }
            match rule.peer {
                Peer::Any => word.any_peer |= bit,
                Peer::Class(class) => self.name(id, class, index, 0),
            }
            match rule.ports {
                Ports::All => word.all_ports |= bit,
                Ports::Class(class) => self.name(id, class.into(), index, 1),
            }
        }
        self.put(&self.maps().profiles, &id, &profile);
    }

    fn name(&self, profile: u32, class: u32, rule: usize, kind: u32) {
        let word = u32::try_from(rule / 64).unwrap();
        let key = types::vector_key { profile, class_and_word: class << 4 | word, kind };
        let map = &self.maps().vectors;
        let old = map.lookup(bytes_of(&key), MapFlags::ANY).unwrap();
        let vector = old.map_or(0, |bytes| value_of::<u64>(&bytes)) | 1 << (rule % 64);
        self.put(map, &key, &vector);
        // In every profile; the kernel asks for it in long ones.
        let key = types::vector_key { profile, class_and_word: class << 4, kind: kind + 2 };
        let old = map.lookup(bytes_of(&key), MapFlags::ANY).unwrap();
        let summary = old.map_or(0, |bytes| value_of::<u64>(&bytes)) | 1 << word;
        self.put(map, &key, &summary);
    }

    pub(crate) fn sends(&self, frame: &[u8]) -> Verdict {
        verdict(self.run(&self.skeleton().progs.from_pod, frame, INTERFACE, 0))
    }

    /// A packet that the kernel put together from several.
    pub(crate) fn sends_merged(&self, frame: &[u8]) -> Verdict {
        verdict(self.run(&self.skeleton().progs.from_pod, frame, INTERFACE, 1))
    }

    /// From another interface, so that it is not the node's own traffic.
    pub(crate) fn receives(&self, frame: &[u8]) -> Verdict {
        verdict(self.run(&self.skeleton().progs.to_pod, frame, ELSEWHERE, 0))
    }

    /// From where the interface leads: the pod asked a Service and was given itself.
    pub(crate) fn receives_from_itself(&self, frame: &[u8]) -> Verdict {
        verdict(self.run(&self.skeleton().progs.to_pod, frame, INTERFACE, 0))
    }

    /// From a socket of the node itself.
    pub(crate) fn receives_from_node(&self, frame: &[u8]) -> Verdict {
        verdict(self.run(&self.skeleton().progs.to_pod, frame, 0, 0))
    }

    pub(crate) fn run(
        &self,
        program: &libbpf_rs::ProgramMut<'_>,
        frame: &[u8],
        ingress_ifindex: u32,
        gso_size: u32,
    ) -> u32 {
        let context = types::__sk_buff {
            ifindex: INTERFACE,
            ingress_ifindex,
            gso_size,
            ..types::__sk_buff::default()
        };
        let mut context = bytes_of(&context).to_vec();
        let input = ProgramInput {
            context_in: Some(&mut context),
            data_in: Some(frame),
            ..ProgramInput::default()
        };
        program.test_run(input).unwrap().return_value
    }

    /// The events since the last call, in words.
    pub(crate) fn events(&self) -> Vec<String> {
        self.raw_events().iter().map(summary).collect()
    }

    pub(crate) fn raw_events(&self) -> Vec<types::event> {
        self.ring.consume().unwrap();
        self.events.borrow_mut().drain(..).collect()
    }

    pub(crate) fn sweep(&self) {
        self.skeleton().progs.sweep.test_run(ProgramInput::default()).unwrap();
    }

    /// From here on the kernel sweeps by itself.
    pub(crate) fn begin_watch(&self) {
        let mut any = [0; 64];
        let input = ProgramInput {
            data_in: Some(&[0; 64]),
            data_out: Some(&mut any),
            ..Default::default()
        };
        assert_eq!(self.skeleton().progs.watch.test_run(input).unwrap().return_value, u32::MAX);
    }

    pub(crate) fn connections(&self) -> Vec<(types::connection_key, types::connection)> {
        let map = &self.maps().connections;
        let entry = |key: Vec<u8>| {
            let value = map.lookup(&key, MapFlags::ANY).unwrap().unwrap();
            (value_of(&key), value_of(&value))
        };
        map.keys().map(entry).collect()
    }

    /// Of the only connection, by direction.
    pub(crate) fn packets(&self) -> [u64; 2] {
        let [(_, connection)] = self.connections()[..] else { panic!("not one connection") };
        let recent = connection.recent.map(|word| u64::from(word >> 24));
        [connection.packets[0] + recent[0], connection.packets[1] + recent[1]]
    }

    /// The state of the only connection.
    pub(crate) fn state(&self) -> types::tcp_state {
        let [(_, connection)] = self.connections()[..] else { panic!("not one connection") };
        types::tcp_state(connection.state.into())
    }

    /// Lets the only connection have been silent for so long.
    pub(crate) fn silent_for(&self, nanoseconds: u64) {
        for (key, mut connection) in self.connections() {
            connection.seen = connection.seen.saturating_sub(nanoseconds);
            self.put(&self.maps().connections, &key, &connection);
        }
    }

    pub(crate) fn count(&self, of: cause) -> u64 {
        let counts =
            self.maps().counters.lookup_percpu(bytes_of(&of.0), MapFlags::ANY).unwrap().unwrap();
        counts.iter().map(|count| value_of::<u64>(count)).sum()
    }

    /// How many numbers events were given, on all CPUs.
    pub(crate) fn numbered(&self) -> u64 {
        let key = bytes_of(&0_u32);
        let numbers = self.maps().sequences.lookup_percpu(key, MapFlags::ANY).unwrap().unwrap();
        numbers.iter().map(|number| u64::from(value_of::<u32>(&number[..4]))).sum()
    }

    pub(crate) fn used(&self) -> u32 {
        let usage = self.maps().usage.lookup(bytes_of(&SLOT), MapFlags::ANY).unwrap().unwrap();
        value_of::<types::usage>(&usage).connections
    }
}

impl std::ops::Drop for Node {
    fn drop(&mut self) {
        let skeleton = self.skeleton.take();
        if self.shared
            && let Ok(mut idle) = IDLE.lock()
        {
            idle.extend(skeleton);
        }
    }
}

/// Emptying a table, whatever its type.
trait MapCoreKeys {
    fn delete_all(&self);
}

impl<M: MapCore> MapCoreKeys for M {
    fn delete_all(&self) {
        let keys: Vec<_> = self.keys().collect();
        for key in keys {
            self.delete(&key).unwrap();
        }
    }
}

/// The object in the kernel, with tables that a test can fill.
fn loaded(settings: &types::settings) -> DataPlaneSkel<'static> {
    // The object borrows it for good; it is a pointer's size.
    let storage: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = dataplane::open(storage, settings).unwrap();
    open.maps.connections.set_max_entries(64).unwrap();
    open.maps.denials.set_max_entries(64).unwrap();
    open.maps.fragments.set_max_entries(64).unwrap();
    open.maps.addresses.set_max_entries(64).unwrap();
    open.maps.vectors.set_max_entries(1024).unwrap();
    open.maps.networks.set_max_entries(64).unwrap();
    open.maps.events.set_max_entries(65536).unwrap();
    open.load().unwrap()
}

fn verdict(returned: u32) -> Verdict {
    match returned {
        2 => Drop,
        u32::MAX => Pass,
        other => panic!("the program returned {other}"),
    }
}

fn summary(event: &types::event) -> String {
    let kind = match event_kind(event.kind.into()) {
        event_kind::EVENT_OPENED => "opened",
        event_kind::EVENT_CLOSED => "closed",
        event_kind::EVENT_ACTIVE => "active",
        event_kind::EVENT_DENIED => "denied",
        event_kind::EVENT_REVOKED => "revoked",
        event_kind::EVENT_REFUSED => "refused",
        other => panic!("no such event: {other:?}"),
    };
    let direction = if event.direction == 0 { "ingress" } else { "egress" };
    let rule = if event.rule == u16::MAX { "-".to_owned() } else { event.rule.to_string() };
    format!("{kind} {direction} rule {rule} cause {}", event.cause)
}
