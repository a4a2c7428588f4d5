//! No packet sees half of a change: not between two entries, not after a failure, and not when it was
//! already on its way.

mod memory;
mod services;

use super::{Established, Place, PodMode, PolicyWord, Store, Table, Writer};
use memory::{Memory, Packet, Seen};
use net_types::Protocol;
use policy_engine::{Assumptions, PodId, Program};
use policy_model::{Direction, Snapshot};
use policy_oracle::worlds::{Contents, snapshots};
use policy_tables::{LocalPod, Modes, ProfileId, Tables};
use proptest::prelude::*;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

const PORTS: [u16; 4] = [53, 80, 8080, 65_535];

struct Step {
    tables: Tables,
    expected: Vec<Seen>,
}

struct World {
    places: Vec<Place>,
    packets: Vec<Packet>,
    steps: Vec<Step>,
}

/// The same pods under other policies in each step.
fn world(snapshot: &Snapshot, masks: &[u16]) -> World {
    let mut snapshot = snapshot.clone();
    for (pod, host) in snapshot.pods.iter_mut().zip(1..) {
        if pod.addresses.is_empty() && !pod.host_network {
            pod.addresses = vec![IpAddr::from([10, 9, 0, host])];
        }
    }
    let program = Program::compile(snapshot.clone(), Assumptions::default());
    let locals: Vec<PodId> =
        program.pods().filter(|(_, pod)| !pod.host_network).map(|(id, _)| id).collect();
    let place = |(pod, slot): (&PodId, u32)| Place {
        slot,
        pod: *pod,
        mode: PodMode::Enforce,
        established: Established::Revoke,
    };
    let places: Vec<Place> = locals.iter().zip(3..).map(place).collect();
    let peers: Vec<IpAddr> = program.pods().flat_map(|(_, pod)| pod.addresses.clone()).collect();
    let packets = packets(&places, &peers);
    let mut steps: Vec<Step> = Vec::new();
    for mask in masks {
        let mut snapshot = snapshot.clone();
        let mut kept = (0..16).map(|bit| mask >> bit & 1 == 1).cycle();
        snapshot.policies.retain(|_, _| kept.next() == Some(true));
        let program = Program::compile(snapshot, Assumptions::default());
        let pods: Vec<LocalPod> = locals.iter().map(|pod| LocalPod { pod: *pod }).collect();
        let previous = steps.last().map(|step| &step.tables);
        let tables = Tables::build(&program, &pods, &Modes::default(), previous);
        let expected = packets.iter().map(|packet| by_tables(&tables, &places, packet)).collect();
        steps.push(Step { tables, expected });
    }
    World { places, packets, steps }
}

fn packets(places: &[Place], peers: &[IpAddr]) -> Vec<Packet> {
    let outside = [IpAddr::from([8, 8, 8, 8]), IpAddr::from([10, 9, 200, 1])];
    let mut packets = Vec::new();
    for place in places {
        for direction in Direction::BOTH {
            for peer in peers.iter().chain(&outside) {
                let slot = place.slot;
                let of = |protocol, port| Packet { slot, direction, peer: *peer, protocol, port };
                packets.extend(PORTS.map(|port| of(Protocol::Tcp, port)));
                packets.push(of(Protocol::Udp, 53));
                packets.push(of(Protocol::Other(1), 0));
            }
        }
    }
    packets
}

fn by_tables(tables: &Tables, places: &[Place], packet: &Packet) -> Seen {
    let place = places.iter().find(|place| place.slot == packet.slot)?;
    let pod = tables.pods().get(&place.pod)?;
    let profile = match packet.direction {
        Direction::Ingress => pod.ingress,
        Direction::Egress => pod.egress,
    };
    let seen = tables.evaluate(profile, packet.peer, packet.protocol, packet.port)?;
    Some((seen.vector, seen.enforced.allow))
}

