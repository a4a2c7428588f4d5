//! Compiles the programs of `bpf/` and generates their Rust side: the object, its maps and the types of `abi.h`.

use libbpf_cargo::SkeletonBuilder;
use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "bpf/data_plane.bpf.c";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    let clang = env::var_os("CLANG").unwrap_or_else(|| "clang".into());
    if Command::new(&clang).arg("--version").output().is_err() {
        println!(
            "cargo::error={} is missing: install clang 14 or newer (`apt-get install clang`), or name another one in CLANG; it compiles the kernel's half of the data plane",
            clang.display()
        );
        return Ok(());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    SkeletonBuilder::new()
        .source(SOURCE)
        .clang(clang)
        .clang_args(["-mcpu=v3", "-Wall", "-Wextra", "-Werror"])
        .build_and_generate(out.join("data_plane.skel.rs"))?;
    Ok(())
}
