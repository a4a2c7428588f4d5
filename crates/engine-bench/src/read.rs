//! Reading manifests: the same cluster as JSON and as block YAML.

use crate::Setting;
use crate::spent::{self, Spent};
use crate::worlds::{self, Size};
use anyhow::{Result, ensure};
use kube_import::import_text;

pub(crate) fn measure(setting: &Setting) -> Result<()> {
    let json = worlds::text(setting, Size::workloads(1_000))?;
    let snapshot = import_text("world", &json).snapshot;
    let yaml = kube_render::manifest(&snapshot);
    let again = import_text("world", &yaml).snapshot;
    ensure!(again.policies.len() == snapshot.policies.len(), "the YAML says something else");
    ensure!(again.pods.len() == snapshot.pods.len(), "the YAML says something else");
    for (name, text) in [("JSON", json), ("block YAML", yaml)] {
        let mut all = Vec::new();
        let mut n_objects = 0;
        for _ in 0..setting.runs.max(1) {
            let (spent, imported) = spent::on(|| import_text("world", &text))?;
            n_objects = imported.n_objects;
            all.push(spent);
        }
        let spent = Spent::median(&all);
        let megabytes = f64::from(u32::try_from(text.len())?) / 1e6;
        let rate = megabytes / spent.cpu_seconds.max(1e-6);
        println!(
            "{name:<11} {spent}  {megabytes:5.1} MB, {n_objects} objects: {rate:6.1} MB per CPU second"
        );
    }
    Ok(())
}
