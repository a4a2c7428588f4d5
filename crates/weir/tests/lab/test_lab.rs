//! A lab of a test: the real command, in a folder of its own, and a look at the machine before and after.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub(crate) const WEIR: &str = env!("CARGO_BIN_EXE_weir");

const MANIFESTS: &str = "
kind: Namespace
apiVersion: v1
metadata: {name: shop}
---
kind: Deployment
apiVersion: apps/v1
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, ports: [{containerPort: 80}]}]}
---
kind: StatefulSet
apiVersion: apps/v1
metadata: {name: db, namespace: shop}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        ports:
        - {containerPort: 5432, name: sql}
        - {containerPort: 5353, protocol: UDP}
        - {containerPort: 9999, protocol: SCTP}
---
kind: Service
apiVersion: v1
metadata: {name: db, namespace: shop}
spec:
  selector: {app: db}
  ports:
  - {name: sql, port: 1234, targetPort: sql}
  - {name: names, port: 53, targetPort: 5353, protocol: UDP}
  - {name: calls, port: 99, targetPort: 9999, protocol: SCTP}
---
kind: Service
apiVersion: v1
metadata: {name: web, namespace: shop}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}
";

/// What labs must not change: links and mounts of the machine, processes, and the lab's folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    links: BTreeSet<String>,
    mounts: String,
    processes: Vec<String>,
    folder: bool,
}

pub(crate) struct TestLab {
    pub(crate) dir: PathBuf,
    pub(crate) manifests: PathBuf,
    before: Machine,
}

impl TestLab {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let root = std::env::temp_dir().join(format!("weir-lab-{}-{name}", std::process::id()));
        fs::create_dir_all(&root)?;
        let manifests = root.join("shop.yaml");
        fs::write(&manifests, MANIFESTS)?;
        let dir = root.join("labs");
        Ok(Self { before: machine(&dir)?, manifests, dir })
    }

    pub(crate) fn command(&self, command: &str) -> Command {
        let mut weir = Command::new(WEIR);
        weir.args(["lab", command, "--dir"]).arg(&self.dir);
        weir
    }

    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(command).args(arguments).output()?)
    }

    pub(crate) fn up(&self, arguments: &[&str]) -> Result<()> {
        let up = self.command("up").arg(&self.manifests).args(arguments).output()?;
        ensure!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        Ok(())
    }

    /// What the command prints in the pod.
    pub(crate) fn exec(&self, pod: &str, command: &str) -> Result<String> {
        let output = self.run("exec", &[pod, "--", "sh", "-c", command])?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{command}: {stderr}");
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> Result<String> {
        let path: PathBuf = self.manifests.with_file_name(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    pub(crate) fn done(&self, command: &str, arguments: &[&str]) -> Result<String> {
        let output = self.run(command, arguments)?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{command}: {errors}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Every connection does as the policies say; how many were open.
    pub(crate) fn agrees(&self) -> Result<usize> {
        let output = self.run("probe", &["-o", "json"])?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(report["disagreements"] == 0 && report["compared"] == true, "{errors}");
        ensure!(output.status.success(), "{errors}");
        let cells = report["cells"].as_array().context("no cells")?;
        Ok(cells.iter().filter(|cell| cell["observed"].get("open").is_some()).count())
    }

    /// The lab process, as the machine sees it.
    pub(crate) fn process(&self) -> Result<u32> {
        let ours = processes(&self.dir)?;
        let process = ours.iter().find(|line| line.contains(" process "));
        let process = process.context("there is no lab process")?;
        Ok(process.split(' ').next().context("no number")?.parse()?)
    }

    /// The next command removes what a killed lab leaves; the kernel takes processes and namespaces
    /// away on its own time.
    pub(crate) fn is_clean_in_the_end(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            drop(self.run("status", &[])?);
            let now = machine(&self.dir)?;
            if now == self.before {
                return Ok(fs::remove_dir_all(self.dir.parent().context("no parent")?)?);
            }
            ensure!(Instant::now() < end, "left behind: {now:?}, before: {:?}", self.before);
            std::thread::yield_now();
        }
    }
}

/// A test that fails leaves no lab either.
impl Drop for TestLab {
    fn drop(&mut self) {
        if self.dir.exists() {
            drop(self.run("down", &[]));
            let root = self.dir.parent().unwrap_or(&self.dir);
            drop(fs::remove_dir_all(root));
        }
    }
}

pub(crate) fn machine(dir: &Path) -> Result<Machine> {
    let links = fs::read_dir("/sys/class/net")?;
    let names: Result<BTreeSet<String>> =
        links.map(|link| Ok(link?.file_name().to_string_lossy().into_owned())).collect();
    Ok(Machine {
        links: names?,
        mounts: fs::read_to_string("/proc/self/mountinfo")?,
        processes: processes(dir)?,
        folder: dir.join("default").exists(),
    })
}

/// Processes that have to do with labs of this folder, but for those that a test runs itself.
pub(crate) fn processes(dir: &Path) -> Result<Vec<String>> {
    let dir = dir.to_string_lossy();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.chars().all(|c| c.is_ascii_digit()) {
            continue;
        }
        // A process may end while it is looked at.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&*dir) {
            found.push(format!("{name} {line}"));
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn kill(process: u32) -> Result<()> {
    let killed = Command::new("kill").args(["-9", &process.to_string()]).status()?;
    ensure!(killed.success(), "could not kill {process}");
    Ok(())
}
