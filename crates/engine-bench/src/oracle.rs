//! The engine against the naive oracle: random worlds, until enough verdicts were compared.
//!
//! One verdict is one question under one reading, with both sides and the set of ports that the pair may
//! use. A world has the number of its seed, so that a difference can be had again.

use crate::compare::{Reading, Said, by_engine, by_oracle};
use crate::shrink::shrunk;
use clap::Args;
use policy_engine::{Program, TrafficCache, Verdict};
use policy_oracle::worlds::{Asked, World, random};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

#[derive(Debug, Args)]
pub(crate) struct OracleArgs {
    /// At least so many verdicts are compared.
    #[arg(long, default_value_t = 5_000_000)]
    verdicts: u64,
    /// The seed of the first world; the next has the next.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Verdicts of one reading.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    allow: u64,
    deny: u64,
    undefined: u64,
}

#[derive(Debug)]
struct Difference {
    seed: u64,
    reading: Reading,
    asked: Asked,
    engine: Option<Said>,
    oracle: Option<Said>,
    manifest: String,
}

#[derive(Debug, Default)]
struct Compared {
    /// One for each reading.
    counts: Vec<Counts>,
    n_worlds: u64,
    difference: Option<Difference>,
}

/// What the threads share.
struct Run {
    readings: Vec<Reading>,
    wanted: u64,
    next_seed: AtomicU64,
    compared: AtomicU64,
    stop: AtomicBool,
}

pub(crate) fn run(args: &OracleArgs) -> ExitCode {
    let run = Run {
        readings: Reading::all(),
        wanted: args.verdicts,
        next_seed: AtomicU64::new(args.seed),
        compared: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let all = thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(|| run.compare())).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect::<Vec<Compared>>()
    });
    let n_worlds: u64 = all.iter().map(|part| part.n_worlds).sum();
    let first = args.seed;
    println!("{n_worlds} worlds, with seeds from {first}: `--seed {first}` repeats them");
    println!("{:<28} {:>10} {:>10} {:>10}", "reading", "allow", "deny", "undefined");
    for (index, reading) in run.readings.iter().enumerate() {
        let parts = all.iter().filter_map(|part| part.counts.get(index));
        let counts = parts.fold(Counts::default(), |sum, part| Counts {
            allow: sum.allow + part.allow,
            deny: sum.deny + part.deny,
            undefined: sum.undefined + part.undefined,
        });
        let Counts { allow, deny, undefined } = counts;
        println!("{:<28} {allow:>10} {deny:>10} {undefined:>10}", reading.to_string());
    }
    let compared = run.compared.load(Ordering::Relaxed);
    let differences: Vec<Difference> = all.into_iter().filter_map(|part| part.difference).collect();
    println!("{compared} verdicts compared, {} differences", differences.len());
    differences.iter().for_each(report);
    if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Run {
    fn compare(&self) -> Compared {
        let mut part = Compared {
            counts: vec![Counts::default(); self.readings.len()],
            ..Compared::default()
        };
        while !self.stop.load(Ordering::Relaxed)
            && self.compared.load(Ordering::Relaxed) < self.wanted
        {
            let seed = self.next_seed.fetch_add(1, Ordering::Relaxed);
            part.n_worlds += 1;
            let world = random(seed);
            for (reading, counts) in self.readings.iter().zip(&mut part.counts) {
                if let Some(difference) = self.compare_world(seed, &world, reading, counts) {
                    part.difference = Some(difference);
                    self.stop.store(true, Ordering::Relaxed);
                    return part;
                }
            }
        }
        part
    }

    fn compare_world(
        &self,
        seed: u64,
        world: &World,
        reading: &Reading,
        counts: &mut Counts,
    ) -> Option<Difference> {
        let snapshot = &world.snapshot;
        let program = Program::compile(snapshot.clone(), reading.of_engine());
        let mut cache = TrafficCache::default();
        for asked in &world.questions {
            let engine = by_engine(&program, snapshot, asked, &mut cache);
            let oracle = by_oracle(snapshot, asked, reading);
            match oracle.filter(|_| engine == oracle).map(|said| said.verdict) {
                Some(Verdict::Allow) => counts.allow += 1,
                Some(Verdict::Deny) => counts.deny += 1,
                Some(Verdict::Undefined) => counts.undefined += 1,
                None => {
                    let manifest = kube_render::manifest(&shrunk(snapshot, asked, reading));
                    let (reading, asked) = (reading.clone(), asked.clone());
                    return Some(Difference { seed, reading, asked, engine, oracle, manifest });
                }
            }
            let compared = self.compared.fetch_add(1, Ordering::Relaxed) + 1;
            if compared.is_multiple_of(500_000) {
                eprintln!("{compared} verdicts compared");
            }
        }
        None
    }
}

fn report(difference: &Difference) {
    let Difference { seed, reading, asked, engine, oracle, manifest } = difference;
    println!("\nthe world of seed {seed}, {reading}: {asked:?}");
    println!("engine: {engine:?}\noracle: {oracle:?}");
    println!("smallest world about which they differ:\n\n{manifest}");
}

#[cfg(test)]
mod tests {
    use super::{OracleArgs, Reading, run};
    use policy_engine::{Program, TrafficCache, Verdict};
    use policy_oracle::worlds::random;
    use std::process::ExitCode;

    #[test]
    fn the_first_worlds_agree_under_every_reading() {
        assert_eq!(Reading::all().len(), 4);
        let code = run(&OracleArgs { verdicts: 8_000, seed: 0 });
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    }

    /// The comparison would see an engine that is wrong.
    #[test]
    fn another_reading_gives_other_verdicts() {
        let readings = Reading::all();
        let differ = (0..50).any(|seed| {
            let world = random(seed);
            let program = Program::compile(world.snapshot.clone(), readings[0].of_engine());
            let mut cache = TrafficCache::default();
            world.questions.iter().any(|asked| {
                let engine = super::by_engine(&program, &world.snapshot, asked, &mut cache);
                let other = super::by_oracle(&world.snapshot, asked, &readings[2]);
                engine != other && other.is_some_and(|said| said.verdict != Verdict::Undefined)
            })
        });
        assert!(differ);
    }
}
