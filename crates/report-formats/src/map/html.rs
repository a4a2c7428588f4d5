//! A connection map as one page that a person can explore, from a file and without a network.
//!
//! The page is the files of `page/`, put together here. **Invariants.** It loads nothing: its policy
//! (`Content-Security-Policy`) names the hashes of its own style and script and forbids everything else.
//! What the map says is data in a script element that browsers do not run, without a `<` in it, so that
//! no name can end the element; the script shows text only as text.

mod details;
mod document;
mod sides;

use super::MapReport;
use super::collected::Collected;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// Beyond, the page would hold more than a browser shows with ease.
pub const MOST_IN_HTML: usize = 3_000;

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
/// One script: each file declares functions that the ones after it use.
const SCRIPTS: [&str; 7] = [
    include_str!("page/model.js"),
    include_str!("page/details.js"),
    include_str!("page/drawing.js"),
    include_str!("page/matrix.js"),
    include_str!("page/graph.js"),
    include_str!("page/list.js"),
    include_str!("page/main.js"),
];

pub fn write(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    let map = Collected::new(report)?;
    let script = format!("\"use strict\";\n{}", SCRIPTS.join("\n"));
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(&script)
    );
    let mut rest = PAGE;
    for (mark, text) in [("{{policy}}", policy.as_str()), ("{{style}}", STYLE)] {
        rest = write_until(out, rest, mark)?;
        out.write_all(text.as_bytes())?;
    }
    rest = write_until(out, rest, "{{data}}")?;
    document::write(out, &map)?;
    rest = write_until(out, rest, "{{script}}")?;
    out.write_all(script.as_bytes())?;
    out.write_all(rest.as_bytes())
}

/// Writes the page up to a mark and returns what comes after it.
fn write_until<'p>(out: &mut dyn Write, page: &'p str, mark: &str) -> io::Result<&'p str> {
    let (before, after) = page.split_once(mark).unwrap_or((page, ""));
    out.write_all(before.as_bytes())?;
    Ok(after)
}

/// As a source of a Content-Security-Policy (CSP 3 §2.3.1).
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
