//! The client that people have. Most of what it takes is its own: what is in between shows in the difference.

use crate::certificates::Certificates;
use crate::client::Target;
use crate::measures::Sample;
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

pub(crate) struct Kubectl {
    program: PathBuf,
    certificates: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(program: &Path, certificates: &Certificates) -> Self {
        Self { program: program.to_owned(), certificates: certificates.folder.clone() }
    }

    /// How long `exec` takes from its start to its end, on all ways in turn.
    pub(crate) async fn execs(&self, ways: &[Target], count: usize) -> Result<Vec<Sample>> {
        let mut all = vec![Vec::with_capacity(count); ways.len()];
        // The first finds nothing in the page cache.
        for number in 0..=count {
            for (way, values) in ways.iter().zip(&mut all) {
                let took = self.exec(way, 1).await?;
                if number > 0 {
                    values.push(took);
                }
            }
        }
        Ok(all.into_iter().map(Sample::new).collect())
    }

    /// Runs a command that writes so many bytes.
    pub(crate) async fn exec(&self, way: &Target, bytes: u64) -> Result<Duration> {
        let file = |name: &str| self.certificates.join(name);
        let mut command = Command::new(&self.program);
        command
            .arg(format!("--server=https://localhost:{}{}", way.address.port(), way.base))
            .arg("--certificate-authority")
            .arg(file("authority.pem"))
            .arg("--client-certificate")
            .arg(file("client.pem"))
            .arg("--client-key")
            .arg(file("client.key"))
            .arg("--cache-dir")
            .arg(file("cache"))
            .args(["--kubeconfig=/dev/null", "--namespace=default"])
            .args(["exec", "p", "--container=c", "--", "bulk", &bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let began = Instant::now();
        let output = command.output().await.context("running kubectl")?;
        let took = began.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl ended with {}: {said}", output.status);
        Ok(took)
    }
}
