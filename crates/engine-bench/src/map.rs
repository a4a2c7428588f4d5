//! `weir map -o json` as a process, its reading of the manifests and its output included.

use crate::spent::{self, Spent};
use crate::worlds::{self, FILE, Size};
use crate::{Setting, naive};
use anyhow::{Context, Result, ensure};
use kube_import::import_text;

/// A world, and what is promised of its map.
const WORLDS: [(Size, &str); 4] = [
    (Size { workloads: 100, pods_per_workload: 0 }, ""),
    (Size { workloads: 1_000, pods_per_workload: 0 }, "under 0.1 s"),
    (Size { workloads: 10_000, pods_per_workload: 0 }, "under 2 s and 500 MB"),
    (Size { workloads: 10_000, pods_per_workload: 10 }, "under 5 s"),
];

pub(crate) fn measure(setting: &Setting) -> Result<()> {
    let mut smallest: Option<(Size, Spent)> = None;
    for (size, promised) in WORLDS {
        let folder = worlds::folder(setting, size)?;
        let folder = folder.as_os_str();
        let arguments = ["map".as_ref(), folder, "-o".as_ref(), "json".as_ref()];
        let spent = spent::on_command(setting.weir.as_os_str(), &arguments, setting.runs)?;
        let megabytes = spent.output_bytes / 1_000_000;
        let promise =
            if promised.is_empty() { String::new() } else { format!("  (promised: {promised})") };
        println!("{:<18} {spent}  {megabytes:5} MB of output{promise}", size.words());
        smallest = smallest.or(Some((size, spent)));
    }
    let (size, engine) = smallest.context("no world was mapped")?;
    let file = worlds::folder(setting, size)?.join(FILE);
    let me = std::env::current_exe().context("finding this program")?;
    let arguments = ["naive-map".as_ref(), file.as_os_str()];
    let naive = spent::on_command(me.as_os_str(), &arguments, 1)?;
    let ratio = naive.cpu_seconds / engine.cpu_seconds.max(1e-4);
    println!("{:<18} {naive}  by the naive oracle, {ratio:.0} times as much", size.words());
    let snapshot = import_text("world", &worlds::text(setting, size)?).snapshot;
    let probed = naive::by_oracle(&snapshot);
    ensure!(naive::by_engine(&snapshot) == probed, "the engine and the oracle differ");
    println!("the engine and the oracle agree on all {} verdicts of that world", probed.asked);
    Ok(())
}
