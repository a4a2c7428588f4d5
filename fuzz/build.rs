//! Tells the compiler that `cfg(fuzzing)`, which cargo-fuzz sets, is no typing mistake.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
}
