//! A gateway before an API server that is part of the test, and knows what it was asked and what it executed.
#![cfg(test)]
#![expect(clippy::wildcard_enum_match_arm, reason = "tests look at the events that they are about")]

#[path = "../support/client.rs"]
mod client;
mod commands;
mod console;
mod control;
#[path = "../support/evidence.rs"]
mod evidence;
#[path = "../support/fake_api.rs"]
mod fake_api;
mod faults;
mod forward;
mod id_tokens;
#[path = "../support/person.rs"]
mod person;
#[path = "../support/pki.rs"]
mod pki;
mod places;
mod plain;
mod refusals;
mod requests;
#[path = "../support/runtime.rs"]
mod runtime;
mod upkeep;
#[path = "../support/wire.rs"]
mod wire;
mod wires;
#[path = "../support/world.rs"]
mod world;
