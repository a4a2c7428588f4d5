//! Finds and reads the files. The only part that touches the world.

use crate::Options;
use crate::codes;
use finding_model::{FileId, Finding, Severity, SourceFiles, SourceSpan};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where manifests come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file of any name, or a folder whose `.yaml`, `.yml` and `.json` files are read, at any depth.
    Path(PathBuf),
    Stdin,
    Text {
        name: String,
        text: String,
    },
    /// What a file would hold; perhaps no text.
    Bytes {
        name: String,
        bytes: Vec<u8>,
    },
}

/// As the command line has it: `-` is standard input.
impl From<&str> for Input {
    fn from(argument: &str) -> Self {
        if argument == "-" { Self::Stdin } else { Self::Path(argument.into()) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("cannot find `{}`", path.display())]
    Find { path: PathBuf, source: io::Error },
    #[error("cannot list the folder `{}`", path.display())]
    List { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot read standard input")]
    Stdin { source: io::Error },
}

/// One thing to read, before it is read.
#[derive(Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Stdin,
    Bytes { name: String, bytes: Vec<u8> },
}

/// A file's text, known to be UTF-8 without NUL and without byte order mark.
#[derive(Debug)]
pub struct SourceText {
    pub file: FileId,
    pub text: String,
}

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// All files of the inputs, folders in order of their names, each file once.
pub(crate) fn sources(
    inputs: &[Input],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Source>, ImportError> {
    let mut sources = Vec::new();
    let mut seen = HashSet::new();
    for input in inputs {
        match input {
            Input::Stdin => sources.push(Source::Stdin),
            Input::Text { name, text } => {
                sources
                    .push(Source::Bytes { name: name.clone(), bytes: text.clone().into_bytes() });
            }
            Input::Bytes { name, bytes } => {
                sources.push(Source::Bytes { name: name.clone(), bytes: bytes.clone() });
            }
            Input::Path(path) => {
                let mut files = Vec::new();
                let metadata = fs::metadata(path)
                    .map_err(|source| ImportError::Find { path: path.clone(), source })?;
                if metadata.is_dir() {
                    walk(path, &mut HashSet::new(), &mut files)?;
                } else {
                    files.push(path.clone());
                }
                if files.is_empty() {
                    findings.push(nothing_to_read(path));
                }
                sources.extend(files.into_iter().filter_map(|file| {
                    // A pipe has no canonical path, and is not met twice.
                    let identity = file.canonicalize().unwrap_or_else(|_| file.clone());
                    seen.insert(identity).then_some(Source::File(file))
                }));
            }
        }
    }
    Ok(sources)
}

fn nothing_to_read(path: &Path) -> Finding {
    Finding::new(
        codes::NOTHING_TO_READ,
        Severity::Warning,
        format!("no .yaml, .yml or .json file in `{}`", path.display()),
        "check the path, or give the files by name",
    )
}

/// `entered` has the real paths of the folders that were entered, so that links cannot lead in circles.
fn walk(
    folder: &Path,
    entered: &mut HashSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), ImportError> {
    let mut pending = vec![folder.to_owned()];
    let list_error = |path: &Path, source| ImportError::List { path: path.to_owned(), source };
    while let Some(folder) = pending.pop() {
        let real = folder.canonicalize().map_err(|source| list_error(&folder, source))?;
        if !entered.insert(real) {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(|source| list_error(&folder, source))? {
            let path = entry.map_err(|source| list_error(&folder, source))?.path();
            let is_manifest = path
                .extension()
                .and_then(|extension| extension.to_str())
                .is_some_and(|extension| EXTENSIONS.contains(&extension));
            if path.is_dir() {
                pending.push(path);
            } else if is_manifest {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(())
}

/// Reads the texts of files that hold something else than objects, such as policy tests. A file that is
/// no text gives a finding, and is not among the texts.
pub fn read_texts(
    inputs: &[Input],
    options: &Options,
    files: &mut SourceFiles,
) -> Result<(Vec<SourceText>, Vec<Finding>), ImportError> {
    let mut findings = Vec::new();
    let mut texts = Vec::new();
    for source in sources(inputs, &mut findings)? {
        texts.extend(read(source, options, files, &mut findings)?);
    }
    Ok((texts, findings))
}

/// Reads one source; `None` where a finding says why it is of no use.
pub(crate) fn read(
    source: Source,
    options: &Options,
    files: &mut SourceFiles,
    findings: &mut Vec<Finding>,
) -> Result<Option<SourceText>, ImportError> {
    let (name, bytes) = match source {
        Source::Bytes { name, bytes } => (name, bytes),
        Source::Stdin => {
            let bytes = read_some(io::stdin().lock(), options.max_file_bytes)
                .map_err(|source| ImportError::Stdin { source })?;
            ("-".to_owned(), bytes)
        }
        Source::File(path) => {
            let bytes = File::open(&path)
                .and_then(|file| read_some(file, options.max_file_bytes))
                .map_err(|source| ImportError::Read { path: path.clone(), source })?;
            (path.display().to_string(), bytes)
        }
    };
    let file = files.add(name);
    match check(bytes, options.max_file_bytes) {
        Ok(text) => Ok(Some(SourceText { file, text })),
        Err(wrong) => {
            findings.push(wrong.finding(file));
            Ok(None)
        }
    }
}

/// At most one byte over the limit, which is enough to know that it is over.
fn read_some(reader: impl Read, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a file's bytes are no text, and after how much good text.
struct Wrong {
    why: WhyWrong,
    good: String,
}

enum WhyWrong {
    TooLarge(u64),
    Nul,
    Utf16,
    NotUtf8,
}

fn check(bytes: Vec<u8>, max_bytes: u64) -> Result<String, Wrong> {
    let wrong = |why, good: String| Err(Wrong { why, good });
    if bytes.len() as u64 > max_bytes {
        return wrong(WhyWrong::TooLarge(max_bytes), String::new());
    }
    if bytes.starts_with(&[0xFE, 0xFF]) || bytes.starts_with(&[0xFF, 0xFE]) {
        return wrong(WhyWrong::Utf16, String::new());
    }
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good_until = error.utf8_error().valid_up_to();
            let good = error.as_bytes().get(..good_until).unwrap_or_default();
            return wrong(WhyWrong::NotUtf8, String::from_utf8_lossy(good).into_owned());
        }
    };
    if let Some(index) = memchr::memchr(0, text.as_bytes()) {
        text.truncate(index);
        return wrong(WhyWrong::Nul, text);
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl Wrong {
    fn finding(&self, file: FileId) -> Finding {
        let (code, message, help) = match self.why {
            WhyWrong::TooLarge(limit) => {
                let message = format!("the file has more than {limit} bytes");
                let help = "split it into several files, or raise --max-file-size";
                (codes::FILE_TOO_LARGE, message, help)
            }
            WhyWrong::Nul => {
                let message = "the file has a NUL byte".to_owned();
                (codes::NUL_BYTE, message, "check that it is a text file and was written whole")
            }
            WhyWrong::Utf16 => {
                let message = "the file is UTF-16, not UTF-8".to_owned();
                (codes::NOT_UTF8, message, "save it as UTF-8")
            }
            WhyWrong::NotUtf8 => {
                let message = "the file is not UTF-8".to_owned();
                (codes::NOT_UTF8, message, "save it as UTF-8")
            }
        };
        let after_break = self.good.rfind(['\n', '\r']).map_or(0, |index| index + 1);
        let last_line = self.good.get(after_break..).unwrap_or_default();
        let span = SourceSpan {
            file,
            line: number(crate::document::n_breaks(&self.good)) + 1,
            column: number(last_line.chars().count()) + 1,
            length: 1,
        };
        Finding::new(code, Severity::Error, message, help).at(span)
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX - 1)
}
