//! Measures the ledger on the disk of the folder for temporary files, or of the one that is given.
//!
//! `ledger-bench [FOLDER] [SECONDS]`. Beside each figure stands what the disk allows: the same bytes written and
//! synced by one thread, without a tree, a signature or anybody who waits. The ledger that comes of it is verified
//! at the end; what is not whole fails the bench.

mod floor;
mod latencies;
mod load;

use anyhow::{Context as _, Result, ensure};
use floor::floor;
use ledger_model::{Algorithm, SignerKey};
use ledger_store::{
    Ledger, LedgerOptions, LedgerReader, Place, VerifyOptions, prove_entry, verify,
};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = match arguments.next() {
        Some(text) => text.to_string_lossy().parse().context("SECONDS is a number")?,
        None => 3,
    };
    let folder = parent.join(format!("weir-ledger-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(measure(&folder, Duration::from_secs(seconds)));
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn key() -> Result<SignerKey> {
    Ok(SignerKey::from_seed("ledger.example/bench", Algorithm::Ed25519, [7; 32])?)
}

async fn measure(folder: &Path, time: Duration) -> Result<()> {
    let mut out = io::stdout();
    let floors = floor(folder, time)?;
    writeln!(out, "the disk alone, one entry and its checkpoint a sync: {floors}")?;
    let ledger = folder.join("ledger");
    let options = LedgerOptions::new(ledger.clone(), key()?, "bench", "0");
    let opened = Ledger::open(options)?;
    for (clients, together) in [(1, 1), (8, 1), (64, 1), (512, 1), (1, 64), (8, 64), (4, 1024)] {
        let figures = load::run(&opened, clients, together, time).await?;
        writeln!(out, "{clients} clients, {together} entries at once: {figures}")?;
    }
    let begin = Instant::now();
    opened.flush().await?;
    writeln!(out, "all of it published after {:.1?} more", begin.elapsed())?;
    opened.close().await?;
    let begin = Instant::now();
    let options = LedgerOptions::new(ledger.clone(), key()?, "bench", "0");
    let opened = Ledger::open(options)?;
    writeln!(out, "opened again in {:.1?}", begin.elapsed())?;
    opened.close().await?;
    let place = Place::Folder(ledger);
    let reader = LedgerReader::new(place.clone());
    let size = reader.checkpoint().await?.context("a checkpoint")?.head().size;
    let begin = Instant::now();
    for at in 0..200 {
        prove_entry(&reader, at * size / 200).await?;
    }
    writeln!(out, "a proof of inclusion, from the files: {:.1?}", begin.elapsed() / 200)?;
    let begin = Instant::now();
    let options = VerifyOptions { keys: vec![key()?.public().clone()], ..VerifyOptions::default() };
    let report = verify(&place, &options).await?;
    let took = begin.elapsed();
    writeln!(out, "{size} entries verified in {took:.1?}")?;
    let first = report.findings.first().map(|finding| &finding.message);
    ensure!(first.is_none(), "the ledger is not whole: {first:?}");
    Ok(())
}
