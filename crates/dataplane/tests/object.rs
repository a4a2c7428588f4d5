//! The object as a whole: the kernel's verifier takes it, and does not have to look further than before.
#![cfg(test)]

use dataplane::verify;
use std::collections::BTreeMap;

/// The most that the verifier may have to look at.
struct Budget {
    instructions: u64,
    stack: u32,
}

fn budgets() -> BTreeMap<&'static str, Budget> {
    let lines = include_str!("../bpf/budget.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let [name, instructions, stack] = line.split_whitespace().collect::<Vec<_>>()[..]
            else {
                panic!("not a budget: `{line}`");
            };
            let (instructions, stack) = (instructions.parse().unwrap(), stack.parse().unwrap());
            (name, Budget { instructions, stack })
        })
        .collect()
}

#[test]
fn the_verifier_takes_each_program_within_its_budget() {
    let verified = verify().expect("loading needs root and kernel 6.6 or newer");
    let budgets = budgets();
    assert_eq!(
        verified.keys().map(String::as_str).collect::<Vec<_>>(),
        budgets.keys().copied().collect::<Vec<_>>(),
        "each program has a budget in bpf/budget.txt: {verified:?}"
    );
    for (name, found) in &verified {
        let budget = &budgets[name.as_str()];
        let stack: u32 = found.stack.iter().copied().max().unwrap_or_default();
        assert!(
            found.instructions <= budget.instructions && stack <= budget.stack,
            "{name}: {found:?} is over its budget of {} instructions and {} bytes of stack; if that has \
             to be, raise it in bpf/budget.txt",
            budget.instructions,
            budget.stack
        );
        assert!(found.instructions * 2 > budget.instructions, "{name}: a budget that is never met");
    }
}
