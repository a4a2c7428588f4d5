//! Labs for real, as root, with the real binary: what they answer, what they enforce, and that nothing is
//! left of them however they end.
//!
//! Each test has labs of its own in a folder of its own, so that they can run side by side.
#![cfg(test)]

mod asking;
mod demo;
mod kernel_objects;
mod life;
mod machine;
mod policies;
mod rolls;
mod test_lab;
mod watch;
