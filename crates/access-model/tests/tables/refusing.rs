//! How a table of requests that are refused is compared with what is said to them.

use access_model::{Head, HttpVersion, Refusal, classify};
use expect_test::Expect;

pub(crate) type Headers<'text> = &'text [(&'text str, &'text [u8])];

pub(crate) fn refusal(line: &str, headers: Headers<'_>) -> Refusal {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    let version = HttpVersion::Http11;
    let head = Head { method, target, version, protocol: None, headers };
    match classify(&head) {
        Ok(request) => panic!("{line} was taken for {request:?}"),
        Err(refusal) => refusal,
    }
}

pub(crate) fn check(lines: &[&str], headers: Headers<'_>, expected: &Expect) {
    let found = lines.iter().map(|line| {
        let refusal = refusal(line, headers);
        assert!(!refusal.help().is_empty());
        assert!((400..500).contains(&refusal.status()));
        format!("{}\n  {} {}: {refusal}\n", line.trim_end(), refusal.status(), refusal.code())
    });
    expected.assert_eq(&found.collect::<String>());
}
