//! What is measured, on each way from the client to the runtime.

use crate::client::{Exec, Key, Target};
use crate::process::Watched;
use anyhow::Result;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Values of one kind, sorted.
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    pub(crate) fn new(mut values: Vec<Duration>) -> Self {
        values.sort_unstable();
        Self(values)
    }

    /// The value that `part` of 1,000 are not above.
    pub(crate) fn at(&self, part: usize) -> Duration {
        let index = (self.0.len() * part / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

/// Echoes on all ways in turn, so that what the machine does beside it is the same for all.
pub(crate) async fn echoes(
    tls: &Arc<ClientConfig>,
    ways: &[Target],
    key: Key,
    keys: usize,
) -> Result<Vec<Sample>> {
    let mut sessions = Vec::new();
    for way in ways {
        sessions.push((Exec::open(tls, way, &["echo"], true).await?, Vec::with_capacity(keys)));
    }
    for number in 0..keys + 50 {
        for (session, values) in &mut sessions {
            let took = session.key(key).await?;
            // The first ones meet cold caches on every way.
            if number >= 50 {
                values.push(took);
            }
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
    }
    Ok(sessions.into_iter().map(|(_, values)| Sample::new(values)).collect())
}

/// From the first byte of the connection to the first message of the runtime.
pub(crate) async fn openings(
    tls: &Arc<ClientConfig>,
    way: &Target,
    count: usize,
) -> Result<Sample> {
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        let session = Exec::open(tls, way, &["echo"], true).await?;
        values.push(began.elapsed());
        drop(session);
    }
    Ok(Sample::new(values))
}

pub(crate) struct Bulk {
    pub(crate) took: Duration,
    /// Of the process in between, where there is one.
    pub(crate) cpu: Option<Duration>,
}

pub(crate) async fn bulk(
    tls: &Arc<ClientConfig>,
    way: &Target,
    bytes: u64,
    between: Option<&Watched>,
) -> Result<Bulk> {
    let mut session = Exec::open(tls, way, &["bulk", &bytes.to_string()], false).await?;
    let cpu = between.map(Watched::cpu).transpose()?;
    let began = Instant::now();
    let arrived = session.drain().await?;
    anyhow::ensure!(arrived == bytes, "{arrived} of {bytes} bytes arrived");
    spent(began, cpu, between)
}

pub(crate) async fn upload(
    tls: &Arc<ClientConfig>,
    way: &Target,
    bytes: u64,
    between: Option<&Watched>,
) -> Result<Bulk> {
    let mut session = Exec::open(tls, way, &["sink"], false).await?;
    let cpu = between.map(Watched::cpu).transpose()?;
    let began = Instant::now();
    session.fill(bytes).await?;
    spent(began, cpu, between)
}

fn spent(began: Instant, cpu: Option<Duration>, between: Option<&Watched>) -> Result<Bulk> {
    let took = began.elapsed();
    let after = between.map(Watched::cpu).transpose()?;
    let cpu = cpu.zip(after).map(|(before, after)| after.saturating_sub(before));
    Ok(Bulk { took, cpu })
}

pub(crate) struct Idle {
    pub(crate) held: usize,
    pub(crate) bytes_a_session: u64,
    pub(crate) cpu_a_minute: Duration,
}

/// Holds sessions in which nothing happens, a shell at its prompt each.
pub(crate) async fn idle(
    tls: &Arc<ClientConfig>,
    way: &Target,
    count: usize,
    between: &Watched,
) -> Result<Idle> {
    let before = between.memory()?;
    let mut sessions = Vec::with_capacity(count);
    for _ in 0..count {
        let mut session = Exec::open(tls, way, &["echo"], true).await?;
        session.key(Key::Letter).await?;
        sessions.push(session);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = between.memory()?;
    let cpu = between.cpu()?;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let cpu = between.cpu()?.saturating_sub(cpu);
    for session in &mut sessions {
        session.key(Key::Letter).await?;
    }
    Ok(Idle {
        held: sessions.len(),
        bytes_a_session: after.saturating_sub(before) / count.max(1) as u64,
        cpu_a_minute: cpu * 4,
    })
}
