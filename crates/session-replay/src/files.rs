//! What `kubectl cp` carried: a tar stream on standard input or output, as a list.
//!
//! Names in it are hostile; nothing is extracted, and nothing looks at a file's content but the digest. Who wants the
//! content is given it part by part, and decides where it goes.
//!
//! A download that broke off is asked for again from a byte on, in a session of its own: [`FileList::begins_at`] says
//! so, and the list of the session before goes on with it.

use crate::tar_header::{BLOCK_BYTES, Extra, Header, Kind, MAX_NAME_BYTES, Next};
use crate::text::is_hidden;
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use session_record::{Event, Opening, Step, Stream};
use std::collections::BTreeSet;

const MAX_ENTRIES: usize = 100_000;
/// Of all names that are kept.
const MAX_NAMES_BYTES: usize = 32 << 20;

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
    HiddenInPath,
    Link,
    /// A part of its path is a link that came before it.
    ThroughLink,
    Device,
    Again,
    /// A kind of member that this reader does not know.
    Unknown,
    /// The stream ended in the middle of it.
    CutOff,
}

impl FileWarning {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::AbsolutePath => "the path begins at the root",
            Self::ParentInPath => "the path leads to a parent folder",
            Self::HiddenInPath => "the path has characters that do not show",
            Self::Link => "a link, not a file",
            Self::ThroughLink => "the path leads through a link that came before",
            Self::Device => "a device or a pipe, not a file",
            Self::Again => "the path was there before",
            Self::Unknown => "neither file, link, folder nor device",
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
    pub is_folder: bool,
    pub link: Option<String>,
    /// Of a file that is whole.
    pub sha256: Option<[u8; 32]>,
    pub warnings: Vec<FileWarning>,
}

/// A part of what a stream carries, for who wants the content.
#[derive(Debug)]
pub enum FilePart<'a> {
    /// A file begins; its digest is not known yet.
    Begin(&'a FileEntry),
    Bytes(&'a [u8]),
    End(&'a FileEntry),
}

/// Reads tar streams while steps go by.
#[derive(Debug)]
pub struct FileList {
    stream: Option<(Stream, Direction)>,
    begins_at: u64,
    stops_at: u64,
    position: u64,
    block: Vec<u8>,
    state: State,
    next: Next,
    paths: BTreeSet<String>,
    links: BTreeSet<String>,
    name_bytes: usize,
    pub found: Vec<FileEntry>,
    /// Members beyond those that are kept.
    pub n_more: u64,
    /// From this byte on it is no tar stream that this reader understands.
    pub unreadable_from: Option<u64>,
    /// Bytes of the stream that no key opens.
    pub withheld_bytes: u64,
}

enum State {
    Header,
    /// What an extra member says.
    Extra {
        extra: Extra,
        left: u64,
        padding: u64,
        text: Vec<u8>,
    },
    Content {
        left: u64,
        padding: u64,
        digest: Option<Context>,
    },
    Over,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Header => "Header",
            Self::Extra { .. } => "Extra",
            Self::Content { .. } => "Content",
            Self::Over => "Over",
        })
    }
}

type Sink<'a> = dyn FnMut(FilePart<'_>) + 'a;

impl FileList {
    #[must_use]
    pub fn new(opening: &Opening) -> Self {
        let begins_at = tail_from(&opening.access.command);
        Self {
            stream: stream(&opening.access.command),
            begins_at,
            stops_at: u64::MAX,
            position: 0,
            block: Vec::new(),
            state: if begins_at == 0 { State::Header } else { State::Over },
            next: Next::default(),
            paths: BTreeSet::new(),
            links: BTreeSet::new(),
            name_bytes: 0,
            found: Vec::new(),
            n_more: 0,
            unreadable_from: None,
            withheld_bytes: 0,
        }
    }

    /// Whether the session carried files at all, as far as its arguments say.
    #[must_use]
    pub const fn is_of_files(&self) -> bool {
        self.stream.is_some()
    }

    /// Bytes of the stream that a session before this one carried. A list of this session alone has nothing then.
    #[must_use]
    pub const fn begins_at(&self) -> u64 {
        self.begins_at
    }

