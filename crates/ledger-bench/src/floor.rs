//! What the disk alone does.

use crate::latencies::Latencies;
use anyhow::Result;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// About as many bytes as one entry and its checkpoint.
const BYTES: usize = 480;

/// How large the file is, which is full of zeros before.
const FILE: u64 = 4 << 20;

pub(crate) fn floor(folder: &Path, time: Duration) -> Result<Latencies> {
    let file = File::create(folder.join("floor"))?;
    let zeros = vec![0; usize::try_from(FILE)?];
    file.write_all_at(&zeros, 0)?;
    file.sync_all()?;
    let record = [b'x'; BYTES];
    let mut latencies = Latencies::default();
    let begin = Instant::now();
    let mut at = 0;
    while begin.elapsed() < time {
        let before = Instant::now();
        file.write_all_at(&record, at)?;
        file.sync_data()?;
        latencies.add(before.elapsed(), 1);
        at = (at + BYTES as u64) % (FILE - BYTES as u64);
    }
    Ok(latencies.over(begin.elapsed()))
}
