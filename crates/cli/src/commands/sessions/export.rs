//! `weir sessions export`.

mod files;

use super::audit::AuditArgs;
use super::folder::{FolderArgs, KeyArgs, failed};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use session_formats::{Export, Format, Input};
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

const HELP: &str = "\
Formats:
  cast, cast2  what was shown, for asciinema's players: without titles, links, clipboards, images and questions,
               which a terminal that plays it would act on
  text         the lines that the screen showed; raw-text is every byte with time and stream, escapes written out
  json         a JSON object a line: the opening, then every event, bytes as base64: exact
  pcapng       what went over forwarded ports, as packets that were made for it
  files        what `kubectl cp` carried, into a new folder; a file is called after its SHA-256, files.json has the paths

docs/formats/session-export.md says what each has.";

/// Write a recording for other programs
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct ExportArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// As what
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: FormatArgument,
    /// Write what was typed as well, where the identities open it
    #[arg(long)]
    with_input: bool,
    /// Into this file, or for files this folder, which must not exist, instead of standard output
    #[arg(short, long, value_name = "PATH", required_if_eq("format", "files"))]
    output: Option<PathBuf>,
    /// Of files, write no more than so many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    max_bytes: u64,
    #[command(flatten)]
    audit: AuditArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FormatArgument {
    /// asciicast v3
    #[default]
    Cast,
    /// asciicast v2
    Cast2,
    /// The lines that were shown
    Text,
    /// All bytes with time and stream, control characters written out
    RawText,
    /// A JSON object a line
    Json,
    /// What went over forwarded ports, as packets; needs what was sent, so it implies --with-input
    Pcapng,
    /// What was copied, into a folder
    Files,
}

pub(crate) fn run(args: &ExportArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let format = match args.format {
        FormatArgument::Cast => Format::Asciicast,
        FormatArgument::Cast2 => Format::Asciicast2,
        FormatArgument::Text => Format::Text,
        FormatArgument::RawText => Format::RawText,
        FormatArgument::Json => Format::Json,
        FormatArgument::Pcapng => Format::Pcapng,
        FormatArgument::Files => return files::run(args, console),
    };
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    let mut reader = args.keys.reader(&recordings, session)?;
    let input =
        if args.with_input || format == Format::Pcapng { Input::Written } else { Input::LeftOut };
    if input == Input::Written && args.keys.keys(&recordings, session)?.input.is_none() {
        let message = "none of the identities opens what was typed: ask whoever keeps the input's key, or leave --with-input out";
        return Err(ExpectedError::Usage(message.to_owned()));
    }
    args.audit
        .viewed(session, if input == Input::Written { "export-with-input" } else { "export" })?;
    let mut file = match &args.output {
        Some(path) => {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            let file = options.open(path).map_err(|source| ExpectedError::WriteFile {
                path: path.display().to_string(),
                source,
            })?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let out: &mut dyn Write = match &mut file {
        Some(file) => file,
        None => &mut console.out,
    };
    let mut export = Export::begin(format, input, reader.opening(), out)?;
    while let Some(step) = reader.next_step().map_err(failed)? {
        export.step(&step, out)?;
    }
    export.end(out)?;
    out.flush()?;
    Ok(Outcome::Yes)
}
