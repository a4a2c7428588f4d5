//! Ledgers on disk.

#![cfg(test)]

mod faults;
mod fixture;
mod interop;
mod killed;
mod mirrored;
mod mutations;
mod power;
mod support;
mod verifying;
mod witnessing;
mod writing;
