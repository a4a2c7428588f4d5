//! Dependencies point down, along edges that `layers.toml` lists.
//!
//! Adapters never know each other: the layer says `within = false`. Edges that only tests have are listed
//! apart (`tests-use`) and may point anywhere, because nothing is built on them.

use super::Problem;
use super::tree::{Dependency, DependencyKind, Package, Tree};
use serde::Deserialize;
use std::collections::BTreeMap;

const RULE: &str = "shape";
const PATH: &str = "layers.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layers {
    layer: Vec<Layer>,
    pure: Pure,
    #[serde(rename = "crate")]
    crates: BTreeMap<String, CrateEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    name: String,
    /// Whether its crates may use each other.
    within: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pure {
    external: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CrateEntry {
    layer: String,
    uses: Vec<String>,
    #[serde(default)]
    tests_use: Vec<String>,
    /// Packages from outside that this pure crate may use besides those of all pure crates.
    #[serde(default)]
    external: Vec<String>,
    /// Where `#[expect(unsafe_code, …)]` may stand.
    #[serde(default)]
    unsafe_files: Vec<String>,
}

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let layers = match Layers::of(tree) {
        Ok(layers) => layers,
        Err(message) => return vec![problem(message)],
    };
    let known: Vec<&str> = tree.packages.iter().map(|package| package.name.as_str()).collect();
    let gone = layers.crates.keys().filter(|name| !known.contains(&name.as_str()));
    let mut messages: Vec<String> =
        gone.map(|name| format!("`{name}` is no crate of the workspace: remove it")).collect();
    for package in &tree.packages {
        match layers.crates.get(&package.name) {
            Some(entry) => messages.extend(layers.complaints(package, entry)),
            None => messages
                .push(format!("add `[crate.{}]` with its layer and what it uses", package.name)),
        }
    }
    messages.into_iter().map(problem).collect()
}

impl Layers {
    pub(super) fn of(tree: &Tree) -> Result<Self, String> {
        let file = tree.file(PATH).ok_or("is missing")?;
        toml::from_str(&file.text).map_err(|error| error.to_string())
    }

    /// The files of all crates where unsafe code is expected.
    pub(super) fn unsafe_files(&self) -> impl Iterator<Item = &String> {
        self.crates.values().flat_map(|entry| &entry.unsafe_files)
    }

    /// The crates that have no contact with the world.
    pub(super) fn pure_crates(&self) -> impl Iterator<Item = &str> {
        self.crates.iter().filter(|(_, entry)| entry.layer == "pure").map(|(name, _)| name.as_str())
    }

    fn complaints(&self, package: &Package, entry: &CrateEntry) -> Vec<String> {
        let Some(height) = self.height(&entry.layer) else {
            return vec![format!(
                "`{}` stands on `{}`, which is no layer",
                package.name, entry.layer
            )];
        };
        let edges = package.dependencies.iter();
        edges.filter_map(|edge| self.complaint(&package.name, entry, height, edge)).collect()
    }

    fn complaint(
        &self,
        user: &str,
        entry: &CrateEntry,
        height: usize,
        edge: &Dependency,
    ) -> Option<String> {
        let used = edge.name.as_str();
        if edge.kind == Some(DependencyKind::Dev) {
            let listed = entry.tests_use.iter().chain(&entry.uses).any(|name| name == used);
            return (edge.path.is_some() && !listed).then(|| {
                format!("tests of `{user}` use `{used}`: add it to `tests-use`, or do without")
            });
        }
        if edge.path.is_none() {
            let mut allowed = self.pure.external.iter().chain(&entry.external);
            let refused = entry.layer == "pure" && !allowed.any(|name| name == used);
            return refused.then(|| {
                format!("pure crate `{user}` uses `{used}`: it is not among `pure.external`")
            });
        }
        if !entry.uses.iter().any(|name| name == used) {
            return Some(format!(
                "`{user}` uses `{used}`, which is not listed: write the design note, or do without"
            ));
        }
        let target = self.height(&self.crates.get(used)?.layer)?;
        let within = self.layer.get(height).is_some_and(|layer| layer.within);
        (target > height || target == height && !within).then(|| {
            format!("`{user}` ({}) may not use `{used}`: dependencies point down", entry.layer)
        })
    }

