//! Ledgers on disk.

#![cfg(test)]

mod support;
mod writing;
