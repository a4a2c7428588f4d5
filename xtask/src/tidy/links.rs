//! Every relative link in a Markdown file leads to a file, a folder or a heading that exists.

use super::{Problem, tree::Tree};
use std::collections::BTreeSet;

const RULE: &str = "documents";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            let Some(message) = complaint(tree, &file.path, &target) else { continue };
            problems.push(Problem { path: file.path.clone(), line, message, rule: RULE });
        }
    }
    problems
}

fn complaint(tree: &Tree, from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { from.to_owned() } else { resolve(from, path) };
    if !path.is_empty() && !tree.paths.contains(&path) {
        return Some(format!("the link `{target}` leads nowhere: there is no {path}"));
    }
    let missing = !anchor.is_empty() && !anchors(&tree.file(&path)?.text).contains(anchor);
    missing.then(|| format!("the link `{target}` leads nowhere: {path} has no such heading"))
}

/// A path relative to the folder of `from`, as a path from the root.
fn resolve(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The targets of `[text](target)` and `[name]: target`, outside of code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in prose(text) {
        let without_code: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (index, _) in without_code.match_indices("](") {
            let rest = without_code.get(index + 2..).unwrap_or_default();
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((line, target.to_owned()));
        }
        if let Some((name, target)) = without_code.trim().split_once("]: ")
            && name.starts_with('[')
        {
            found.push((line, target.trim().to_owned()));
        }
    }
    found
}

/// The lines outside of fenced code, numbered from 1.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The fragments that a Markdown file's headings give.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(line.trim_start_matches('#').trim())).collect()
}

/// `1. Types first.` gives `1-types-first`.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, anchors, check};

    fn found(text: &str) -> usize {
        check(&Tree::of(&[("docs/a.md", text), ("docs/b.md", "# One idea\n"), ("README.md", "")]))
            .len()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let good = "[b](b.md) [b](./b.md#one-idea) [up](../README.md) [folder](../docs/) [root](..)\n\
            [web](https://example.org/x) [here](#top)\n# Top\n[b]: b.md\n";
        assert_eq!(found(good), 0);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for bad in [
            "[c](c.md)\n",
            "[b](b.md#two)\n",
            "[up](../../README.md/x)\n",
            "[here](#top)\n",
            "[c]: c.md\n",
        ] {
            assert_eq!(found(bad), 1, "{bad}");
        }
    }

    #[test]
    fn code_has_no_links() {
        assert_eq!(found("`[c](c.md)`\n```\n[c](c.md)\n```\n"), 0);
    }

    #[test]
    fn headings_give_fragments() {
        let text = "# A `Code` word, twice!\n```\n# no heading\n```\n";
        assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), ["a-code-word-twice"]);
    }
}
