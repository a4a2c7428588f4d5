//! Keeps the README's transcript true: runs the commands of its `console` blocks and compares.
//!
//! A block is lines `$ command`, each followed by all that the command prints on both outputs. A command
//! that ends with another exit code than 0 is followed by a last line `[exit code 1]`. Commands run by
//! `sh` in the workspace's root, with the freshly built `weir` first in `PATH`.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, ExitCode};

const DOCUMENTS: &[&str] = &["README.md", "examples/parcel-shop/README.md"];
const FENCE: &str = "```console";

pub(crate) fn run(root: &Path, bless: bool) -> Result<ExitCode> {
    let weir = workspace::build_weir(root, "dev")?;
    let folder = weir.parent().context("weir is in no folder")?.to_owned();
    let mut stale = false;
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {document}"))?;
        let printed = rerun(&text, |command| execute(root, &folder, command))?;
        if printed == text {
            continue;
        }
        if bless {
            std::fs::write(&path, printed).with_context(|| format!("writing {document}"))?;
            println!("transcript: {document} is new");
        } else {
            stale = true;
            eprintln!("{}", first_difference(document, &text, &printed));
        }
    }
    if stale {
        bail!(
            "a transcript is not what the commands print; `cargo xtask transcript --bless` rewrites it"
        );
    }
    println!("transcript: {} documents are true", DOCUMENTS.len());
    Ok(ExitCode::SUCCESS)
}

/// The document with every command's output replaced by what `execute` gives for it.
fn rerun(text: &str, mut execute: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut printed = String::new();
    let mut in_block = false;
    for line in text.lines() {
        let starts = line == FENCE;
        in_block = starts || in_block && line != "```";
        let command = line.strip_prefix("$ ").filter(|_| in_block);
        if in_block && !starts && command.is_none() {
            continue;
        }
        printed.push_str(line);
        printed.push('\n');
        if let Some(command) = command {
            printed.push_str(&execute(command)?);
        }
    }
    if in_block {
        bail!("a console block has no end");
    }
    Ok(printed)
}

/// Both outputs as a reader would see them, and the exit code where it is not 0.
fn execute(root: &Path, weir_folder: &Path, command: &str) -> Result<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(weir_folder.to_owned()).chain(std::env::split_paths(&path));
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .env("PATH", std::env::join_paths(folders).context("setting PATH")?)
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .current_dir(root)
        .output()
        .with_context(|| format!("running {command}"))?;
    let mut printed =
        String::from_utf8(output.stdout).with_context(|| format!("{command} prints no UTF-8"))?;
    if !printed.is_empty() && !printed.ends_with('\n') {
        printed.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => printed.push_str(&exit_line(code)),
        None => bail!("{command} was stopped by a signal"),
    }
    Ok(printed)
}

fn exit_line(code: i32) -> String {
    format!("[exit code {code}]\n")
}

fn first_difference(document: &str, expected: &str, printed: &str) -> String {
    let pairs =
        expected.lines().map(Some).chain([None]).zip(printed.lines().map(Some).chain([None]));
    let found = pairs.enumerate().find(|(_, (expected, printed))| expected != printed);
    let Some((index, (expected, printed))) = found else {
        return format!("{document}: only white space differs");
    };
    let show = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
    format!("{document}:{}: is    {}\n  prints {}", index + 1, show(expected), show(printed))
}

#[cfg(test)]
mod tests {
    use super::{execute, first_difference, rerun};
    use std::path::Path;

    fn echo(command: &str) -> anyhow::Result<String> {
        Ok(format!("did {command}\n"))
    }

    #[test]
    fn output_is_replaced_and_all_else_is_kept() {
        let text = "# Title\n```console\n$ a\nold\nolder\n$ b\n```\ntail\n```\n$ not run\n```\n";
        let expected =
            "# Title\n```console\n$ a\ndid a\n$ b\ndid b\n```\ntail\n```\n$ not run\n```\n";
        let printed = rerun(text, echo).unwrap();
        assert_eq!(printed, expected);
        assert_eq!(rerun(&printed, echo).unwrap(), expected, "a true transcript stays as it is");
    }

    #[test]
    fn a_block_without_an_end_is_an_error() {
        let error = rerun("```console\n$ a\n", echo).unwrap_err();
        assert_eq!(error.to_string(), "a console block has no end");
    }

    #[test]
    fn both_outputs_and_the_exit_code_are_shown() {
        let printed =
            execute(Path::new("."), Path::new("."), "echo out; echo err >&2; exit 3").unwrap();
        assert_eq!(printed, "out\nerr\n[exit code 3]\n");
        assert_eq!(execute(Path::new("."), Path::new("."), "printf x").unwrap(), "x\n");
    }

    #[test]
    fn the_first_difference_is_shown_with_its_line() {
        assert_eq!(first_difference("A.md", "x\ny\n", "x\nz\n"), "A.md:2: is    y\n  prints z");
        assert_eq!(
            first_difference("A.md", "x\n", "x\nz\n"),
            "A.md:2: is    (the end)\n  prints z"
        );
    }
}
