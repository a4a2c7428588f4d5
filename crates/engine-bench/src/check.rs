//! `weir check --batch` on two million queries about small and large worlds, against the naive oracle on the
//! first of them.

use crate::Setting;
use crate::compare::translate;
use crate::spent;
use crate::worlds::{self, Size};
use anyhow::{Context, Result, ensure};
use kube_import::import_text;
use net_types::Protocol;
use policy_model::Snapshot;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const QUERIES: u32 = 2_000_000;
/// So many are asked of the oracle, and again of the command to compare.
const FOR_ORACLE: u32 = 2_000;
const SMALL: Size = Size { workloads: 1_000, pods_per_workload: 0 };
/// More than fits the caches of a processor.
const LARGE: Size = Size { workloads: 10_000, pods_per_workload: 0 };

/// A pod to a pod, by index, on a TCP port.
struct Query {
    from: usize,
    to: usize,
    port: u16,
}

/// The same for the same number; each connects other pods, on ports that are served and others.
fn query(number: u32, n_pods: usize) -> Query {
    // A step of a linear congruential generator (Knuth's MMIX) for each part.
    let next = |state: u64| {
        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
    };
    let first = next(next(u64::from(number)));
    let second = next(first);
    let pick = |state: u64, below: usize| {
        let below = u64::try_from(below.max(1)).unwrap_or(1);
        usize::try_from((state >> 33) % below).unwrap_or_default()
    };
    let port = 8_000 + u16::try_from(pick(next(second), 24)).unwrap_or_default();
    Query { from: pick(first, n_pods), to: pick(second, n_pods), port }
}

pub(crate) fn measure(setting: &Setting) -> Result<()> {
    let snapshot = import_text("world", &worlds::text(setting, SMALL)?).snapshot;
    let rate = rate(setting, SMALL, &snapshot)?;
    against_oracle(setting, &worlds::folder(setting, SMALL)?, &snapshot, rate)?;
    let snapshot = import_text("world", &worlds::text(setting, LARGE)?).snapshot;
    self::rate(setting, LARGE, &snapshot).map(|_| ())
}

/// Queries per CPU second, without the time that a run with no query takes.
fn rate(setting: &Setting, size: Size, snapshot: &Snapshot) -> Result<f64> {
    println!("{}:", size.words());
    let world = worlds::folder(setting, size)?;
    let run = |n_queries| -> Result<_> {
        let queries = write_queries(setting, snapshot, n_queries)?;
        let arguments =
            ["check".as_ref(), world.as_os_str(), "--batch".as_ref(), queries.as_os_str()];
        spent::on_command(setting.weir.as_os_str(), &arguments, setting.runs)
    };
    let none = run(0)?;
    println!("{:<18} {none}", "no query");
    let tenth = run(QUERIES / 10)?;
    println!("{:<18} {tenth}", format!("{} queries", QUERIES / 10));
    let all = run(QUERIES)?;
    let rate = f64::from(QUERIES) / (all.cpu_seconds - none.cpu_seconds).max(1e-6);
    println!("{:<18} {all}  (promised: constant memory)", format!("{QUERIES} queries"));
    println!("{rate:.0} queries per CPU second (promised: over 1,000,000)");
    Ok(rate)
}

fn against_oracle(setting: &Setting, world: &Path, snapshot: &Snapshot, rate: f64) -> Result<()> {
    let queries = write_queries(setting, snapshot, FOR_ORACLE)?;
    let output = Command::new(&setting.weir)
        .arg("check")
        .arg(world)
        .arg("--batch")
        .arg(&queries)
        .output()
        .context("running weir check")?;
    let answers = String::from_utf8(output.stdout).context("reading the answers")?;
    let answers: Vec<String> = answers.lines().map(verdict).collect::<Result<_>>()?;
    let (spent, expected) = spent::on(|| by_oracle(snapshot))?;
    ensure!(answers == expected, "the answers differ from the oracle's");
    let naive = f64::from(FOR_ORACLE) / spent.cpu_seconds.max(1e-6);
    println!(
        "{naive:.0} queries per CPU second by the naive oracle, {:.0} times fewer; the first {FOR_ORACLE} verdicts agree",
        rate / naive
    );
    Ok(())
}

fn by_oracle(snapshot: &Snapshot) -> Vec<String> {
    let assumptions = policy_oracle::Assumptions::default();
    let ask = |number| {
        let Query { from, to, port } = query(number, snapshot.pods.len());
        let question = policy_oracle::Question {
            from: policy_oracle::End::Pod(snapshot.pods.get(from)?),
            to: policy_oracle::End::Pod(snapshot.pods.get(to)?),
            protocol: Protocol::Tcp,
            port,
        };
        Some(translate(policy_oracle::evaluate(snapshot, &assumptions, &question)).to_string())
    };
    (0..FOR_ORACLE).filter_map(ask).collect()
}

fn verdict(answer: &str) -> Result<String> {
    let answer: Value = serde_json::from_str(answer).context("an answer is no JSON")?;
    let verdict = answer.get("verdict").and_then(Value::as_str);
    Ok(verdict.with_context(|| format!("an answer without a verdict: {answer}"))?.to_owned())
}

fn write_queries(setting: &Setting, snapshot: &Snapshot, n_queries: u32) -> Result<PathBuf> {
    fs::create_dir_all(&setting.worlds).context("making the folder of worlds")?;
    let path = setting.worlds.join(format!("queries-{n_queries}.jsonl"));
    let mut file = BufWriter::new(File::create(&path).context("writing queries")?);
    for number in 0..n_queries {
        let Query { from, to, port } = query(number, snapshot.pods.len());
        if let (Some(from), Some(to)) = (snapshot.pods.get(from), snapshot.pods.get(to)) {
            writeln!(
                file,
                r#"{{"id":{number},"from":"{from}","to":"{to}","protocol":"TCP","port":{port}}}"#
            )?;
        }
    }
    file.flush()?;
    Ok(path)
}