/// For each pod: everything as in one of the states, and as in the same one.
fn is_whole(
    world: &World,
    states: &[&[Seen]],
    answer: impl Fn(&Packet) -> Seen,
) -> Result<(), TestCaseError> {
    for place in &world.places {
        let of_pod = || world.packets.iter().enumerate().filter(|(_, p)| p.slot == place.slot);
        let found: Vec<(usize, Seen)> =
            of_pod().map(|(index, packet)| (index, answer(packet))).collect();
        let fits = |state: &&[Seen]| found.iter().all(|(index, seen)| state[*index] == *seen);
        let denies = || found.iter().all(|(_, seen)| *seen == Some((vec![1], false)));
        prop_assert!(states.iter().any(fits) || denies(), "slot {}: {:?}", place.slot, found);
    }
    Ok(())
}

fn check(world: &World, failures: &[Option<u32>]) -> Result<(), TestCaseError> {
    let nothing: Vec<Seen> = vec![None; world.packets.len()];
    let mut memory = Memory::default();
    let mut writer = Writer::adopt(&mut memory, &[]).map_err(TestCaseError::fail_of)?;
    let mut before: &[Seen] = &nothing;
    let mut so_far: Vec<&[Seen]> = vec![&nothing];
    for (step, failure) in world.steps.iter().zip(failures) {
        let wrong = Rc::new(RefCell::new(None));
        let seen_wrong = Rc::clone(&wrong);
        let states = [before, &step.expected];
        so_far.push(&step.expected);
        let of_late = so_far.clone();
        memory.fail_after = *failure;
        memory.witness = Some(Box::new(move |memory| {
            let now = is_whole(world, &states, |packet| memory.answer(packet));
            let late = (0..memory.n_late()).try_for_each(|turn| {
                is_whole(world, &of_late, |packet| memory.late_answer(turn, packet))
            });
            if let Err(error) = now.and(late) {
                seen_wrong.borrow_mut().get_or_insert(error);
            }
        }));
        let written = writer.write(&mut memory, &step.tables, &world.places, &[]);
        memory.witness = None;
        memory.fail_after = None;
        if let Some(error) = wrong.take() {
            return Err(error);
        }
        if let Err(error) = written {
            prop_assert!(error.to_string().starts_with("cannot "), "{error}");
            numbers_mean_what_decides(world, step, (&memory, &writer), &error.denied)?;
            // It is tried again, and then it holds.
            let again = writer.write(&mut memory, &step.tables, &world.places, &[]);
            prop_assert!(again.is_ok(), "{:?}", again.err());
        }
        numbers_mean_what_decides(world, step, (&memory, &writer), &[])?;
        for (packet, expected) in world.packets.iter().zip(&step.expected) {
            prop_assert_eq!(&memory.answer(packet), expected, "{:?}", packet);
        }
        before = &step.expected;
    }
    settled_tables_hold_nothing_else(world, &mut memory, &mut writer)
}

