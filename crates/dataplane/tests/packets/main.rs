//! Packets in; verdict, table entry and event out: the programs in the kernel, one packet at a time.
//!
//! Each test has tables of its own in a network namespace of its own, and attaches nothing. Needs root.

#[cfg(test)]
mod bytes;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod node;
#[cfg(test)]
mod rules;

#[cfg(test)]
mod decisions;
#[cfg(test)]
mod fragments;
#[cfg(test)]
mod icmp;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod parsing;
#[cfg(test)]
mod services;
#[cfg(test)]
mod tcp_states;
