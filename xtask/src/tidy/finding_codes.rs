//! Every finding code has a page, and every page a code.

use super::{Problem, tree::Tree};
use std::collections::BTreeMap;

const RULE: &str = "findings";
const FOLDER: &str = "docs/findings/";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let codes = codes(tree);
    let mut problems = Vec::new();
    for (code, (path, line)) in &codes {
        let page = format!("{FOLDER}{code}.md");
        let message =
            match tree.file(&page).map(|file| file.text.lines().next().unwrap_or_default()) {
                None => format!("write {page}: what `{code}` means, why it matters, how to fix it"),
                Some(title) if title != format!("# {code}") => {
                    format!("start {page} with the line `# {code}`")
                }
                Some(_) => continue,
            };
        problems.push(Problem { path: path.clone(), line: *line, message, rule: RULE });
    }
    let pages =
        tree.files.iter().filter_map(|file| file.path.strip_prefix(FOLDER)?.strip_suffix(".md"));
    for page in pages.filter(|page| !codes.contains_key(*page)) {
        let message =
            format!("no crate has the code `{page}`: remove the page, or correct its name");
        problems.push(Problem { path: format!("{FOLDER}{page}.md"), line: 0, message, rule: RULE });
    }
    problems
}

/// Each code with the first place that names it, tests left out.
fn codes(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let mut codes = BTreeMap::new();
    let sources = tree.files.iter().filter(|file| {
        file.is_rust()
            && file.path.starts_with("crates/")
            && file.path.contains("/src/")
            && !is_test(&file.path)
    });
    for file in sources {
        let shipped = file.lines().take_while(|(_, text)| text.trim() != "#[cfg(test)]");
        for (line, text) in shipped {
            for code in codes_in(text) {
                codes.entry(code.to_owned()).or_insert((file.path.clone(), line));
            }
        }
    }
    codes
}

fn is_test(path: &str) -> bool {
    ["/tests.rs", "/fixtures.rs"].iter().any(|end| path.ends_with(end)) || path.contains("/tests/")
}

fn codes_in(text: &str) -> Vec<&str> {
    let code_of = |after: &'static str| {
        text.match_indices(after)
            .filter_map(move |(index, _)| text.get(index + after.len()..)?.split('"').next())
    };
    code_of("Code(\"").collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    const SOURCE: &str = "//! A.\nconst A: Code = Code(\"unused-rule\");\n#[cfg(test)]\nconst B: Code = Code(\"made-up\");\n";

    fn messages(pages: &[(&str, &str)]) -> Vec<String> {
        let files = [&[("crates/checks/src/a.rs", SOURCE)], pages].concat();
        check(&Tree::of(&files)).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_code_with_its_page_is_fine() {
        assert_eq!(messages(&[("docs/findings/unused-rule.md", "# unused-rule\n")]), [""; 0]);
    }

    #[test]
    fn a_code_without_its_page_is_found() {
        let found = messages(&[]);
        assert_eq!(found.len(), 1, "only the code outside of tests: {found:?}");
        assert!(found[0].starts_with("write docs/findings/unused-rule.md"));
        assert_eq!(messages(&[("docs/findings/unused-rule.md", "# Other\n")]).len(), 1);
    }

    #[test]
    fn a_page_without_its_code_is_found() {
        let pages = [
            ("docs/findings/unused-rule.md", "# unused-rule\n"),
            ("docs/findings/gone.md", "# gone\n"),
        ];
        assert_eq!(
            messages(&pages),
            ["no crate has the code `gone`: remove the page, or correct its name"]
        );
    }
}
