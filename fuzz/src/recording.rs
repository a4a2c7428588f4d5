//! Bytes of recordings: as a file as it is, and as what somebody with the keys encrypted, so that the fuzzer gets past
//! digests and ciphers. Chunks and blocks are made here from docs/formats/recording.md, not by the code that is tried.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use bytes::Bytes;
use session_record::{
    Anchors, ContentKey, Continued, KeyPair, Keys, Packing, Reader, Scan, SourceError, Step,
    Verdict, pack, verify,
};

const OUTPUT: [u8; 32] = [1; 32];
const INPUT: [u8; 32] = [0x81; 32];
/// The example of docs/formats/recording.md.
const EXAMPLE: &[u8] = include_bytes!("../seeds/recording/raw.bin");
const RAW_HEADER_BYTES: usize = 0x10c;
const SEAL_FRAME_BYTES: usize = 12;

/// The first byte says what the others are.
pub fn recording(bytes: &[u8]) {
    steps_read(bytes);
}

/// How many steps were read, where they were read to the end.
pub fn steps_read(bytes: &[u8]) -> Option<usize> {
    let (kind, rest) = bytes.split_first()?;
    let after_numbers = rest.get(8..).unwrap_or_default();
    read(&match kind % 4 {
        0 => Bytes::copy_from_slice(rest),
        1 => forged_chunk(rest),
        2 => forged_block(rest, &Bytes::copy_from_slice(after_numbers)),
        _ => forged_block(rest, &zstd::bulk::compress(after_numbers, 1).unwrap_or_default().into()),
    })
}

fn keys() -> KeyPair {
    KeyPair { output: ContentKey::new(OUTPUT), input: ContentKey::new(INPUT) }
}

/// Everything that reads a recording takes these bytes.
fn read(bytes: &Bytes) -> Option<usize> {
    let all: Keys = keys().into();
    let steps = steps(bytes, &all);
    let output = Keys { input: None, ..all.clone() };
    for keys in [&all, &output, &Keys::none()] {
        let report = verify(bytes.clone(), keys, &Anchors::default());
        let is_sound = report.is_ok_and(|report| report.verdict() == Verdict::Sound);
        // What is sound with both keys can be read to its end.
        assert!(!is_sound || keys.input.is_none() || steps.is_some(), "sound, and cannot be read");
    }
    if let Ok(scan) = Scan::new(bytes.clone()) {
        assert!(scan.good.bytes <= scan.bytes && scan.torn_bytes() <= scan.bytes);
    }
    drop(
        Continued::new(Bytes::from_static(EXAMPLE), bytes.clone()).map(|both| steps_of(both, &all)),
    );
    let steps = steps?;
    is_the_same_packed(bytes, &steps);
    Some(steps.len())
}

fn steps(bytes: &Bytes, keys: &Keys) -> Option<Vec<Step>> {
    steps_of(bytes.clone(), keys)
}

fn steps_of(source: impl session_record::Source, keys: &Keys) -> Option<Vec<Step>> {
    let mut reader = Reader::open(source, keys).ok()?;
    let steps = reader.by_ref().collect::<Result<Vec<Step>, _>>().ok()?;
    let middle = steps.get(steps.len() / 2).map_or(0, Step::at_us);
    reader.seek(middle).ok()?;
    let found = reader.collect::<Result<Vec<Step>, _>>().ok()?;
    let expected: Vec<&Step> = steps.iter().filter(|step| step.at_us() >= middle).collect();
    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "another moment was found");
    Some(steps)
}

fn is_the_same_packed(raw: &Bytes, expected: &[Step]) {
    let mut packed = Vec::new();
    let packing = Packing { keys: &keys(), salt: [5; 32], level: 1, heads: &[] };
    let mut sink = |part: &[u8]| -> Result<(), SourceError> {
        packed.extend_from_slice(part);
        Ok(())
    };
    if pack(raw.clone(), &packing, &mut sink).is_ok() {
        let again = steps(&packed.into(), &keys().into());
        assert_eq!(again.as_deref(), Some(expected), "something else was packed");
    }
}

/// The first bytes are numbers of the chunk's header, then come the output's records and the input.
fn forged_chunk(bytes: &[u8]) -> Bytes {
    let (numbers, rest) = bytes.split_at(bytes.len().min(4));
    let number = |n: usize| numbers.get(n).copied().unwrap_or_default();
    let (output, input) = rest.split_at(rest.len() - rest.len().min(usize::from(number(1))));
    let header = EXAMPLE.get(..RAW_HEADER_BYTES).unwrap_or_default();
    let header_digest = header.get(RAW_HEADER_BYTES - 32..).unwrap_or_default();
    let mut chunk = b"wchk\x01\0\0\0".to_vec();
    chunk.extend_from_slice(&[0; 16]);
    chunk.extend_from_slice(&u32::from(number(0)).to_le_bytes());
    chunk.extend_from_slice(&length(output).to_le_bytes());
    chunk.extend_from_slice(&if input.is_empty() { 0 } else { length(input) }.to_le_bytes());
    chunk.extend_from_slice(&[0; 4]);
    chunk.extend_from_slice(&u64::from(number(2)).to_le_bytes());
    chunk.extend_from_slice(&u64::from(u16::from_le_bytes([number(2), number(3)])).to_le_bytes());
    let output = sealed(&OUTPUT, header_digest, "weir recording 1 raw output", &chunk, output);
    let input = match input {
        [] => Vec::new(),
        input => sealed(&INPUT, header_digest, "weir recording 1 raw input", &chunk, input),
    };
    let chain = chained(b"weir recording 1 chunk", header_digest, &chunk, [&output, &input]);
    [header, &chunk, &output, &input, &chain].concat().into()
}