/// Each number of a word is told with the rules that it stands for.
fn numbers_mean_what_decides(
    world: &World,
    step: &Step,
    (memory, writer): (&Memory<'_>, &Writer),
    denied: &[PodId],
) -> Result<(), TestCaseError> {
    let profiles = writer.profiles();
    let denying = &step.tables.profiles()[&ProfileId::DENY_EVERYTHING];
    prop_assert_eq!(profiles.get(&1).map(|table| table.rules()), Some(denying.rules()));
    for place in &world.places {
        let word = PolicyWord::of_bits(memory.policy(place.slot));
        let of_pod = step.tables.pods()[&place.pod];
        for (number, id) in [(word.ingress, of_pod.ingress), (word.egress, of_pod.egress)] {
            let found = profiles.get(&number.0.into()).map(|table| table.rules());
            let is_denied = denied.contains(&place.pod);
            let expected = if is_denied { denying } else { &step.tables.profiles()[&id] };
            prop_assert_eq!(found, Some(expected.rules()), "slot {}", place.slot);
        }
    }
    Ok(())
}

/// What the last step does not need is gone.
fn settled_tables_hold_nothing_else(
    world: &World,
    memory: &mut Memory<'_>,
    writer: &mut Writer,
) -> Result<(), TestCaseError> {
    let Some(last) = world.steps.last() else { return Ok(()) };
    prop_assert!(writer.settle(memory).is_ok());
    let rows = |row: &[u64]| {
        let has_summary = row.len() >= crate::skeleton::types::limits::SUMMARY_WORDS.0 as usize;
        row.iter().filter(|word| **word != 0).count() + usize::from(has_summary)
    };
    let wanted: usize = last
        .tables
        .profiles()
        .iter()
        .filter(|(id, _)| {
            last.tables.pods().values().any(|pod| pod.ingress == **id || pod.egress == **id)
        })
        .flat_map(|(_, table)| table.peer_rows.values().chain(table.port_rows.values()))
        .map(|row| rows(row))
        .sum();
    prop_assert_eq!(memory.n_entries(Table::Vectors), wanted);
    Ok(())
}

trait FailOf {
    fn fail_of(error: std::io::Error) -> TestCaseError;
}

impl FailOf for TestCaseError {
    fn fail_of(error: std::io::Error) -> TestCaseError {
        TestCaseError::fail(error.to_string())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..Default::default() })]

    #[test]
    fn each_packet_sees_all_of_a_change_or_nothing(
        snapshot in snapshots(Contents::Everything),
        masks in proptest::collection::vec(any::<u16>(), 1..5),
        failures in proptest::collection::vec(proptest::option::weighted(0.4, 0_u32..60), 5),
    ) {
        check(&world(&snapshot, &masks), &failures)?;
    }

    #[test]
    fn another_process_goes_on_where_the_first_stopped(
        snapshot in snapshots(Contents::Everything),
        masks in proptest::collection::vec(any::<u16>(), 2..4),
    ) {
        let world = world(&snapshot, &masks);
        let slots: Vec<u32> = world.places.iter().map(|place| place.slot).collect();
        let mut memory = Memory::default();
        for step in &world.steps {
            let mut writer = Writer::adopt(&mut memory, &slots).map_err(TestCaseError::fail_of)?;
            let written = writer.write(&mut memory, &step.tables, &world.places, &[]);
            prop_assert!(written.is_ok(), "{:?}", written.err());
            for (packet, expected) in world.packets.iter().zip(&step.expected) {
                prop_assert_eq!(&memory.answer(packet), expected, "{:?}", packet);
            }
            settled_tables_hold_nothing_else(
                &World {
                    places: world.places.clone(),
                    packets: Vec::new(),
                    steps: vec![Step { tables: step.tables.clone(), expected: Vec::new() }],
                },
                &mut memory,
                &mut writer,
            )?;
        }
    }
}

#[test]
fn a_pod_that_a_change_leaves_out_denies_everything_from_then_on() {
    let mut memory = Memory::default();
    let mut writer = Writer::adopt(&mut memory, &[]).unwrap();
    let snapshot = policy_oracle::worlds::random(7).snapshot;
    let world = world(&snapshot, &[0xffff, 0]);
    let [first, second] = &world.steps[..] else { panic!("two steps") };
    writer.write(&mut memory, &first.tables, &world.places, &[]).unwrap();
    let (left_out, listed) = world.places.split_first().unwrap();
    let without_policy = 4000;
    let others = [left_out.slot, without_policy];
    for _ in 0..2 {
        writer.write(&mut memory, &second.tables, listed, &others).unwrap();
        writer.settle(&mut memory).unwrap();
        for (packet, expected) in world.packets.iter().zip(&second.expected) {
            let denied = Some((vec![1], false));
            let expected = if packet.slot == left_out.slot { &denied } else { expected };
            assert_eq!(memory.answer(packet), *expected, "{packet:?}");
        }
    }
    assert_eq!(memory.policy(without_policy), 0, "it goes on waiting for its policy");
}

#[test]
fn a_pod_that_no_table_knows_is_denied_everything() {
    let mut memory = Memory::default();
    let mut writer = Writer::adopt(&mut memory, &[]).unwrap();
    let world = world(&Snapshot::default(), &[0]);
    let place = Place {
        slot: 9,
        pod: PodId::from_index(7),
        mode: PodMode::Enforce,
        established: Established::Revoke,
    };
    writer.write(&mut memory, &world.steps[0].tables, &[place], &[]).unwrap();
    let packet = Packet {
        slot: 9,
        direction: Direction::Ingress,
        peer: IpAddr::from([10, 0, 0, 1]),
        protocol: Protocol::Tcp,
        port: 80,
    };
    assert_eq!(memory.answer(&packet), Some((vec![1], false)));
    assert_eq!(PolicyWord::of_bits(memory.policy(9)).generation, 1);
}
