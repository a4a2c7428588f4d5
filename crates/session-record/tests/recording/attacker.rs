//! Somebody who knows the format, may write files, and has no key: whatever can be computed without one is.
//!
//! Written from docs/formats/recording.md and not from the code.

use aws_lc_rs::digest::{SHA256, digest};

const CHUNK_HEADER: usize = 56;

/// Where the parts of a raw recording begin and end.
#[derive(Debug, Clone)]
pub(crate) struct Dissected {
    pub(crate) header: std::ops::Range<usize>,
    pub(crate) chunks: Vec<std::ops::Range<usize>>,
    pub(crate) seal: std::ops::Range<usize>,
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    digest(&SHA256, &parts.concat()).as_ref().try_into().unwrap()
}

pub(crate) fn dissect(raw: &[u8]) -> Dissected {
    assert_eq!(&raw[..8], b"weir-rec");
    let header = 0..16 + u32_at(raw, 12) + 32;
    let mut chunks = Vec::new();
    let mut at = header.end;
    while &raw[at..at + 4] == b"wchk" {
        let length = CHUNK_HEADER + u32_at(raw, at + 28) + u32_at(raw, at + 32) + 32;
        chunks.push(at..at + length);
        at += length;
    }
    assert_eq!(&raw[at..at + 8], b"weirseal");
    Dissected { header, chunks, seal: at..raw.len() }
}

/// Computes every digest of a raw recording anew: the header's, the chain, and what the seal says of them. `seal` is
/// the seal of the recording whose header and number of chunks these are.
pub(crate) fn digest_again(mut raw: Vec<u8>) -> Vec<u8> {
    let Dissected { header, chunks, seal } = dissect(&raw);
    let old_header: [u8; 32] = raw[header.end - 32..header.end].try_into().unwrap();
    let old_chain: [u8; 32] = raw[seal.start - 32..seal.start].try_into().unwrap();
    let new_header = sha256(&[&raw[..header.end - 32]]);
    raw[header.end - 32..header.end].copy_from_slice(&new_header);
    let mut chain = new_header;
    for chunk in chunks {
        let (output, input) = (u32_at(&raw, chunk.start + 28), u32_at(&raw, chunk.start + 32));
        let sections = chunk.start + CHUNK_HEADER;
        let digest_of = |part: &[u8]| if part.is_empty() { [0; 32] } else { sha256(&[part]) };
        let output_digest = digest_of(&raw[sections..sections + output]);
        let input_digest = digest_of(&raw[sections + output..sections + output + input]);
        let chunk_header = &raw[chunk.start..sections];
        chain = sha256(&[
            b"weir recording 1 chunk",
            &chain,
            chunk_header,
            &output_digest,
            &input_digest,
        ]);
        raw[chunk.end - 32..chunk.end].copy_from_slice(&chain);
    }
    let mut body = raw[seal.start + 12..seal.end - 44].to_vec();
    for (old, new) in [(old_header, new_header), (old_chain, chain)] {
        if let Some(at) = body.windows(32).position(|window| window == old) {
            body[at..at + 32].copy_from_slice(&new);
        }
    }
    raw[seal.start + 12..seal.end - 44].copy_from_slice(&body);
    let sealed = sha256(&[&raw[seal.start..seal.end - 44]]);
    raw[seal.end - 44..seal.end - 12].copy_from_slice(&sealed);
    raw
}
