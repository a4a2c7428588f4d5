//! What `make demo` shows, on a machine of its own, which must be the same machine afterwards.

use crate::machine::OwnMachine;
use crate::test_lab::{WEIR, kill};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The scripts, and the binaries that they find.
struct Demo {
    machine: OwnMachine,
    root: PathBuf,
    target: PathBuf,
}

impl Demo {
    /// The calling thread is on the demo's machine from then on.
    fn new(name: &str, target: PathBuf) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let machine = OwnMachine::enter(name, &[&root, binaries()?, &target])?;
        Ok(Self { machine, root, target })
    }

    fn script(&self, name: &str) -> Result<Command> {
        let mut script = self.machine.command(self.root.join("examples").join(name));
        script.env("WEIR_BINARIES", binaries()?).env("CARGO_TARGET_DIR", &self.target);
        Ok(script)
    }

    fn run(&self, name: &str) -> Result<String> {
        let output = self.script(name)?.output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {errors}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn binaries() -> Result<&'static Path> {
    Path::new(WEIR).parent().context("no folder")
}

/// In a thread that ends and takes its namespaces along.
fn apart(
    name: &'static str,
    work: impl FnOnce(&Demo) -> Result<()> + Send + 'static,
) -> Result<()> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("demo-{name}"));
    fs::create_dir_all(&target)?;
    let there = target.clone();
    let done = thread::spawn(move || work(&Demo::new(name, there)?));
    done.join().map_err(|_told| anyhow!("the test panicked"))??;
    Ok(fs::remove_dir_all(target)?)
}

#[test]
fn a_demo_leaves_the_machine_as_it_was() -> Result<()> {
    apart("whole", |demo| {
        let analysed = demo.run("demo.sh")?;
        ensure!(analysed.contains("weir diff"), "{analysed}");
        let page = analysed.lines().last().context("no page")?;
        ensure!(fs::read_to_string(page)?.contains("<html"), "{page}");
        let begin = Instant::now();
        let toured = demo.run("lab-demo.sh")?;
        ensure!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
        for shown in ["denied by default", "staged would deny", "would pass", "ends with the tour"]
        {
            ensure!(toured.contains(shown), "not shown: {shown}\n{toured}");
        }
        demo.machine.is_as_before()
    })
}

/// The script, the command that it runs in, the lab and an agent of it, each in the middle of the tour.
#[test]
fn a_demo_that_is_killed_leaves_the_machine_as_it_was() -> Result<()> {
    apart("killed", |demo| {
        for victim in ["/bin/sh examples/lab-demo.sh ", " lab up ", " lab process ", " lab agent "]
        {
            let mut script = demo.script("lab-demo.sh")?;
            let mut tour = script.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
            let mut shown = BufReader::new(tour.stdout.take().context("no output")?);
            let mut line = String::new();
            while !line.starts_with("$ weir lab apply") {
                line.clear();
                ensure!(shown.read_line(&mut line)? > 0, "the tour ended before it was killed");
            }
            let victims = demo.machine.processes(victim)?;
            kill(*victims.first().with_context(|| format!("there is no {victim}"))?)?;
            tour.wait()?;
            let mut rest = String::new();
            shown.read_to_string(&mut rest)?;
            // An agent is started again, and the tour goes on.
            assert_eq!(
                rest.contains("ends with the tour"),
                victim == " lab agent ",
                "{victim}: {rest}"
            );
            demo.machine.wait_for_processes()?;
            let status = demo.machine.command(WEIR).args(["lab", "status"]).output()?;
            assert_eq!(status.status.code(), Some(3), "there is no lab `default`");
            demo.machine.is_as_before().with_context(|| format!("{victim} was killed"))?;
        }
        Ok(())
    })
}
