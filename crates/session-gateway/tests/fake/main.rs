//! A gateway before an API server that is part of the test, and knows what it was asked and what it executed.
#![cfg(test)]

#[path = "../support/client.rs"]
mod client;
#[path = "../support/fake_api.rs"]
mod fake_api;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/pki.rs"]
mod pki;
mod plain;
#[path = "../support/world.rs"]
mod world;