    /// Of this session nothing counts from that byte on, because a later one begins there.
    #[must_use]
    pub const fn until(mut self, byte: u64) -> Self {
        self.stops_at = byte;
        self
    }

    /// Goes on with a session that begins where this list was told to stop. Says whether it does.
    pub fn go_on(&mut self, opening: &Opening) -> bool {
        let begins_at = tail_from(&opening.access.command);
        let goes_on = begins_at > 0 && self.position == begins_at && self.stops_at == begins_at;
        if goes_on {
            self.stops_at = u64::MAX;
            self.stream = stream(&opening.access.command);
        }
        goes_on
    }

    pub fn step(&mut self, step: &Step) {
        self.step_into(step, &mut |_| {});
    }

    /// As [`Self::step`], and gives the content away.
    pub fn step_into(&mut self, step: &Step, sink: &mut Sink<'_>) {
        let Some((wanted, direction)) = self.stream else { return };
        match step {
            Step::Withheld { at_us: _, stream, length } if *stream == wanted => {
                self.withheld_bytes += length;
            }
            Step::Withheld { .. } => {}
            Step::Known(record) => {
                if let Event::Data { stream, bytes } = &record.event
                    && *stream == wanted
                {
                    let mut bytes = bytes.clone();
                    let mut left = self.stops_at.saturating_sub(self.position);
                    let bytes = take(&mut bytes, &mut left);
                    self.feed((record.at_us, direction), bytes, sink);
                }
            }
        }
    }

    fn feed(&mut self, of: (u64, Direction), mut bytes: Bytes, sink: &mut Sink<'_>) {
        while !bytes.is_empty() {
            let before = bytes.len();
            match &mut self.state {
                State::Over => bytes.clear(),
                State::Header => {
                    let wanted = BLOCK_BYTES - self.block.len();
                    self.block.extend_from_slice(&bytes.split_to(wanted.min(bytes.len())));
                    if self.block.len() == BLOCK_BYTES {
                        let block = std::mem::take(&mut self.block);
                        self.header(of, &block, sink);
                    }
                }
                State::Extra { extra, left, padding, text } => {
                    text.extend_from_slice(&take(&mut bytes, left));
                    if *left == 0 {
                        drop(take(&mut bytes, padding));
                    }
                    if *left == 0 && *padding == 0 {
                        let (extra, text) = (*extra, std::mem::take(text));
                        self.next.take(extra, &text);
                        self.state = State::Header;
                    }
                }
                State::Content { left, padding, digest } => {
                    let now = take(&mut bytes, left);
                    if let Some(digest) = digest
                        && !now.is_empty()
                    {
                        digest.update(&now);
                        sink(FilePart::Bytes(&now));
                    }
                    if *left == 0 {
                        drop(take(&mut bytes, padding));
                    }
                    if *left == 0 && *padding == 0 {
                        let digest = digest.take();
                        self.content_over(digest, sink);
                    }
                }
            }
            self.position += (before - bytes.len()) as u64;
        }
    }

    fn header(&mut self, of: (u64, Direction), block: &[u8], sink: &mut Sink<'_>) {
        if block.iter().all(|byte| *byte == 0) {
            return;
        }
        let Some(mut header) = Header::read(block) else {
            self.over();
            return;
        };
        if let Kind::Extra(extra) = header.kind {
            let (left, padding) = (header.size, padding(header.size));
            self.state = match left {
                0 => State::Header,
                _ if left > MAX_NAME_BYTES => return self.over(),
                _ => State::Extra { extra, left, padding, text: Vec::new() },
            };
            return;
        }
        let next = std::mem::take(&mut self.next);
        let has_content = matches!(header.kind, Kind::File | Kind::Unknown);
        header.size = next.size.filter(|_| has_content).unwrap_or(header.size);
        header.path = next.path.unwrap_or(header.path);
        header.link = next.link.unwrap_or(header.link);
        let (left, padding) = (header.size, padding(header.size));
        let is_file = header.kind == Kind::File;
        let is_kept = self.enter(of, header);
        let digest = (is_file && is_kept).then(|| Context::new(&SHA256));
        if let (Some(entry), Some(_)) = (self.found.last(), &digest) {
            sink(FilePart::Begin(entry));
        }
        if left == 0 {
            self.content_over(digest, sink);
        } else {
            self.state = State::Content { left, padding, digest };
        }
    }

