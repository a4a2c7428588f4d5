//! What the kernel's verifier says of each program: how much it had to look at, and how long that took.

use crate::kernel_store::of_libbpf;
use crate::object::{self, DEFAULT_SETTINGS};
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::{PrintLevel, set_print};
use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One program, as it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Of at most a million.
    pub instructions: u64,
    /// Bytes, of each function; at most 512 along a chain of calls.
    pub stack: Vec<u32>,
    pub time: Duration,
}

/// `BPF_LOG_STATS` of the kernel's `bpf_verifier.h`.
const LOG_STATISTICS: u32 = 4;

/// What libbpf has printed. Its printer is the process's, so there is one caller at a time.
static PRINTED: Mutex<String> = Mutex::new(String::new());
static CALLER: Mutex<()> = Mutex::new(());

/// Loads all programs once more, by name. They are gone when this returns.
pub fn verify() -> io::Result<BTreeMap<String, Verified>> {
    let _alone = CALLER.lock().unwrap_or_else(PoisonError::into_inner);
    printed().clear();
    let before = set_print(Some((PrintLevel::Debug, keep)));
    let loaded = load();
    set_print(before);
    loaded?;
    Ok(statistics(&printed()))
}

fn load() -> io::Result<()> {
    let mut storage = MaybeUninit::uninit();
    let settings = crate::facts::tracked_connection_type().map(|nf_conn_btf_id| {
        crate::skeleton::types::settings { nf_conn_btf_id, ..DEFAULT_SETTINGS }
    })?;
    let mut open = object::open(&mut storage, &settings).map_err(of_libbpf)?;
    for program in open.open_object_mut().progs_mut() {
        let mut program = program;
        program.set_log_level(LOG_STATISTICS);
    }
    open.load().map(drop).map_err(of_libbpf)
}

fn printed() -> std::sync::MutexGuard<'static, String> {
    PRINTED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::needless_pass_by_value, reason = "libbpf-rs gives it by value")]
fn keep(_level: PrintLevel, text: String) {
    printed().push_str(&text);
}

/// Of logs like `prog 'to_pod': -- BEGIN PROG LOAD LOG --`, with three lines of numbers in them.
fn statistics(logs: &str) -> BTreeMap<String, Verified> {
    let logs = logs.split("prog '").filter(|log| log.contains("BEGIN PROG LOAD LOG"));
    logs.filter_map(|log| {
        let (name, log) = log.split_once('\'')?;
        let after = |word: &str| log.lines().find_map(|line| line.strip_prefix(word));
        let number = |word: &str| after(word)?.split_whitespace().next();
        let verified = Verified {
            instructions: number("processed ")?.parse().ok()?,
            stack: number("stack depth ")?.split('+').filter_map(|n| n.parse().ok()).collect(),
            time: Duration::from_micros(number("verification time ")?.parse().ok()?),
        };
        Some((name.to_owned(), verified))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_found_in_the_logs() {
        let logs = "libbpf: prog 'sweep': -- BEGIN PROG LOAD LOG --\n\
                    verification time 1234 usec\nstack depth 96+0+24\n\
                    processed 567 insns (limit 1000000) max_states_per_insn 3 total_states 9\n\
                    -- END PROG LOAD LOG --\nlibbpf: prog 'ask': relo #1\n";
        let sweep = Verified {
            instructions: 567,
            stack: vec![96, 0, 24],
            time: Duration::from_micros(1234),
        };
        assert_eq!(statistics(logs), BTreeMap::from([("sweep".to_owned(), sweep)]));
    }
}
