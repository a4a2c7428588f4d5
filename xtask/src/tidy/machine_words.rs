//! Nothing in the tree depends on, or tells of, the machine that it was written on.

use super::{Problem, tree::Tree};

const RULE: &str = "same-everywhere";
/// Folders that exist on some machines only. Written in two parts, so that this file is not found.
const FOLDERS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("C:\\Us", "ers"),
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &tree.files {
        for (line, text) in file.lines() {
            let Some(folder) = FOLDERS.iter().find(|folder| has_path(text, folder)) else {
                continue;
            };
            let message = format!(
                "use a relative path, or a variable with a default, instead of `{folder}…`"
            );
            problems.push(Problem { path: file.path.clone(), line, message, rule: RULE });
        }
    }
    problems
}

/// Whether an absolute path starts here: `a/work/b` and `https://x/home/` are something else.
fn has_path(text: &str, folder: &str) -> bool {
    text.match_indices(folder).any(|(index, _)| {
        let before = text.get(..index).and_then(|before| before.chars().next_back());
        !before.is_some_and(|letter| letter.is_alphanumeric() || "._-}$/~".contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::{FOLDERS, Tree, check};

    #[test]
    fn finds_every_folder_at_the_start_of_a_path() {
        for folder in FOLDERS {
            for text in
                [format!("{folder}x\n"), format!("see `{folder}x`\n"), format!("A={folder}x\n")]
            {
                assert_eq!(check(&Tree::of(&[("a.md", &text)])).len(), 1, "{text}");
            }
        }
    }

    #[test]
    fn parts_of_other_paths_and_addresses_are_fine() {
        for text in
            ["$HOME/work/x\n", "docs/home/x.md\n", "https://example.org/home/x\n", "a homework\n"]
        {
            assert!(check(&Tree::of(&[("a.md", text)])).is_empty(), "{text}");
        }
    }
}
