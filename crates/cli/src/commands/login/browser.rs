//! Shows a person where to sign in.

use report_formats::visible;
use std::io::Write;
use std::process::{Command, Stdio};

const OF_SYSTEM: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Writes the address, and has a browser open it where there is one. A person for whom none opens has the address.
pub(super) fn show(err: &mut dyn Write, browser: Option<&str>, url: &str) {
    let told = writeln!(err, "To sign in, open this address in a browser:\n  {}", visible(url));
    drop(told.and_then(|()| err.flush()));
    let browser = browser.filter(|browser| !browser.is_empty()).unwrap_or(OF_SYSTEM);
    if browser == "none" {
        return;
    }
    let mut command = Command::new(browser);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It ends when the person closes it, or at once.
    drop(command.spawn());
}
