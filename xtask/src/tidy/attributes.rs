//! No test is ignored or expected to panic, and no lint is silenced without a reason.
//!
//! `#[expect(lint, reason = "…")]` fails when the lint no longer fires, so it cannot rot; `#[allow]` can.

use super::{Problem, tree::Tree};
use syn::visit::Visit;

const RULE: &str = "tests";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (file, syntax) in tree.rust() {
        let mut attributes = Attributes { path: &file.path, problems: Vec::new() };
        attributes.visit_file(syntax);
        problems.append(&mut attributes.problems);
    }
    problems
}

struct Attributes<'a> {
    path: &'a str,
    problems: Vec<Problem>,
}

impl<'ast> Visit<'ast> for Attributes<'_> {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let Some(name) = attribute.path().get_ident().map(ToString::to_string) else { return };
        let message = match name.as_str() {
            "allow" => "use `#[expect(lint, reason = \"…\")]` instead of `#[allow]`",
            "ignore" => "make the test run everywhere or delete it; no `#[ignore]`",
            "should_panic" => "compare the error value; `#[should_panic]` passes for any panic",
            _ => return,
        };
        self.problems.push(Problem {
            path: self.path.to_owned(),
            line: attribute.pound_token.span.start().line,
            message: message.to_owned(),
            rule: RULE,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn finds_each_banned_attribute_and_no_other() {
        let text = "//! A.\n#[allow(dead_code)]\nfn a() {}\n#[test]\n#[ignore]\nfn b() {}\n#[test]\n#[should_panic]\nfn c() {}\n#[expect(dead_code, reason = \"x\")]\nfn d() {}\n";
        let lines: Vec<_> =
            check(&Tree::of(&[("a.rs", text)])).iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [2, 5, 8]);
    }

    #[test]
    fn a_string_that_speaks_of_an_attribute_is_fine() {
        assert!(
            check(&Tree::of(&[("a.rs", "//! A.\nconst A: &str = \"#[ignore]\";\n")])).is_empty()
        );
    }
}