    fn over(&mut self) {
        self.state = State::Over;
        // The block is counted after it was looked at.
        self.unreadable_from = Some((self.position / BLOCK_BYTES as u64) * BLOCK_BYTES as u64);
    }

    fn content_over(&mut self, digest: Option<Context>, sink: &mut Sink<'_>) {
        self.state = State::Header;
        if let (Some(entry), Some(digest)) = (self.found.last_mut(), digest) {
            entry.sha256 = <[u8; 32]>::try_from(digest.finish().as_ref()).ok();
            entry.warnings.retain(|warning| *warning != FileWarning::CutOff);
            sink(FilePart::End(entry));
        }
    }

    /// Whether the member is kept.
    fn enter(&mut self, (at_us, direction): (u64, Direction), header: Header) -> bool {
        let Header { path, mode, size, kind, link } = header;
        self.name_bytes += 2 * path.len() + link.len();
        if self.found.len() >= MAX_ENTRIES || self.name_bytes > MAX_NAMES_BYTES {
            self.n_more += 1;
            return false;
        }
        let warnings = self.warnings(&path, kind);
        let plain = path.trim_end_matches('/').to_owned();
        if kind == Kind::SymbolicLink {
            self.links.insert(plain.clone());
        }
        self.paths.insert(plain);
        let is_folder = kind == Kind::Folder;
        let link = Some(link).filter(|link| !link.is_empty());
        let sha256 = None;
        let entry =
            FileEntry { at_us, direction, path, mode, size, is_folder, link, sha256, warnings };
        self.found.push(entry);
        true
    }

    fn warnings(&self, path: &str, kind: Kind) -> Vec<FileWarning> {
        let plain = path.trim_end_matches('/');
        let parents = plain.match_indices('/').filter_map(|(at, _)| plain.get(..at));
        let is_through_link = parents.into_iter().any(|parent| self.links.contains(parent));
        let all = [
            (path.starts_with('/'), FileWarning::AbsolutePath),
            (path.split('/').any(|part| part == ".."), FileWarning::ParentInPath),
            (path.contains(is_hidden), FileWarning::HiddenInPath),
            (matches!(kind, Kind::HardLink | Kind::SymbolicLink), FileWarning::Link),
            (is_through_link, FileWarning::ThroughLink),
            (kind == Kind::Device, FileWarning::Device),
            (kind == Kind::Unknown, FileWarning::Unknown),
            (kind != Kind::Folder && self.paths.contains(plain), FileWarning::Again),
            (kind == Kind::File, FileWarning::CutOff),
        ];
        all.into_iter().filter(|(is, _)| *is).map(|(_, warning)| warning).collect()
    }
}

/// `kubectl cp` runs `tar` in the pod: `-x` reads what is uploaded, `-c` writes what is downloaded.
fn stream(command: &[String]) -> Option<(Stream, Direction)> {
    let program = command.first()?.rsplit('/').next()?;
    let flags = command.get(1).map_or("", String::as_str);
    let download = Some((Stream::Stdout, Direction::Download));
    match program {
        "tar" if flags.contains('x') => Some((Stream::Stdin, Direction::Upload)),
        "tar" if flags.contains('c') => download,
        _ if command.iter().any(|argument| argument.starts_with("tar cf - ")) => download,
        _ => None,
    }
}

/// How many bytes are left out, where a download is asked for again: `tar cf - PATH | tail -c+N` counts from 1.
fn tail_from(command: &[String]) -> u64 {
    let script = command.iter().find(|argument| argument.starts_with("tar cf - "));
    let tail = script.and_then(|script| script.rsplit_once("| tail -c+"));
    let from = tail.and_then(|(_, from)| from.trim().parse::<u64>().ok());
    from.map_or(0, |from| from.saturating_sub(1))
}

const fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK_BYTES as u64
}

/// As many bytes as there are and are wanted.
fn take(bytes: &mut Bytes, left: &mut u64) -> Bytes {
    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= now as u64;
    bytes.split_to(now)
}
