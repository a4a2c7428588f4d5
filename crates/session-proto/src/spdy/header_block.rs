//! Header blocks: names and values, in one zlib stream for each direction of a connection.
//!
//! `count(32)`, then for each `length(32) name length(32) value`; names are lower-case, values of one name are joined by
//! NUL. The zlib stream begins with a preset dictionary (SPDY/3 draft, 2.6.10.1), has no end, and every block has to be
//! inflated, also of streams that nobody wants. What is written is not compressed: deflate has stored blocks
//! (RFC 1951, 3.2.4), which need no memory, where a compressor would keep some 128 KiB for each idle session.

use crate::violation::Violation;
use bytes::{Buf as _, BufMut as _, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};

const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");
/// Header of a zlib stream with a dictionary (RFC 1950), and that dictionary's Adler-32.
const ZLIB_HEADER: [u8; 6] = [0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2];
/// Longest block, inflated.
const MAX_BLOCK_BYTES: usize = 16 << 10;
const MAX_HEADERS: u32 = 64;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn write(&self) -> Vec<u8> {
        let mut block = Vec::new();
        let mut put = |bytes: &[u8]| {
            block.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            block.put_slice(bytes);
        };
        for (name, value) in &self.0 {
            put(name.as_bytes());
            put(value.as_bytes());
        }
        let mut whole = Vec::with_capacity(4 + block.len());
        whole.put_u32(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        whole.put_slice(&block);
        whole
    }

    fn read(mut block: &[u8]) -> Option<Self> {
        let count = block.try_get_u32().ok().filter(|count| *count <= MAX_HEADERS)?;
        let mut pairs: Vec<(String, String)> = Vec::new();
        for _ in 0..count {
            let name = text(&mut block)?;
            let value = text(&mut block)?;
            // Two values for one name would be read differently by different ends; upper-case names are refused by Go's.
            if name.is_empty()
                || name.contains(|letter: char| letter.is_ascii_uppercase())
                || pairs.iter().any(|(known, _)| *known == name)
                || value.contains('\0')
            {
                return None;
            }
            pairs.push((name, value));
        }
        block.is_empty().then_some(Self(pairs))
    }
}

fn text(block: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(block.try_get_u32().ok()?).ok()?;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    String::from_utf8(text.to_vec()).ok()
}

/// Reads the blocks of one direction.
#[derive(Debug)]
pub(crate) struct Inflater {
    zlib: Decompress,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { zlib: Decompress::new(true) }
    }

    pub(crate) fn read(&mut self, mut compressed: &[u8]) -> Result<Headers, Violation> {
        let mut block = Vec::with_capacity(512);
        loop {
            if block.len() > MAX_BLOCK_BYTES {
                return Err(Violation::TooLong {
                    what: "a block of headers",
                    bytes: block.len(),
                    limit: MAX_BLOCK_BYTES,
                });
            }
            if block.len() == block.capacity() {
                block.reserve(1024);
            }
            let (before_in, before_out) = (self.zlib.total_in(), block.len());
            let status = self.zlib.decompress_vec(compressed, &mut block, FlushDecompress::Sync);
            let read = usize::try_from(self.zlib.total_in() - before_in).unwrap_or(usize::MAX);
            compressed = compressed.get(read..).ok_or(Violation::Headers)?;
            match status {
                Ok(Status::Ok | Status::BufError) => {
                    let is_stuck = read == 0 && block.len() == before_out;
                    if compressed.is_empty() && block.len() < block.capacity() {
                        return Headers::read(&block).ok_or(Violation::Headers);
                    }
                    if is_stuck && block.len() < block.capacity() {
                        return Err(Violation::Headers);
                    }
                }
                Ok(Status::StreamEnd) => return Err(Violation::Headers),
                Err(error) => {
                    error.needs_dictionary().ok_or(Violation::Headers)?;
                    self.zlib.set_dictionary(DICTIONARY).or(Err(Violation::Headers))?;
                }
            }
        }
    }
}

/// Writes the blocks of one direction.
#[derive(Debug, Default)]
pub(crate) struct Storer {
    has_begun: bool,
}

impl Storer {
    pub(crate) fn write(&mut self, headers: &Headers) -> BytesMut {
        let block = headers.write();
        let mut out = BytesMut::with_capacity(block.len() + 16);
        if !std::mem::replace(&mut self.has_begun, true) {
            out.put_slice(&ZLIB_HEADER);
        }
        for part in block.chunks(usize::from(u16::MAX)) {
            put_stored(&mut out, part);
        }
        // Inflaters give out what they have at an empty block.
        put_stored(&mut out, &[]);
        out
    }
}

fn put_stored(out: &mut BytesMut, part: &[u8]) {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    out.put_u8(0);
    out.put_u16_le(length);
    out.put_u16_le(!length);
    out.put_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_one_stream_are_read_back() {
        let mut storer = Storer::default();
        let mut inflater = Inflater::new();
        for pairs in [
            &[("streamtype", "error")][..],
            &[],
            &[("port", "80"), ("requestid", "7"), ("streamtype", "data")],
        ] {
            let headers = Headers::new(pairs);
            assert_eq!(inflater.read(&storer.write(&headers)), Ok(headers));
        }
    }

    /// The first block that kubectl 1.32 sends, compressed against the dictionary.
    #[test]
    fn a_compressed_block_is_read() {
        let mut compressor = flate2::Compress::new(flate2::Compression::default(), true);
        compressor.set_dictionary(DICTIONARY).unwrap();
        let mut inflater = Inflater::new();
        for kind in ["error", "stdin", "stdout"] {
            let headers = Headers::new(&[("streamtype", kind)]);
            let mut out = Vec::with_capacity(4096);
            compressor
                .compress_vec(&headers.write(), &mut out, flate2::FlushCompress::Sync)
                .unwrap();
            assert_eq!(inflater.read(&out), Ok(headers));
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_whole() {
        let mut compressor = flate2::Compress::new(flate2::Compression::best(), true);
        compressor.set_dictionary(DICTIONARY).unwrap();
        let mut out = Vec::with_capacity(1 << 16);
        compressor.compress_vec(&vec![0; 8 << 20], &mut out, flate2::FlushCompress::Sync).unwrap();
        assert!(out.len() < 16 << 10);
        assert!(matches!(Inflater::new().read(&out), Err(Violation::TooLong { .. })));
    }
}
