//! What `kubectl cp` carried: a tar stream on standard input or output, as a list.
//!
//! Names in it are hostile; nothing is extracted, and nothing looks at a file's content but the digest. The format is
//! ustar with GNU's long names and pax headers (POSIX.1-2017, pax), of which paths and sizes are read.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use session_record::{Event, Opening, Step, Stream};

const BLOCK_BYTES: usize = 512;
/// Longest name, in whatever way it is given.
const MAX_NAME_BYTES: u64 = 16 << 10;
const MAX_ENTRIES: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the person to the pod.
    Upload,
    Download,
}

/// What a person should know before touching the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileWarning {
    AbsolutePath,
    ParentInPath,
    Link,
    Device,
    Again,
    /// The stream ended in the middle of it.
    CutOff,
}

impl FileWarning {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::AbsolutePath => "the path begins at the root",
            Self::ParentInPath => "the path leads to a parent folder",
            Self::Link => "a link, not a file",
            Self::Device => "a device or a pipe, not a file",
            Self::Again => "the path was there before",
            Self::CutOff => "the stream ended in the middle of it",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    pub at_us: u64,
    pub direction: Direction,
    /// As the stream has it.
    pub path: String,
    pub mode: u32,
    pub size: u64,
    pub link: Option<String>,
    /// Of a file that is whole.
    pub sha256: Option<[u8; 32]>,
    pub warnings: Vec<FileWarning>,
}

/// Reads tar streams while steps go by.
#[derive(Debug)]
pub struct FileList {
    stream: Option<(Stream, Direction)>,
    block: Vec<u8>,
    state: State,
    long_path: Option<String>,
    long_link: Option<String>,
    pax_size: Option<u64>,
    pub found: Vec<FileEntry>,
    pub n_more: u64,
}

enum State {
    Header,
    /// A name in a member of its own.
    Name {
        kind: u8,
        left: u64,
        padding: u64,
        text: Vec<u8>,
    },
    Content {
        left: u64,
        padding: u64,
        digest: Option<Context>,
    },
    /// It is no tar stream, or not any more.
    Over,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Header => "Header",
            Self::Name { .. } => "Name",
            Self::Content { .. } => "Content",
            Self::Over => "Over",
        })
    }
}

impl FileList {
    /// `kubectl cp` runs `tar` in the pod: `-x` reads what is uploaded, `-c` writes what is downloaded.
    #[must_use]
    pub fn new(opening: &Opening) -> Self {
        let command = &opening.access.command;
        let is_tar =
            command.first().is_some_and(|program| program.rsplit('/').next() == Some("tar"));
        let flags: &str = command.get(1).map_or("", String::as_str);
        let by_shell = command.iter().any(|argument| argument.starts_with("tar cf - "));
        let stream = match (is_tar, by_shell) {
            (true, _) if flags.contains('x') => Some((Stream::Stdin, Direction::Upload)),
            (true, _) if flags.contains('c') => Some((Stream::Stdout, Direction::Download)),
            (_, true) => Some((Stream::Stdout, Direction::Download)),
            _ => None,
        };
        Self {
            stream,
            block: Vec::new(),
            state: State::Header,
            long_path: None,
            long_link: None,
            pax_size: None,
            found: Vec::new(),
            n_more: 0,
        }
    }

    pub fn step(&mut self, step: &Step) {
        let Step::Known(record) = step else { return };
        let Event::Data { stream, bytes } = &record.event else { return };
        if let Some((wanted, direction)) = self.stream
            && wanted == *stream
        {
            self.feed(record.at_us, direction, bytes.clone());
        }
    }

