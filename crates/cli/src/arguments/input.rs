//! Which manifests to read, and how strictly.

use finding_model::Severity;
use std::path::PathBuf;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct InputArgs {
    /// Manifests: files, folders (read recursively), or `-` for standard input
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingArgs,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReadingArgs {
    /// Leave out objects that have errors, and go on with the rest
    ///
    /// Every answer that an object which was left out could have changed says so.
    #[arg(long, help_heading = "Input")]
    pub keep_going: bool,

    /// The largest file to read, in bytes or as 200MB, 64MiB
    #[arg(long, value_name = "SIZE", help_heading = "Input", value_parser = parse_size)]
    pub max_file_size: Option<u64>,
}

/// `Severity` as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SeverityArgument {
    Info,
    Warning,
    Error,
}

impl From<SeverityArgument> for Severity {
    fn from(argument: SeverityArgument) -> Self {
        match argument {
            SeverityArgument::Info => Self::Info,
            SeverityArgument::Warning => Self::Warning,
            SeverityArgument::Error => Self::Error,
        }
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1_000),
        "kib" => Some(1 << 10),
        "mb" => Some(1_000_000),
        "mib" => Some(1 << 20),
        "gb" => Some(1_000_000_000),
        "gib" => Some(1 << 30),
        _ => None,
    };
    let size = unit.zip(number.parse::<u64>().ok()).and_then(|(unit, n)| n.checked_mul(unit));
    size.filter(|size| *size > 0).ok_or_else(|| {
        format!("`{text}` is not a size: write bytes, or a number with kB, MB, MiB, GB or GiB")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("17"), Ok(17));
        assert_eq!(parse_size("200MB"), Ok(200_000_000));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        for bad in ["", "MB", "0", "-1", "1.5MB", "10 MB", "99999999999GiB", "5XB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