/// A packed recording of one block with this output section; the seal is what its own numbers make of it.
fn forged_block(numbers: &[u8], output: &Bytes) -> Bytes {
    let number = |n: usize| u32::from(numbers.get(n).copied().unwrap_or_default());
    let raw_header = EXAMPLE.get(..RAW_HEADER_BYTES).unwrap_or_default();
    let raw_digest = raw_header.get(RAW_HEADER_BYTES - 32..).unwrap_or_default();
    let mut header = b"weir-pak\x01\0\0\0".to_vec();
    let body = [&[5; 32], [0x8c, 2].as_slice(), raw_header].concat();
    header.extend_from_slice(&u32::try_from(body.len()).unwrap_or_default().to_le_bytes());
    header.extend_from_slice(&body);
    let header_digest = sha256(&[&header]);
    header.extend_from_slice(&header_digest);
    let mut block = b"wblk\0\0\0\0".to_vec();
    block.extend_from_slice(&[0; 16]);
    block.extend_from_slice(&number(0).to_le_bytes());
    block.extend_from_slice(&number(1).to_le_bytes());
    block.extend_from_slice(&[0; 16]);
    block.extend_from_slice(&u64::from(number(2)).to_le_bytes());
    let plain =
        u32::from_le_bytes([3, 4, 5, 6].map(|n| numbers.get(n).copied().unwrap_or_default()));
    for size in [length(output), 0, plain, 0] {
        block.extend_from_slice(&size.to_le_bytes());
    }
    block.extend_from_slice(raw_digest);
    let output = sealed(&OUTPUT, &header_digest, "weir recording 1 packed output", &block, output);
    let chain = chained(b"weir recording 1 block", &header_digest, &block, [&output, &[]]);
    let index_offset = header.len() + block.len() + output.len() + chain.len();
    let index = b"weir-idx\0\0";
    let seal = forged_seal(raw_digest, &header_digest, &chain, index_offset, index);
    [header.as_slice(), &block, &output, &chain, index, &seal].concat().into()
}

fn forged_seal(
    raw: &[u8],
    header: &[u8],
    chain: &[u8],
    index_offset: usize,
    index: &[u8],
) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 0];
    body.extend_from_slice(raw);
    body.push(1);
    body.extend_from_slice(raw);
    // No bytes, records or sums; it is packed.
    body.extend_from_slice(&[0, 0, 0, 0, 0, 1]);
    body.extend_from_slice(header);
    body.push(1);
    body.extend_from_slice(chain);
    put_varint(&mut body, index_offset);
    put_varint(&mut body, index.len());
    body.extend_from_slice(&sha256(&[index]));
    let mut seal = b"weirseal".to_vec();
    let length = u32::try_from(body.len()).unwrap_or_default().to_le_bytes();
    seal.extend_from_slice(&length);
    debug_assert_eq!(seal.len(), SEAL_FRAME_BYTES);
    seal.extend_from_slice(&body);
    let digest = sha256(&[&seal]);
    seal.extend_from_slice(&digest);
    seal.extend_from_slice(&length);
    seal.extend_from_slice(b"weir-end");
    seal
}

fn put_varint(into: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        into.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    into.push(u8::try_from(number).unwrap_or_default());
}

/// With the tag.
fn length(section: &[u8]) -> u32 {
    u32::try_from(section.len() + 16).unwrap_or(u32::MAX)
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

fn chained(words: &[u8], before: &[u8], header: &[u8], sections: [&[u8]; 2]) -> Vec<u8> {
    let of = |section: &[u8]| if section.is_empty() { vec![0; 32] } else { sha256(&[section]) };
    let [output, input] = sections.map(of);
    sha256(&[words, before, header, &output, &input])
}

/// As chunk or block 0.
fn sealed(key: &[u8; 32], salt: &[u8], info: &str, header: &[u8], text: &[u8]) -> Vec<u8> {
    let mut derived = [0; 32];
    let salt = Salt::new(HKDF_SHA256, salt);
    let extracted = salt.extract(key);
    let info = [info.as_bytes()];
    let filled = extracted.expand(&info, HKDF_SHA256).and_then(|okm| okm.fill(&mut derived));
    let key = UnboundKey::new(&AES_256_GCM, &derived).map(LessSafeKey::new);
    let mut section = text.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let sealed = filled
        .and(key)
        .and_then(|key| key.seal_in_place_append_tag(nonce, Aad::from(header), &mut section));
    assert!(sealed.is_ok(), "the cipher takes everything");
    section
}
