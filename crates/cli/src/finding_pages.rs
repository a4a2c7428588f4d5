//! The page of each finding code, as `docs/findings/` has it.

use crate::ExpectedError;
use question_syntax::near;

/// (code, Markdown), sorted by code.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/finding_pages.rs"));

pub(crate) fn page(code: &str) -> Option<&'static str> {
    let index = PAGES.binary_search_by_key(&code, |(known, _)| known).ok()?;
    PAGES.get(index).map(|(_, page)| *page)
}

/// The page of a code that a person asked for.
pub(crate) fn explain(code: &str) -> Result<&'static str, ExpectedError> {
    page(code).ok_or_else(|| ExpectedError::UnknownCode {
        code: code.to_owned(),
        near: near(code, PAGES.iter().map(|(known, _)| *known)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_found_and_has_a_title() {
        for (code, text) in PAGES {
            assert_eq!(page(code), Some(*text), "{code}");
            assert!(text.starts_with("# "), "{code}: a page starts with its title");
        }
        assert!(explain("no-such-code").is_err());
    }
}
