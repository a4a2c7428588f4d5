//! Ledgers on disk.

#![cfg(test)]

mod faults;
mod killed;
mod power;
mod support;
mod writing;
