//! `weir sessions export`.

use super::folder::{FolderArgs, KeyArgs, failed};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use session_formats::{Export, Format, Input};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Write a recording for other programs
#[derive(Debug, clap::Args)]
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
    /// Into this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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
}

pub(crate) fn run(args: &ExportArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    let mut reader = args.keys.reader(&recordings, session)?;
    let format = match args.format {
        FormatArgument::Cast => Format::Asciicast,
        FormatArgument::Cast2 => Format::Asciicast2,
        FormatArgument::Text => Format::Text,
        FormatArgument::RawText => Format::RawText,
        FormatArgument::Json => Format::Json,
        FormatArgument::Pcapng => Format::Pcapng,
    };
    let input =
        if args.with_input || format == Format::Pcapng { Input::Written } else { Input::LeftOut };
    if input == Input::Written && args.keys.keys(&recordings, session)?.input.is_none() {
        let message = "none of the identities opens what was typed: ask whoever keeps the input's key, or leave --with-input out";
        return Err(ExpectedError::Usage(message.to_owned()));
    }
    let mut file = match &args.output {
        Some(path) => {
            let create = || File::create(path).map(BufWriter::new);
            let file = create().map_err(|source| ExpectedError::WriteFile {
                path: path.display().to_string(),
                source,
            })?;
            Some(file)
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
