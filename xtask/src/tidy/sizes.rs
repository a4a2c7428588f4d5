//! A file has at most 600 lines and a function at most 80.
//!
//! Clippy counts the lines of a function without comments; here they count, because they are read too.

use super::{Problem, tree::Tree};
use syn::visit::{self, Visit};

const RULE: &str = "files-and-functions";
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 80;

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            let message = format!("has {lines} lines: split it by idea, at most {FILE_LINES}");
            problems.push(Problem { path: file.path.clone(), line: 0, message, rule: RULE });
        }
    }
    for (file, syntax) in tree.rust() {
        let mut functions = Functions { path: &file.path, problems: Vec::new() };
        functions.visit_file(syntax);
        problems.append(&mut functions.problems);
    }
    problems
}

struct Functions<'a> {
    path: &'a str,
    problems: Vec<Problem>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, body: &syn::Block) {
        let (start, end) = (name.span().start().line, body.brace_token.span.close().end().line);
        let lines = end - start + 1;
        if lines > FUNCTION_LINES {
            let message =
                format!("`{name}` has {lines} lines: name its steps, at most {FUNCTION_LINES}");
            self.problems.push(Problem {
                path: self.path.to_owned(),
                line: start,
                message,
                rule: RULE,
            });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    fn function(lines: usize) -> String {
        format!("//! A.\nfn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_of_80_lines_is_the_longest() {
        assert!(check(&Tree::of(&[("a.rs", &function(80))])).is_empty());
        let problems = check(&Tree::of(&[("a.rs", &function(81))]));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("`long` has 81 lines"), "{}", problems[0]);
        assert_eq!(problems[0].line, 2);
    }

    #[test]
    fn methods_are_measured_too() {
        let text =
            function(81).replace("fn long", "struct S; impl S { fn long").replace("}\n", "}}\n");
        assert_eq!(check(&Tree::of(&[("a.rs", &text)])).len(), 1);
    }

    #[test]
    fn a_file_of_600_lines_is_the_longest() {
        let text = |lines| "//! Line.\n".repeat(lines);
        assert!(check(&Tree::of(&[("a.rs", &text(600))])).is_empty());
        assert_eq!(check(&Tree::of(&[("a.rs", &text(601))])).len(), 1);
        assert!(check(&Tree::of(&[("a.yaml", &"#\n".repeat(700))])).is_empty());
    }
}
