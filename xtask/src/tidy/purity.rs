//! Pure crates touch nothing outside their arguments: no files, no clock, no environment, no threads.
//!
//! `layers.toml` keeps packages out that would; this keeps the standard library's own doors shut. Tests
//! may open them: code under `#[cfg(test)]` and in `tests/` is not looked at.

use super::layers::Layers;
use super::{Problem, tree::Tree};
use syn::visit::{self, Visit};

const RULE: &str = "shape";
const DOORS: &[&str] = &["env", "fs", "io", "os", "process", "thread", "time"];
/// The rest of `std::net` is values.
const SOCKETS: &[&str] = &["TcpListener", "TcpStream", "UdpSocket", "ToSocketAddrs"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let Ok(layers) = Layers::of(tree) else { return Vec::new() };
    let folders: Vec<String> =
        layers.pure_crates().map(|name| format!("crates/{name}/src/")).collect();
    let mut problems = Vec::new();
    for (file, syntax) in tree.rust() {
        if folders.iter().any(|folder| file.path.starts_with(folder)) {
            let mut doors = Doors { path: &file.path, problems: Vec::new() };
            doors.visit_file(syntax);
            problems.append(&mut doors.problems);
        }
    }
    problems
}

struct Doors<'a> {
    path: &'a str,
    problems: Vec<Problem>,
}

impl Doors<'_> {
    fn judge(&mut self, segments: &[(String, usize)]) {
        let [(root, line), rest @ ..] = segments else { return };
        let names: Vec<&str> = rest.iter().map(|(name, _)| name.as_str()).collect();
        let door = match names.as_slice() {
            [first, ..] if DOORS.contains(first) => first,
            ["net", socket, ..] if SOCKETS.contains(socket) => socket,
            _ => return,
        };
        if root == "std" {
            let message = format!("`std::…{door}` in a pure crate: take the value as an argument");
            self.problems.push(Problem {
                path: self.path.to_owned(),
                line: *line,
                message,
                rule: RULE,
            });
        }
    }

    fn judge_use(&mut self, tree: &syn::UseTree, before: &mut Vec<(String, usize)>) {
        let named = |name: &syn::Ident| (name.to_string(), name.span().start().line);
        match tree {
            syn::UseTree::Path(path) => {
                before.push(named(&path.ident));
                self.judge_use(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.judge_use(item, before))
            }
            syn::UseTree::Name(name) => {
                self.judge(&[before.as_slice(), &[named(&name.ident)]].concat())
            }
            syn::UseTree::Rename(name) => {
                self.judge(&[before.as_slice(), &[named(&name.ident)]].concat())
            }
            syn::UseTree::Glob(_) => self.judge(before),
        }
    }
}

impl<'ast> Visit<'ast> for Doors<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(is_cfg_test) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.judge_use(&item.tree, &mut Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let named: Vec<_> =
            segments.map(|part| (part.ident.to_string(), part.ident.span().start().line)).collect();
        self.judge(&named);
        visit::visit_path(self, path);
    }
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    const LAYERS: &str =
        "layer = []\npure.external = []\ncrate.model = { layer = \"pure\", uses = [] }\n";

    fn found(path: &str, code: &str) -> usize {
        check(&Tree::of(&[("layers.toml", LAYERS), (path, &format!("//! A.\n{code}\n"))])).len()
    }

    #[test]
    fn finds_the_doors_of_the_standard_library() {
        for code in [
            "use std::fs;",
            "use std::{fmt, time::Instant};",
            "use std::io::*;",
            "use std::net::TcpStream as Stream;",
            "fn now() -> std::time::Instant { std::time::Instant::now() }",
        ] {
            assert!(found("crates/model/src/a.rs", code) >= 1, "{code}");
        }
    }

    #[test]
    fn values_tests_and_other_crates_are_fine() {
        assert_eq!(
            found(
                "crates/model/src/a.rs",
                "use std::net::IpAddr;\nuse std::collections::BTreeMap;"
            ),
            0
        );
        assert_eq!(found("crates/model/src/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }"), 0);
        assert_eq!(found("crates/model/tests/a.rs", "use std::fs;"), 0);
        assert_eq!(found("crates/reader/src/a.rs", "use std::fs;"), 0);
    }
}
