//! Types, modules and functions carry words that mean something.

use super::{Problem, tree::Tree};
use syn::visit::{self, Visit};

const RULE: &str = "names";
/// Words that say nothing of what a thing is.
const EMPTY_WORDS: &[&str] = &[
    "Manager",
    "Helper",
    "Util",
    "Utils",
    "Common",
    "Handler",
    "Processor",
    "Data",
    "Info",
    "Impl",
];
const EMPTY_PREFIXES: &[&str] = &["get_", "do_", "handle_"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (file, syntax) in tree.rust() {
        let mut names = Names { path: &file.path, problems: Vec::new() };
        names.visit_file(syntax);
        problems.append(&mut names.problems);
    }
    problems
}

struct Names<'a> {
    path: &'a str,
    problems: Vec<Problem>,
}

impl Names<'_> {
    fn report(&mut self, name: &syn::Ident, message: String) {
        let line = name.span().start().line;
        self.problems.push(Problem { path: self.path.to_owned(), line, message, rule: RULE });
    }

    fn type_name(&mut self, name: &syn::Ident) {
        let text = name.to_string();
        if let Some(word) = words(&text).into_iter().find(|word| EMPTY_WORDS.contains(word)) {
            self.report(name, format!("`{text}`: say what it is instead of `{word}`"));
        }
    }

    fn module_name(&mut self, name: &syn::Ident) {
        let text = name.to_string();
        let found = EMPTY_WORDS
            .iter()
            .find(|word| text.split('_').any(|part| part.eq_ignore_ascii_case(word)));
        if let Some(word) = found {
            self.report(
                name,
                format!("module `{text}`: say what it is instead of `{}`", word.to_lowercase()),
            );
        }
    }

    fn function_name(&mut self, name: &syn::Ident) {
        let text = name.to_string();
        if let Some(prefix) = EMPTY_PREFIXES.iter().find(|prefix| text.starts_with(**prefix)) {
            self.report(
                name,
                format!("`{text}`: leave `{prefix}` out, and use the verb that it does"),
            );
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.type_name(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.type_name(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.type_name(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.type_name(&item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module_name(&item.ident);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function_name(&item.sig.ident);
        visit::visit_item_fn(self, item);
    }

    /// The names of a trait's functions are the trait's.
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.trait_.is_none() {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function_name(&item.sig.ident);
        visit::visit_impl_item_fn(self, item);
    }
}

/// `RuleInfo` gives `Rule` and `Info`.
fn words(camel: &str) -> Vec<&str> {
    let starts: Vec<usize> = camel
        .char_indices()
        .filter(|(_, letter)| letter.is_uppercase())
        .map(|(index, _)| index)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([camel.len()]);
    starts.iter().zip(ends).filter_map(|(&start, end)| camel.get(start..end)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check, words};

    fn names_in(text: &str) -> usize {
        check(&Tree::of(&[("a.rs", &format!("//! A.\n{text}\n"))])).len()
    }

    #[test]
    fn finds_empty_words_in_types_modules_and_functions() {
        for bad in ["struct RuleInfo;", "enum Data {}", "trait Handler {}", "type PodManager = u8;"]
        {
            assert_eq!(names_in(bad), 1, "{bad}");
        }
        for bad in [
            "mod util;",
            "mod rule_helper;",
            "fn get_rule() {}",
            "struct S; impl S { fn do_it() {} }",
        ] {
            assert_eq!(names_in(bad), 1, "{bad}");
        }
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("RuleInfo"), ["Rule", "Info"]);
        for good in [
            "struct Database;",
            "struct Informer;",
            "mod commonly;",
            "fn target() {}",
            "fn done() {}",
        ] {
            assert_eq!(names_in(good), 0, "{good}");
        }
    }

    #[test]
    fn a_variant_may_be_called_what_the_outside_calls_it() {
        assert_eq!(names_in("enum Severity { Info, Warning }"), 0);
    }
}
