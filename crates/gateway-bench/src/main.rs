//! Measures what the gateway costs a session: `cargo xtask bench gateway`.
//!
//! One run stands all ways side by side: a client that speaks TLS and WebSocket to an API server directly, through a
//! process that only copies bytes, and through gateways that record into memory and, in each mode, onto a disk.
//! Client and API server are this process; what is in between is a process of its own, so that its memory
//! and CPU time are its own. `kubectl` goes the same ways: its own time would hide what a session costs, and is what
//! people wait for.
#![expect(clippy::print_stdout, reason = "a bench prints")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod certificates;
mod client;
mod gateway;
mod kubectl;
mod measures;
mod process;
mod splice;
mod upstream;

use anyhow::{Context as _, Result, bail};
use certificates::Certificates;
use client::{Key, Target};
use gateway::{Gateway, Recording};
use kubectl::Kubectl;
use measures::{Bulk, Sample};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use process::Watched;
use rustls::ClientConfig;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const KEYS: usize = 3000;
const LINES: usize = 1000;
const OPENINGS: usize = 300;
const BULK_BYTES: u64 = 1 << 30;
const IDLE_SESSIONS: usize = 5000;
const EXECS: usize = 40;
const EXEC_BULK_BYTES: u64 = 256 << 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["splice", listen, upstream] => {
            runtime.block_on(splice::serve(listen.parse()?, upstream.parse()?))
        }
        [weir, kubectl, names @ ..] => {
            runtime.block_on(measure(&PathBuf::from(weir), &PathBuf::from(kubectl), names))
        }
        [_] | [] => {
            bail!("usage: gateway-bench WEIR KUBECTL [echo] [open] [bulk] [kubectl] [idle]")
        }
    }
}

struct Bench {
    tls: Arc<ClientConfig>,
    kubectl: Kubectl,
    direct: Target,
    splice: (Target, Watched),
    /// In the order of [`Recording::ALL`].
    gateways: Vec<Gateway>,
    folder: PathBuf,
}

async fn measure(weir: &Path, kubectl: &Path, names: &[&str]) -> Result<()> {
    raise_files()?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        bail!("a cryptography was installed before");
    }
    let bench = Bench::start(weir, kubectl).await?;
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    if wanted("echo") {
        bench.echo(Key::Letter, KEYS).await?;
        bench.echo(Key::Enter, LINES).await?;
    }
    if wanted("open") {
        bench.open().await?;
    }
    if wanted("bulk") {
        bench.bulk().await?;
    }
    if wanted("kubectl") {
        bench.kubectl().await?;
    }
    if wanted("idle") {
        bench.idle().await?;
    }
    Ok(())
}

/// Each held session is two files here, and several in the gateway.
fn raise_files() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the limit of open files")
}

