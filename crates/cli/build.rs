//! Embeds the page of every finding code, `docs/findings/CODE.md`, so that the binary can print it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> io::Result<()> {
    let out_dir = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    // As it is when this runs: checkouts that share a target folder share the compiled script.
    let crate_dir = env::var_os("CARGO_MANIFEST_DIR")
        .ok_or_else(|| io::Error::other("cargo sets CARGO_MANIFEST_DIR"))?;
    let pages_dir = Path::new(&crate_dir).join("../../docs/findings");
    println!("cargo::rerun-if-changed={}", pages_dir.display());
    let mut table = fs::File::create(Path::new(&out_dir).join("finding_pages.rs"))?;
    writeln!(table, "&[")?;
    for (code, path) in pages(&pages_dir)? {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(table, "    ({code:?}, include_str!({path:?})),")?;
    }
    writeln!(table, "]")
}

/// (code, file), by code.
fn pages(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(code) = stem.filter(|_| path.extension().is_some_and(|end| end == "md")) {
            pages.push((code.to_owned(), path.clone()));
        }
    }
    pages.sort();
    Ok(pages)
}
