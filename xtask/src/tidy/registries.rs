//! Packages come from crates.io, and no file names another registry or a mirror of it.

use super::{Problem, tree::Tree};

const RULE: &str = "same-everywhere";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &tree.files {
        for (line, text) in file.lines() {
            let Some(message) = complaint(&file.path, text) else { continue };
            problems.push(Problem { path: file.path.clone(), line, message, rule: RULE });
        }
    }
    problems
}

fn complaint(path: &str, text: &str) -> Option<String> {
    let text = text.trim();
    if path.ends_with("Cargo.lock") {
        let source = text.strip_prefix("source = \"")?.strip_suffix('"')?;
        return (source != CRATES_IO)
            .then(|| format!("take the package from crates.io instead of {source}"));
    }
    if path.contains(".cargo/") {
        let sets_source = ["[source", "[registr", "replace-with", "[http", "proxy"];
        let found = sets_source.iter().find(|word| text.starts_with(**word))?;
        return Some(format!("keep `{found}…` in your own cargo configuration"));
    }
    let manifest = path.ends_with("Cargo.toml") && !text.starts_with('#');
    (manifest && (text.contains("registry =") || text.contains("registry-index")))
        .then(|| "take the package from crates.io".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{CRATES_IO, Tree, check};

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn finds_other_sources_in_lock_configuration_and_manifests() {
        assert_eq!(found("Cargo.lock", "source = \"sparse+https://mirror.example/\"\n"), 1);
        assert_eq!(found("Cargo.lock", "source = \"git+https://example.org/x\"\n"), 1);
        assert_eq!(
            found(".cargo/config.toml", "[source.crates-io]\nreplace-with = \"mirror\"\n"),
            2
        );
        assert_eq!(
            found("crates/a/Cargo.toml", "x = { version = \"1\", registry = \"mine\" }\n"),
            1
        );
    }

    #[test]
    fn crates_io_is_fine() {
        assert_eq!(found("Cargo.lock", &format!("source = \"{CRATES_IO}\"\n")), 0);
        assert_eq!(found(".cargo/config.toml", "[alias]\nxtask = \"run\"\n"), 0);
        assert_eq!(found("docs/a.md", "registry = the word\n"), 0);
    }
}
