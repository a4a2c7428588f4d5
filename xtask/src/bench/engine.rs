//! The benches of the crate `engine-bench`, built like `weir` itself and told where things are.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder with the generator of worlds.
const GENERATOR_VARIABLE: &str = "WEIR_BENCH";
const GENERATOR: &str = "genbench.py";

pub(super) fn measure(root: &Path, bench: &str) -> Result<()> {
    let generator = generator(root, std::env::var_os(GENERATOR_VARIABLE).map(PathBuf::from))?;
    let weir = workspace::build(root, "weir", "release")?;
    let program = workspace::build(root, "engine-bench", "release")?;
    let worlds = weir.with_file_name("bench-worlds");
    std::fs::create_dir_all(&worlds).context("making the folder of worlds")?;
    let mut command = Command::new(program);
    command.arg(bench).arg("--weir").arg(weir).arg("--generator").arg(generator);
    run(command.arg("--worlds").arg(worlds))
}

/// Needs neither worlds nor the command.
pub(super) fn compare(root: &Path, verdicts: Option<u64>, seed: Option<u64>) -> Result<()> {
    let mut command = Command::new(workspace::build(root, "engine-bench", "release")?);
    command.arg("oracle");
    for (name, value) in [("--verdicts", verdicts), ("--seed", seed)] {
        if let Some(value) = value {
            command.arg(name).arg(value.to_string());
        }
    }
    run(&mut command)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context("running engine-bench")?;
    if !status.success() {
        bail!("engine-bench ended with {status}");
    }
    Ok(())
}

/// What the variable names, or what lies beside the checkout.
fn generator(root: &Path, named: Option<PathBuf>) -> Result<PathBuf> {
    let folder = named.unwrap_or_else(|| root.join("../shared/bench"));
    if !folder.join(GENERATOR).exists() {
        bail!(
            "there is no {GENERATOR} in `{}`: set {GENERATOR_VARIABLE} to the folder that has it",
            folder.display()
        );
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::generator;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_missing_generator_is_said_with_the_way_out() {
        let error = generator(Path::new("/"), Some(PathBuf::from("nowhere"))).err().unwrap();
        let message =
            "there is no genbench.py in `nowhere`: set WEIR_BENCH to the folder that has it";
        assert_eq!(error.to_string(), message);
    }
}
