//! The console's built files, inside the binary.
//!
//! `npm run build` in `web/` makes them; where it did not run, there are none and [`is_built_in`] says so. The
//! crate compiles either way. Deliberately absent: how they are served, and under which headers.

/// One file of the console.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    pub content_type: &'static str,
    pub bytes: &'static [u8],
    /// Its name has a digest of its content, so that it never changes.
    pub immutable: bool,
}

const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Whether this binary was built with the console.
#[must_use]
pub fn is_built_in() -> bool {
    !FILES.is_empty()
}

/// The page itself.
#[must_use]
pub fn page() -> Option<Asset> {
    asset("index.html")
}

/// A file by its path relative to the page.
#[must_use]
pub fn asset(name: &str) -> Option<Asset> {
    let (_, bytes) = FILES.iter().find(|(file, _)| *file == name)?;
    Some(Asset { content_type: content_type(name), bytes, immutable: name.starts_with("assets/") })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_none() {
        assert!(asset("../Cargo.toml").is_none());
        assert_eq!(page().is_some(), is_built_in());
    }
}