    fn height(&self, layer: &str) -> Option<usize> {
        self.layer.iter().position(|known| known.name == layer)
    }
}

fn problem(message: String) -> Problem {
    Problem { path: PATH.to_owned(), line: 0, message, rule: RULE }
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};
    use crate::tidy::tree::{Dependency, DependencyKind, Package};

    const LAYERS: &str = r#"
        layer = [
            { name = "pure", within = true },
            { name = "adapter", within = false },
        ]
        pure.external = ["ipnet"]
        crate.model = { layer = "pure", uses = [], external = ["proptest"] }
        crate.engine = { layer = "pure", uses = ["model"], tests-use = ["reader"] }
        crate.reader = { layer = "adapter", uses = ["model"] }
        crate.writer = { layer = "adapter", uses = ["model", "reader"] }
    "#;

    fn edge(name: &str, kind: Option<DependencyKind>, internal: bool) -> Dependency {
        Dependency { name: name.into(), kind, path: internal.then(|| name.to_owned()) }
    }

    /// What is said when `user` has one more edge than the good graph.
    fn messages(user: &str, more: Dependency) -> Vec<String> {
        let mut tree = Tree::of(&[("layers.toml", LAYERS)]);
        let package = |name: &str, edges| Package { name: name.into(), dependencies: edges };
        tree.packages = vec![
            package("model", vec![edge("ipnet", None, false)]),
            package(
                "engine",
                vec![edge("model", None, true), edge("reader", Some(DependencyKind::Dev), true)],
            ),
            package("reader", vec![edge("model", None, true), edge("serde", None, false)]),
            package("writer", vec![edge("model", None, true)]),
        ];
        let edges = &mut tree
            .packages
            .iter_mut()
            .find(|package| package.name == user)
            .unwrap()
            .dependencies;
        edges.push(more);
        check(&tree).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn the_good_graph_is_good() {
        assert_eq!(messages("engine", edge("ipnet", None, false)), [""; 0]);
        assert_eq!(messages("engine", edge("proptest", Some(DependencyKind::Dev), false)), [""; 0]);
    }

    #[test]
    fn an_edge_that_is_not_listed_is_found() {
        let found = messages("model", edge("engine", None, true));
        assert_eq!(
            found,
            ["`model` uses `engine`, which is not listed: write the design note, or do without"]
        );
        let found = messages("reader", edge("engine", Some(DependencyKind::Build), true));
        assert_eq!(found.len(), 1, "build edges count: {found:?}");
        let found = messages("model", edge("reader", Some(DependencyKind::Dev), true));
        assert_eq!(found, ["tests of `model` use `reader`: add it to `tests-use`, or do without"]);
    }

    #[test]
    fn adapters_never_know_each_other_even_where_it_is_listed() {
        let found = messages("writer", edge("reader", None, true));
        assert_eq!(found, ["`writer` (adapter) may not use `reader`: dependencies point down"]);
    }

    #[test]
    fn a_pure_crate_uses_only_the_packages_of_the_list_and_its_own() {
        assert_eq!(messages("model", edge("proptest", None, false)), [""; 0]);
        assert_eq!(messages("engine", edge("proptest", None, false)).len(), 1);
        let found = messages("model", edge("tokio", None, false));
        assert_eq!(found, ["pure crate `model` uses `tokio`: it is not among `pure.external`"]);
    }

    #[test]
    fn both_lists_name_the_same_crates() {
        let mut tree = Tree::of(&[("layers.toml", LAYERS)]);
        tree.packages = vec![Package { name: "stranger".into(), dependencies: Vec::new() }];
        let found: Vec<_> = check(&tree).into_iter().map(|problem| problem.message).collect();
        assert_eq!(found.len(), 5);
        assert_eq!(found[4], "add `[crate.stranger]` with its layer and what it uses");
    }
}