impl Bench {
    async fn start(weir: &Path, kubectl: &Path) -> Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("weir-gateway-bench-{}", std::process::id()));
        let certificates = Certificates::make(&folder.join("certificates"))?;
        let upstream = upstream::serve(certificates.server()?).await?;
        let listen = process::free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["splice", &listen.to_string(), &upstream.to_string()]);
        let splice = (Target { address: listen, base: "" }, Watched::start(command, listen)?);
        let gateways = Recording::ALL
            .into_iter()
            .map(|recording| Gateway::start(weir, &folder, &certificates, upstream, recording))
            .collect::<Result<_>>()?;
        let tls = certificates.client()?;
        let kubectl = Kubectl::new(kubectl, &certificates);
        let direct = Target { address: upstream, base: "" };
        Ok(Self { tls, kubectl, direct, splice, gateways, folder })
    }

    fn ways(&self) -> Vec<(String, Target, Option<&Watched>)> {
        let mut ways = vec![
            ("direct".to_owned(), self.direct.clone(), None),
            ("splice".to_owned(), self.splice.0.clone(), Some(&self.splice.1)),
        ];
        for gateway in &self.gateways {
            let name = format!("gateway, {}", gateway.recording.word());
            ways.push((name, gateway.target.clone(), Some(&gateway.process)));
        }
        ways
    }

    async fn echo(&self, key: Key, count: usize) -> Result<()> {
        let ways = self.ways();
        let targets: Vec<Target> = ways.iter().map(|(_, target, _)| target.clone()).collect();
        let samples = measures::echoes(&self.tls, &targets, key, count).await?;
        let what = match key {
            Key::Letter => "a letter",
            Key::Enter => "Enter",
        };
        println!("echo of {what}, {count} on each way in turn, µs");
        println!(
            "{:<22}{:>9}{:>9}{:>9}{:>12}{:>12}",
            "", "p50", "p95", "p99", "added p50", "added p99"
        );
        let direct =
            samples.first().map_or((0.0, 0.0), |sample| (micros(sample, 500), micros(sample, 990)));
        for ((name, _, _), sample) in ways.iter().zip(&samples) {
            println!(
                "{name:<22}{:>9.0}{:>9.0}{:>9.0}{:>12.0}{:>12.0}",
                micros(sample, 500),
                micros(sample, 950),
                micros(sample, 990),
                micros(sample, 500) - direct.0,
                micros(sample, 990) - direct.1,
            );
        }
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        println!("from connecting to the runtime's first message, {OPENINGS} times, ms");
        println!("{:<22}{:>9}{:>9}", "", "p50", "p99");
        for (name, target, _) in self.ways() {
            let sample = measures::openings(&self.tls, &target, OPENINGS).await?;
            println!(
                "{name:<22}{:>9.2}{:>9.2}",
                micros(&sample, 500) / 1e3,
                micros(&sample, 990) / 1e3
            );
        }
        Ok(())
    }

    async fn bulk(&self) -> Result<()> {
        println!(
            "1 GiB in frames of 32 KiB, MiB/s by the clock and by CPU time of what is in between"
        );
        println!("{:<22}{:>10}{:>12}{:>10}{:>12}", "", "stdout", "a core", "stdin", "a core");
        for (name, target, process) in self.ways() {
            let down = measures::bulk(&self.tls, &target, BULK_BYTES, process).await?;
            quiet(process).await?;
            let up = measures::upload(&self.tls, &target, BULK_BYTES, process).await?;
            quiet(process).await?;
            let (down, down_core) = rates(&down);
            let (up, up_core) = rates(&up);
            println!("{name:<22}{down:>10.0}{down_core:>12}{up:>10.0}{up_core:>12}");
        }
        Ok(())
    }

    async fn kubectl(&self) -> Result<()> {
        println!(
            "kubectl exec, {EXECS} times on each way in turn, ms; then 256 MiB, MiB/s by the clock"
        );
        println!("{:<22}{:>8}{:>10}{:>12}{:>10}", "", "p50", "p95", "added p50", "MiB/s");
        let ways = self.ways();
        let targets: Vec<Target> = ways.iter().map(|(_, target, _)| target.clone()).collect();
        let samples = self.kubectl.execs(&targets, EXECS).await?;
        let direct = samples.first().map_or(0.0, |sample| micros(sample, 500));
        for ((name, target, process), sample) in ways.iter().zip(&samples) {
            quiet(*process).await?;
            let bulk = self.kubectl.exec(target, EXEC_BULK_BYTES).await?;
            let rate = (EXEC_BULK_BYTES >> 20) as f64 / bulk.as_secs_f64();
            let (half, most) = (micros(sample, 500), micros(sample, 950));
            let added = (half - direct) / 1e3;
            println!("{name:<22}{:>8.1}{:>10.1}{added:>12.1}{rate:>10.0}", half / 1e3, most / 1e3);
        }
        Ok(())
    }

    async fn idle(&self) -> Result<()> {
        let intent = self.gateways.iter().find(|gateway| gateway.recording == Recording::Intent);
        let Some(gateway) = intent else { return Ok(()) };
        let idle =
            measures::idle(&self.tls, &gateway.target, IDLE_SESSIONS, &gateway.process).await?;
        println!(
            "{} idle sessions held: {:.1} KiB each, {:.0} ms CPU a minute in all",
            idle.held,
            idle.bytes_a_session as f64 / 1024.0,
            idle.cpu_a_minute.as_secs_f64() * 1e3
        );
        Ok(())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.gateways.clear();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

async fn quiet(process: Option<&Watched>) -> Result<()> {
    match process {
        Some(process) => process.quiet().await,
        None => Ok(()),
    }
}

fn micros(sample: &Sample, part: usize) -> f64 {
    sample.at(part).as_secs_f64() * 1e6
}

fn rates(bulk: &Bulk) -> (f64, String) {
    let mib = (BULK_BYTES >> 20) as f64;
    let core =
        bulk.cpu.map_or_else(|| "—".to_owned(), |cpu| format!("{:.0}", mib / cpu.as_secs_f64()));
    (mib / bulk.took.as_secs_f64(), core)
}
