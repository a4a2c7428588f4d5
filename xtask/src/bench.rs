//! `cargo xtask bench`: the figures that the project promises, measured on this machine.
//!
//! A bench is a function that measures and prints; add one as a file in `bench/` and a line in
//! [`BENCHES`]. Whatever needs the engine is in the crate `engine-bench`, so that the other checks build
//! without it. Benches are not tests: nothing fails because a machine is slow.

mod agreement;
mod engine;
mod gateway;
mod lab_truth;
mod lab_up;
mod ledger;
mod plane;
mod start;

use anyhow::{Result, bail};
use clap::Args;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Which benches; `all` for every one.
    names: Vec<String>,
    /// How many verdicts are compared by `oracle`, if not 5,000,000, and by `dataplane-agreement`, if not
    /// 20,000,000.
    #[arg(long)]
    verdicts: Option<u64>,
    /// The first world of `oracle`, if not 0.
    #[arg(long)]
    seed: Option<u64>,
}

struct Bench {
    name: &'static str,
    about: &'static str,
    measure: fn(&Path, &BenchArgs) -> Result<()>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "start",
        about: "from the start of the process to its end, doing nothing",
        measure: start::measure,
    },
    Bench {
        name: "map",
        about: "all-pairs maps, reading and printing included, against the naive oracle",
        measure: |root, _| engine::measure(root, "map"),
    },
    Bench {
        name: "change",
        about: "one policy of 11,500 changed, against compiling and mapping all anew",
        measure: |root, _| engine::measure(root, "change"),
    },
    Bench {
        name: "tables",
        about: "the tables of a node with 100 pods, from nothing and after one changed policy",
        measure: |root, _| engine::measure(root, "tables"),
    },
    Bench {
        name: "check",
        about: "two million queries in one batch, against the naive oracle",
        measure: |root, _| engine::measure(root, "check"),
    },
    Bench {
        name: "read",
        about: "reading the same cluster as JSON and as block YAML",
        measure: |root, _| engine::measure(root, "read"),
    },
    Bench {
        name: "oracle",
        about: "the engine against the naive oracle on random verdicts; fails on a difference",
        measure: |root, arguments| engine::compare(root, arguments.verdicts, arguments.seed),
    },
    Bench {
        name: "gateway",
        about: "what a session costs, direct, spliced, and recorded in each mode",
        measure: |root, _| gateway::measure(root, &[]),
    },
    Bench {
        name: "recorder",
        about: "the recorder alone: bulk, latencies, 5,000 idle recordings",
        measure: |root, _| gateway::recorder(root),
    },
    Bench {
        name: "ledger",
        about: "durable entries a second, and verification, beside what the disk alone does",
        measure: |root, _| ledger::measure(root),
    },
    Bench {
        name: "dataplane",
        about: "packets, changes, memory and traffic of the data plane; needs root",
        measure: |root, _| plane::measure(root),
    },
    Bench {
        name: "dataplane-agreement",
        about: "the kernel against tables, engine and oracle on random verdicts; needs root",
        measure: |root, arguments| agreement::compare(root, arguments.verdicts),
    },
    Bench {
        name: "lab-up",
        about: "a lab of 10 pods and one of 250, from the command to its end; needs root",
        measure: lab_up::measure,
    },
    Bench {
        name: "lab-truth",
        about: "all states of the corpora in a lab, with real sockets; fails on a wrong connection",
        measure: |root, _| lab_truth::compare(root),
    },
];

pub(crate) fn run(root: &Path, arguments: &BenchArgs) -> Result<ExitCode> {
    if arguments.names.is_empty() {
        for bench in BENCHES {
            println!("{:<20} {}", bench.name, bench.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for bench in chosen(&arguments.names)? {
        println!("== {}: {}", bench.name, bench.about);
        (bench.measure)(root, arguments)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// In the order of [`BENCHES`]; a name that is none of them is an error before anything runs.
fn chosen(names: &[String]) -> Result<Vec<&'static Bench>> {
    let is_known = |name: &String| name == "all" || BENCHES.iter().any(|bench| bench.name == name);
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        bail!("there is no bench `{name}`; `cargo xtask bench` lists them");
    }
    let all = names.iter().any(|name| name == "all");
    Ok(BENCHES.iter().filter(|bench| all || names.iter().any(|name| name == bench.name)).collect())
}

/// The middle of several measurements, which one slow run does not move.
fn median(mut durations: Vec<Duration>) -> Option<Duration> {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::{BENCHES, chosen, median};
    use std::time::Duration;

    #[test]
    fn names_choose_benches_and_a_wrong_name_is_an_error() {
        assert_eq!(chosen(&["all".to_owned()]).unwrap().len(), BENCHES.len());
        assert_eq!(chosen(&["start".to_owned()]).unwrap().len(), 1);
        let error = chosen(&["start".to_owned(), "nonsense".to_owned()]).err().unwrap();
        assert_eq!(
            error.to_string(),
            "there is no bench `nonsense`; `cargo xtask bench` lists them"
        );
    }

    #[test]
    fn one_slow_run_does_not_move_the_median() {
        let milliseconds = [3, 900, 1, 2, 2].map(Duration::from_millis);
        assert_eq!(median(milliseconds.to_vec()), Some(Duration::from_millis(2)));
        assert_eq!(median(Vec::new()), None);
    }
}