    fn feed(&mut self, at_us: u64, direction: Direction, mut bytes: Bytes) {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Over => return,
                State::Header => {
                    let wanted = BLOCK_BYTES - self.block.len();
                    self.block.extend_from_slice(&bytes.split_to(wanted.min(bytes.len())));
                    if self.block.len() == BLOCK_BYTES {
                        let block = std::mem::take(&mut self.block);
                        self.header(at_us, direction, &block);
                    }
                }
                State::Name { kind, left, padding, text } => {
                    let now = take(&mut bytes, left);
                    text.extend_from_slice(&now);
                    let _padded = if *left == 0 { take(&mut bytes, padding) } else { Bytes::new() };
                    if *left == 0 && *padding == 0 {
                        let (kind, text) = (*kind, std::mem::take(text));
                        self.name(kind, &text);
                        self.state = State::Header;
                    }
                }
                State::Content { left, padding, digest } => {
                    let now = take(&mut bytes, left);
                    if let Some(digest) = digest {
                        digest.update(&now);
                    }
                    let _padded = if *left == 0 { take(&mut bytes, padding) } else { Bytes::new() };
                    if *left == 0 && *padding == 0 {
                        let digest = digest.take();
                        self.content_over(digest);
                    }
                }
            }
        }
    }

    fn content_over(&mut self, digest: Option<Context>) {
        self.state = State::Header;
        if let (Some(entry), Some(digest)) = (self.found.last_mut(), digest) {
            entry.sha256 = <[u8; 32]>::try_from(digest.finish().as_ref()).ok();
            entry.warnings.retain(|warning| *warning != FileWarning::CutOff);
        }
    }

    fn header(&mut self, at_us: u64, direction: Direction, block: &[u8]) {
        if block.iter().all(|byte| *byte == 0) {
            return;
        }
        let Some(header) = Header::read(block) else {
            self.state = State::Over;
            return;
        };
        let size = self.pax_size.take().unwrap_or(header.size);
        let padding = size.wrapping_neg() % BLOCK_BYTES as u64;
        if matches!(header.kind, b'L' | b'K' | b'x' | b'g') {
            self.state = if size > MAX_NAME_BYTES {
                State::Over
            } else if size == 0 {
                State::Header
            } else {
                State::Name { kind: header.kind, left: size, padding, text: Vec::new() }
            };
            return;
        }
        self.enter(at_us, direction, header, size);
        let is_file =
            self.found.last().is_some_and(|entry| entry.warnings.contains(&FileWarning::CutOff));
        let digest = is_file.then(|| Context::new(&SHA256));
        if size == 0 {
            self.content_over(digest);
        } else {
            self.state = State::Content { left: size, padding, digest };
        }
    }

    fn enter(&mut self, at_us: u64, direction: Direction, header: Header, size: u64) {
        let path = self.long_path.take().unwrap_or(header.path);
        let link = self.long_link.take().or(header.link).filter(|link| !link.is_empty());
        let mut warnings = Vec::new();
        if path.starts_with('/') {
            warnings.push(FileWarning::AbsolutePath);
        }
        if path.split('/').any(|part| part == "..") {
            warnings.push(FileWarning::ParentInPath);
        }
        match header.kind {
            b'0' | b'7' | 0 => warnings.push(FileWarning::CutOff),
            b'1' | b'2' => warnings.push(FileWarning::Link),
            b'5' => {}
            _ => warnings.push(FileWarning::Device),
        }
        if self.found.len() >= MAX_ENTRIES {
            self.n_more += 1;
            return;
        }
        if self.found.iter().rev().take(1000).any(|entry| entry.path == path) {
            warnings.push(FileWarning::Again);
        }
        self.found.push(FileEntry {
            at_us,
            direction,
            path,
            mode: header.mode,
            size,
            link,
            sha256: None,
            warnings,
        });
    }

    fn name(&mut self, kind: u8, text: &[u8]) {
        match kind {
            b'L' => self.long_path = Some(string(text)),
            b'K' => self.long_link = Some(string(text)),
            _ => self.pax(text),
        }
    }

    /// `LENGTH KEY=VALUE\n`, one after the other.
    fn pax(&mut self, mut text: &[u8]) {
        while let Some(space) = text.iter().position(|byte| *byte == b' ') {
            let length = text
                .get(..space)
                .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
            let Some(record) = length.and_then(|length| text.get(space + 1..length)) else {
                return;
            };
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            if let Some(path) = record.strip_prefix(b"path=") {
                self.long_path = Some(string(path));
            } else if let Some(link) = record.strip_prefix(b"linkpath=") {
                self.long_link = Some(string(link));
            } else if let Some(size) = record.strip_prefix(b"size=") {
                self.pax_size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
            }
            text = length.and_then(|length| text.get(length..)).unwrap_or_default();
        }
    }
}

/// As many bytes as there are and are wanted.
fn take(bytes: &mut Bytes, left: &mut u64) -> Bytes {
    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= now as u64;
    bytes.split_to(now)
}

struct Header {
    path: String,
    mode: u32,
    size: u64,
    kind: u8,
    link: Option<String>,
}

impl Header {
    /// None where the sum is not the one of the bytes.
    fn read(block: &[u8]) -> Option<Self> {
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
            .sum();
        if number(block.get(148..156)?)? != sum {
            return None;
        }
        let mut path = string(block.get(..100)?);
        if block.get(257..262)? == b"ustar" && block.get(263..265)? == b"00" {
            let prefix = string(block.get(345..500)?);
            if !prefix.is_empty() {
                path = format!("{prefix}/{path}");
            }
        }
        Some(Self {
            path,
            mode: u32::try_from(number(block.get(100..108)?)?).ok()?,
            size: number(block.get(124..136)?)?,
            kind: *block.get(156)?,
            link: Some(string(block.get(157..257)?)),
        })
    }
}

/// Octal, or binary where the first bit is set (GNU).
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        return rest.iter().try_fold(u64::from(first & 0x7f), |value, byte| {
            value.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

fn string(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}
