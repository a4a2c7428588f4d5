//! `unsafe` only in the files that `layers.toml` lists.
//!
//! The workspace denies it, and an `#[expect(unsafe_code, …)]` can lift that anywhere; here is where it may.

use super::layers::Layers;
use super::{Problem, tree::Tree};
use syn::visit::Visit;

const RULE: &str = "shape";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    // A layers.toml that cannot be read is reported by the check of layers.
    let Ok(layers) = Layers::of(tree) else { return Vec::new() };
    let mut problems = Vec::new();
    let mut lifted = Vec::new();
    for (file, syntax) in tree.rust() {
        let mut attributes = Attributes { lines: Vec::new() };
        attributes.visit_file(syntax);
        if attributes.lines.is_empty() {
            continue;
        }
        lifted.push(file.path.as_str());
        if layers.unsafe_files().any(|listed| *listed == file.path) {
            continue;
        }
        problems.extend(
            attributes.lines.iter().map(|line| Problem {
                path: file.path.clone(),
                line: *line,
                message: "move the unsafe code to a file that layers.toml lists, or list this one"
                    .to_owned(),
                rule: RULE,
            }),
        );
    }
    let idle = layers.unsafe_files().filter(|listed| !lifted.contains(&listed.as_str()));
    problems.extend(idle.map(|listed| Problem {
        path: "layers.toml".to_owned(),
        line: 0,
        message: format!("`{listed}` expects no unsafe code: remove it from the list"),
        rule: RULE,
    }));
    problems
}

struct Attributes {
    lines: Vec<usize>,
}

impl<'ast> Visit<'ast> for Attributes {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let syn::Meta::List(list) = &attribute.meta else { return };
        if list.tokens.to_string().split([' ', ',']).any(|word| word == "unsafe_code") {
            self.lines.push(attribute.pound_token.span.start().line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    const LAYERS: &str = "[pure]\nexternal = []\n[[layer]]\nname = \"adapter\"\nwithin = false\n[crate.a]\nlayer = \"adapter\"\nuses = []\nunsafe-files = [\"crates/a/src/b.rs\"]\n";
    const LIFTED: &str = "//! A.\n#[expect(unsafe_code, reason = \"x\")]\nfn a() {}\n";

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            [("layers.toml", LAYERS)].into_iter().chain(files.iter().copied()).collect();
        check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_listed_file_may_expect_unsafe_code() {
        assert!(messages(&[("crates/a/src/b.rs", LIFTED)]).is_empty());
    }

    #[test]
    fn another_file_may_not() {
        let found = messages(&[("crates/a/src/b.rs", LIFTED), ("crates/a/src/c.rs", LIFTED)]);
        let [message] = found.as_slice() else { unreachable!("one problem: {found:?}") };
        assert!(message.starts_with("crates/a/src/c.rs:2: "), "{message}");
    }

    #[test]
    fn a_listed_file_without_is_found() {
        let found = messages(&[("crates/a/src/b.rs", "//! A.\n")]);
        assert!(found.concat().contains("expects no unsafe code"), "{found:?}");
    }
}
