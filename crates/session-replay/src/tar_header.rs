//! Headers of a tar stream: ustar (POSIX.1), with what GNU tar and pax add to it.
//!
//! Where formats leave a choice it is made as Go's `archive/tar` makes it, which is what `kubectl` reads with.

use crate::text::cut_off;

pub(crate) const BLOCK_BYTES: usize = 512;
/// Longest name, in whatever way it is given.
pub(crate) const MAX_NAME_BYTES: u64 = 16 << 10;

#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    pub(crate) kind: Kind,
    pub(crate) link: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    SymbolicLink,
    Folder,
    /// A character or block device, or a pipe.
    Device,
    /// Says something of the next member.
    Extra(Extra),
    /// Its content is not as long as its size says, or means something else.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    LongPath,
    LongLink,
    Pax,
    /// Of all members that follow; nothing of it is used.
    Global,
}

/// What extra members said of the next one.
#[derive(Debug, Default)]
pub(crate) struct Next {
    pub(crate) path: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) size: Option<u64>,
}

impl Header {
    /// None where the sum is not the one of the bytes, or a number is none.
    pub(crate) fn read(block: &[u8]) -> Option<Self> {
        let bytes =
            |without_sum: u8, at: usize| if (148..156).contains(&at) { 32 } else { without_sum };
        let summed = block.iter().enumerate().map(|(at, byte)| bytes(*byte, at));
        let unsigned: i64 = summed.clone().map(i64::from).sum();
        // Some of the first programs took bytes for signed.
        let signed: i64 = summed.map(|byte| i64::from(byte.cast_signed())).sum();
        let sum = i64::try_from(number(block.get(148..156)?)?).ok()?;
        if sum != unsigned && sum != signed {
            return None;
        }
        let mut path = string(block.get(..100)?);
        if block.get(257..265)? == b"ustar\x0000" {
            let prefix = string(block.get(345..500)?);
            if !prefix.is_empty() {
                path = format!("{prefix}/{path}");
            }
        }
        let size = number(block.get(124..136)?)?;
        let kind = Kind::of(*block.get(156)?, &path);
        // The others have none, whatever their header says.
        let has_content = matches!(kind, Kind::File | Kind::Extra(_) | Kind::Unknown);
        Some(Self {
            path,
            mode: u32::try_from(number(block.get(100..108)?)? & 0o7777).ok()?,
            size: if has_content { size } else { 0 },
            kind,
            link: string(block.get(157..257)?),
        })
    }
}

impl Kind {
    fn of(flag: u8, path: &str) -> Self {
        match flag {
            0 if path.ends_with('/') => Self::Folder,
            0 | b'0' | b'7' => Self::File,
            b'1' => Self::HardLink,
            b'2' => Self::SymbolicLink,
            b'3' | b'4' | b'6' => Self::Device,
            b'5' => Self::Folder,
            b'L' => Self::Extra(Extra::LongPath),
            b'K' => Self::Extra(Extra::LongLink),
            b'x' => Self::Extra(Extra::Pax),
            b'g' => Self::Extra(Extra::Global),
            _ => Self::Unknown,
        }
    }
}

impl Next {
    pub(crate) fn take(&mut self, extra: Extra, text: &[u8]) {
        match extra {
            Extra::LongPath => self.path = Some(string(text)),
            Extra::LongLink => self.link = Some(string(text)),
            Extra::Pax => self.pax(text),
            Extra::Global => {}
        }
    }

    /// `LENGTH KEY=VALUE\n`, one after the other.
    fn pax(&mut self, mut text: &[u8]) {
        while let Some((record, rest)) = pax_record(text) {
            if let Some(path) = record.strip_prefix(b"path=") {
                self.path = Some(string(path));
            } else if let Some(link) = record.strip_prefix(b"linkpath=") {
                self.link = Some(string(link));
            } else if let Some(size) = record.strip_prefix(b"size=") {
                self.size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
            }
            text = rest;
        }
    }
}

fn pax_record(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(text.get(..space)?).ok()?;
    let length: usize = digits.parse().ok()?;
    let record = text.get(space + 1..length)?;
    Some((record.strip_suffix(b"\n")?, text.get(length..)?))
}

/// Octal, or binary where the first bit is set (GNU).
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        return rest.iter().try_fold(u64::from(first & 0x7f), |value, byte| {
            value.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_start_matches(' ').trim_end_matches(['\0', ' ']);
    let text = text.split('\0').next().unwrap_or(text).trim_end();
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

fn string(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let text = String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned();
    cut_off(&text, usize::try_from(MAX_NAME_BYTES).unwrap_or(usize::MAX)).to_owned()
}
