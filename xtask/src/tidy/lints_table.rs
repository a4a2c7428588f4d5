//! Every crate takes the workspace's lints.

use super::{Problem, tree::Tree};

const RULE: &str = "shape";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let manifests = tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    manifests
        .filter(|file| !takes_workspace_lints(&file.text))
        .map(|file| problem(&file.path))
        .collect()
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let table: toml::Table = toml::from_str(manifest).unwrap_or_default();
    let lints = table.get("lints").and_then(toml::Value::as_table);
    lints.and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

fn problem(path: &str) -> Problem {
    let message = "add `[lints]` with `workspace = true`".to_owned();
    Problem { path: path.to_owned(), line: 0, message, rule: RULE }
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn a_crate_without_the_workspace_lints_is_found() {
        let good = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n";
        assert!(check(&Tree::of(&[("crates/a/Cargo.toml", good)])).is_empty());
        for bad in [
            "[package]\nname = \"a\"\n",
            "[lints]\nworkspace = false\n",
            "[lints.rust]\nunsafe_code = \"warn\"\n",
        ] {
            assert_eq!(check(&Tree::of(&[("crates/a/Cargo.toml", bad)])).len(), 1, "{bad}");
        }
    }

    #[test]
    fn the_workspace_itself_has_the_lints() {
        assert!(check(&Tree::of(&[("Cargo.toml", "[workspace]\n")])).is_empty());
    }
}
