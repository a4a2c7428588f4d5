//! Clients that append one after the other.

use crate::latencies::Latencies;
use anyhow::Result;
use ledger_model::Fact;
use ledger_store::Ledger;
use std::time::{Duration, Instant};

pub(crate) async fn run(
    ledger: &Ledger,
    clients: usize,
    together: u64,
    time: Duration,
) -> Result<Latencies> {
    let begin = Instant::now();
    let clients: Vec<_> = (0..clients)
        .map(|client| tokio::spawn(append(ledger.clone(), client, together, begin + time)))
        .collect();
    let mut all = Latencies::default();
    for client in clients {
        all.join(client.await??);
    }
    Ok(all.over(begin.elapsed()))
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
