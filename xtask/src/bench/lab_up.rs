//! How long `weir lab up` takes. Promised: 10 pods in under 1 s, 250 in under 5 s.

use super::BenchArgs;
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const RUNS: usize = 5;
const PODS_OF_A_WORKLOAD: usize = 5;
/// The kernel takes the network of a lab away behind its end, and new ones wait for that.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) fn measure(root: &Path, _arguments: &BenchArgs) -> Result<()> {
    let weir = workspace::build_weir(root, "release")?;
    let folder = std::env::temp_dir().join(format!("weir-bench-lab-up-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    for (workloads, promised) in [(2, 1), (50, 5)] {
        let manifests = folder.join(format!("{workloads}.yaml"));
        fs::write(&manifests, cluster(workloads)?)?;
        for hook in ["tcx", "clsact"] {
            let pods = workloads * PODS_OF_A_WORKLOAD;
            let mut durations = Vec::with_capacity(RUNS);
            for _ in 0..RUNS {
                durations.push(up_and_down(&weir, &manifests, &folder, hook)?);
            }
            let median = super::median(durations).context("nothing was measured")?;
            let median = median.as_secs_f64() * 1000.0;
            println!("{pods} pods by {hook}: {median:.0} ms (promised: under {promised} s)");
        }
    }
    Ok(fs::remove_dir_all(&folder)?)
}

fn up_and_down(weir: &Path, manifests: &Path, folder: &Path, hook: &str) -> Result<Duration> {
    thread::sleep(PAUSE);
    let lab = |command: &str| {
        let mut weir = Command::new(weir);
        weir.args(["lab", command, "--dir"]).arg(folder).stdout(Stdio::null());
        weir
    };
    let start = Instant::now();
    let up = lab("up").arg(manifests).args(["--replicas", "5", "--hook", hook]).output()?;
    let took = start.elapsed();
    if !up.status.success() || !lab("down").status()?.success() {
        bail!(
            "the lab did not come up, or did not go down: {}",
            String::from_utf8_lossy(&up.stderr)
        );
    }
    Ok(took)
}

/// Workloads with a Service and a policy each; DNS comes on top.
fn cluster(workloads: usize) -> Result<String> {
    let mut text = String::new();
    for number in 0..workloads {
        write!(
            text,
            "---
kind: Deployment
apiVersion: apps/v1
metadata: {{name: app{number}, namespace: bench}}
spec:
  replicas: {PODS_OF_A_WORKLOAD}
  selector: {{matchLabels: {{app: a{number}}}}}
  template:
    metadata: {{labels: {{app: a{number}}}}}
    spec: {{containers: [{{name: c, ports: [{{containerPort: 80}}]}}]}}
---
kind: Service
apiVersion: v1
metadata: {{name: app{number}, namespace: bench}}
spec: {{selector: {{app: a{number}}}, ports: [{{port: 80}}]}}
---
kind: NetworkPolicy
apiVersion: networking.k8s.io/v1
metadata: {{name: app{number}, namespace: bench}}
spec:
  podSelector: {{matchLabels: {{app: a{number}}}}}
  ingress: [{{from: [{{podSelector: {{matchLabels: {{app: a{before}}}}}}}], ports: [{{port: 80}}]}}]
",
            before = number.saturating_sub(1)
        )?;
    }
    Ok(text)
}
