//! The tracked files and the package graph, read once.
//!
//! "Tracked" includes files that are new and not ignored: a problem should show before the commit.

use crate::workspace;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// One text file. Binary files are absent from a [`Tree`].
pub(super) struct File {
    /// Relative to the workspace's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// `None` for other languages, and for Rust that does not parse (the compiler says why).
    pub(super) syntax: Option<syn::File>,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Option<DependencyKind>,
    /// Set for a package of the workspace.
    pub(super) path: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DependencyKind {
    Dev,
    Build,
}

#[derive(Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// All paths, binary files and folders included: what a link may point to.
    pub(super) paths: std::collections::BTreeSet<String>,
    pub(super) packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let listing = workspace::output(
            root,
            "git",
            &["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        )
        .context("listing the tracked files")?;
        let mut texts = BTreeMap::new();
        let mut binary = Vec::new();
        for path in listing.split('\0').filter(|path| !path.is_empty()) {
            // A file that was deleted but not yet from the index is gone for every check.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            match String::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => {
                    texts.insert(path.to_owned(), text);
                }
                Ok(_) | Err(_) => binary.push(path.to_owned()),
            }
        }
        let metadata =
            workspace::output(root, "cargo", &["metadata", "--no-deps", "--format-version", "1"])?;
        let metadata: Metadata =
            serde_json::from_str(&metadata).context("reading cargo metadata")?;
        Ok(Self::new(texts, binary, metadata.packages))
    }

    pub(super) fn new(
        texts: BTreeMap<String, String>,
        binary: Vec<String>,
        packages: Vec<Package>,
    ) -> Self {
        let mut paths: std::collections::BTreeSet<String> = binary.into_iter().collect();
        paths.extend(texts.keys().cloned());
        let folders: Vec<String> = paths.iter().flat_map(|path| folders_of(path)).collect();
        paths.extend(folders);
        let files = texts.into_iter().map(|(path, text)| File::new(path, text)).collect();
        Self { files, paths, packages }
    }

    /// A tree of small texts, for the checks' tests.
    #[cfg(test)]
    pub(super) fn of(texts: &[(&str, &str)]) -> Self {
        let texts = texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self::new(texts.collect(), Vec::new(), Vec::new())
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = (&File, &syn::File)> {
        self.files.iter().filter_map(|file| Some((file, file.syntax.as_ref()?)))
    }
}

impl File {
    fn new(path: String, text: String) -> Self {
        let syntax = if path.ends_with(".rs") { syn::parse_file(&text).ok() } else { None };
        Self { path, text, syntax }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// `a/b/c` gives `a/b` and `a`.
fn folders_of(path: &str) -> Vec<String> {
    Path::new(path)
        .ancestors()
        .skip(1)
        .filter_map(Path::to_str)
        .filter(|folder| !folder.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn folders_of_files_are_paths_too() {
        let tree = Tree::of(&[("docs/design/a.md", "")]);
        let paths: Vec<_> = tree.paths.iter().map(String::as_str).collect();
        assert_eq!(paths, ["docs", "docs/design", "docs/design/a.md"]);
    }
}
