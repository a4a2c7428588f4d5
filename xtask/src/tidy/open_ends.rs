//! Nothing unfinished is left in the text: no notes to self, no code that says "later".

use super::{Problem, tree::Tree};

const RULE: &str = "comments";
/// Written in two parts, so that this file does not break its own rule.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &tree.files {
        for (line, text) in file.lines() {
            let Some(mark) = MARKS.iter().find(|mark| text.contains(**mark)) else { continue };
            let message = format!("finish it or file it: no `{mark}`");
            problems.push(Problem { path: file.path.clone(), line, message, rule: RULE });
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{MARKS, Tree, check};

    #[test]
    fn finds_every_mark() {
        for mark in MARKS {
            let text = format!("//! A.\n// {mark}\n");
            assert_eq!(check(&Tree::of(&[("a.rs", &text)])).len(), 1, "{mark}");
        }
        assert!(check(&Tree::of(&[("a.rs", "//! All done.\n")])).is_empty());
    }
}
