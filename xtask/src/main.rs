//! `cargo xtask`: the project's own checks and benches.
fn main() {}
