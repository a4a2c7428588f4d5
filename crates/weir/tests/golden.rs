//! Runs every script `golden/*.txt` with the real binary and compares what it prints.
//!
//! A script is text with commands in it. A line `$ COMMAND` is run by `sh` in the folder `fixtures`, with
//! `weir` on the path and none of the caller's variables; what follows, up to the next command or an
//! empty line before one, is what it prints: standard output as it is, each line of standard error
//! after `2> `, escapes as `\e`, and at the end `[exit N]` unless N is 0. Lines before the first
//! command and lines that start with `## ` are for the reader. `UPDATE=1` writes the scripts anew; the change
//! is for review.

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Result, ensure};
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::{env, fs};

    fn golden_dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
    }

    #[test]
    fn scripts_print_what_they_say() -> Result<()> {
        let mut scripts: Vec<PathBuf> = fs::read_dir(golden_dir())?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        scripts.retain(|path| path.extension().is_some_and(|end| end == "txt"));
        scripts.sort();
        ensure!(!scripts.is_empty(), "no scripts in {}", golden_dir().display());
        let mut different = String::new();
        for script in scripts {
            let expected = fs::read_to_string(&script)?;
            let actual = replay(&expected).with_context(|| script.display().to_string())?;
            if expected == actual {
                continue;
            }
            if env::var_os("UPDATE").is_some() {
                fs::write(&script, actual)?;
            } else {
                let first = first_difference(&expected, &actual);
                writeln!(different, "{}: {first}", script.display())?;
            }
        }
        ensure!(different.is_empty(), "{different}UPDATE=1 accepts what is printed now");
        Ok(())
    }

    /// The script with what its commands print now.
    fn replay(script: &str) -> Result<String> {
        let mut replayed = String::new();
        let mut n_commands = 0;
        let mut in_output = false;
        for line in script.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                if in_output {
                    replayed.push('\n');
                }
                in_output = true;
                n_commands += 1;
                writeln!(replayed, "{line}\n{}", run(command)?)?;
                replayed.truncate(replayed.trim_end_matches('\n').len() + 1);
            } else if line.starts_with("## ") {
                if in_output {
                    replayed.push('\n');
                }
                in_output = false;
                writeln!(replayed, "{line}")?;
            } else if !in_output {
                writeln!(replayed, "{line}")?;
            }
        }
        ensure!(n_commands > 0, "the script has no commands");
        Ok(replayed)
    }

    fn run(command: &str) -> Result<String> {
        let binary = Path::new(env!("CARGO_BIN_EXE_weir"));
        let binary_dir = binary.parent().context("the binary is in a folder")?;
        let path = format!("{}:/usr/bin:/bin", binary_dir.display());
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(golden_dir().join("fixtures"))
            .env_clear()
            .env("PATH", path)
            .env("LC_ALL", "C.UTF-8")
            .output()?;
        let mut shown = String::from_utf8(output.stdout)?;
        if !shown.is_empty() && !shown.ends_with('\n') {
            shown.push_str("[no line end]\n");
        }
        for line in String::from_utf8(output.stderr)?.lines() {
            writeln!(shown, "{}", format!("2> {line}").trim_end())?;
        }
        match output.status.code() {
            Some(0) => {}
            Some(code) => writeln!(shown, "[exit {code}]")?,
            None => writeln!(shown, "[killed]")?,
        }
        Ok(shown.replace('\u{1b}', "\\e"))
    }

    fn first_difference(expected: &str, actual: &str) -> String {
        let mut lines = (1..).zip(expected.lines()).zip(actual.lines().map(Some).chain([None]));
        let found = lines.find(|((_, expected), actual)| Some(*expected) != *actual);
        match found {
            Some(((number, expected), actual)) => {
                let actual = actual.unwrap_or("(nothing)");
                format!("line {number}\n  expected: {expected}\n  printed:  {actual}\n")
            }
            None => "more is printed than expected\n".to_owned(),
        }
    }
}
