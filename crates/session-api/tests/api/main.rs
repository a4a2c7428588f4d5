//! The API over recordings that a recorder wrote and a ledger knows: who may what, what is put on record, what is
//! shown of what is hostile, and what is refused.
#![cfg(test)]

mod acts;
mod listing;
mod live;
mod page;
mod permissions;
mod proofs;
mod shown;
mod world;
