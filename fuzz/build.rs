//! Tells the compiler that `cfg(fuzzing)`, which cargo-fuzz sets, is no typing mistake.
#![expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
}
