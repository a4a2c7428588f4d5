//! Clients that append one after the other.

use crate::latencies::Latencies;
use anyhow::{Context as _, Result};
use ledger_model::Fact;
use ledger_store::Ledger;
use std::time::{Duration, Instant};

pub(crate) async fn run(
    ledger: &Ledger,
    clients: usize,
    together: u64,
    time: Duration,
) -> Result<Latencies> {
    let (begin, cpu) = (Instant::now(), cpu_ticks()?);
    let clients: Vec<_> = (0..clients)
        .map(|client| tokio::spawn(append(ledger.clone(), client, together, begin + time)))
        .collect();
    let mut all = Latencies::default();
    for client in clients {
        all.join(client.await??);
    }
    let ticks = cpu_ticks()? - cpu;
    Ok(all.over(begin.elapsed()).with_cpu(Duration::from_millis(ticks * 10)))
}

/// CPU time of all threads of this process, in hundredths of a second, clients among them.
fn cpu_ticks() -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may have spaces; the fields behind it do not.
    let (_, fields) = stat.rsplit_once(')').context("a name")?;
    let mut times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let user = times.next().context("user time")??;
    Ok(user + times.next().context("system time")??)
}

async fn append(ledger: Ledger, client: usize, together: u64, until: Instant) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    while Instant::now() < until {
        let facts = (0..together).map(|_| viewed(client)).collect();
        let before = Instant::now();
        ledger.append_all(facts).await?;
        latencies.add(before.elapsed(), together);
    }
    Ok(latencies)
}

/// About as long as most entries are.
fn viewed(client: usize) -> Fact {
    Fact::SessionViewed {
        session: format!("0199f0c8-7e3a-7c55-9b1e-{client:012}"),
        by: "auditor@ledger.example".to_owned(),
        how: "play, from the beginning to the end of what was recorded".to_owned(),
    }
}
