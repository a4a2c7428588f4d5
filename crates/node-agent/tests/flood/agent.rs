//! What an agent does until it is killed.

use crate::fabric::{self, Place};
use crate::journal::{Entry, Journal, now};
use crate::traffic::{self, Sender};
use crate::world::{ALWAYS, Guest, SERVER, Variant, options, wanted};
use net_fabric::{Changes, Namespace};
use node_agent::Agent;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;

pub(crate) const GUESTS_AT_ONCE: usize = 25;

/// Guests whose links still vanish with the process that was killed have other places.
const PLACES_OF_LIVES: u32 = 8;
const FIRST_INTERFACE: u32 = 1_000;

/// Changes policies and has guests, so many times.
pub(crate) fn life(root: &Path, node: &Namespace, number: u32, rounds: usize, journal: &Journal) {
    let agent = Agent::open("node", root, &options()).unwrap();
    let mut life = Life { agent, journal, epoch: u64::from(number) << 32 };
    let mut variant = Variant::BOTH[number as usize % 2];
    life.change(variant, &[]);
    for round in 0..rounds {
        let places = places(number, u32::try_from(round).unwrap());
        let friend = round % 2 == 0;
        let namespaces = fabric::add_pods(node, &places);
        let guests: Vec<Guest> = places
            .iter()
            .map(|place| Guest { place: *place, friend, uid: uid(number, round) })
            .collect();
        variant = variant.other();
        life.change(variant, &guests);
        for guest in &namespaces {
            guest.enter(|| call(friend)).unwrap();
        }
        variant = variant.other();
        life.change(variant, &guests);
        life.change(variant.other(), &[]);
        let mut changes = Changes::default();
        for place in &places {
            changes.delete_link(place.interface);
        }
        changes.apply(node).unwrap();
        journal.write(Entry::Round);
    }
}

struct Life<'test> {
    agent: Agent,
    journal: &'test Journal,
    epoch: u64,
}

impl Life<'_> {
    fn change(&mut self, variant: Variant, guests: &[Guest]) {
        self.epoch += 1;
        let wanted = wanted(self.epoch, variant, guests);
        self.journal.write(Entry::Changes);
        let applied = self.agent.apply(wanted).unwrap();
        assert_eq!(applied.problems, []);
        self.journal.write(Entry::Holds(variant));
        self.agent.flows().unwrap();
        self.agent.turn().unwrap();
    }
}

/// The same addresses in each round.
fn places(life: u32, round: u32) -> Vec<Place> {
    let life = life % PLACES_OF_LIVES;
    let at_once = u32::try_from(GUESTS_AT_ONCE).unwrap();
    let first = FIRST_INTERFACE + (life * 2 + round % 2) * at_once;
    let address = |number: u32| {
        let [_, _, _, host] = (number + 1).to_be_bytes();
        IpAddr::from([10, 0, 64 + u8::try_from(life).unwrap(), host])
    };
    (0..at_once)
        .map(|number| Place { interface: first + number, address: address(number) })
        .collect()
}

fn uid(life: u32, round: usize) -> [u8; 16] {
    let mut uid = [3; 16];
    uid[..4].copy_from_slice(&life.to_be_bytes());
    uid[8..].copy_from_slice(&(round as u64).to_be_bytes());
    uid
}

/// Always from the same port, so that the next guest's datagrams look like this one's.
fn call(friend: bool) {
    let socket = UdpSocket::bind(("0.0.0.0", 5_000)).unwrap();
    let sender = if friend { Sender::Friend } else { Sender::Stranger };
    for _ in 0..3 {
        socket
            .send_to(&traffic::message(now(), sender), (fabric::place(SERVER).address, ALWAYS))
            .unwrap();
    }
}
