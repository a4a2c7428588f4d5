//! Reads a segment of the journal, and tells an unfinished end from a damaged one.

use super::{HEADER_BYTES, MAGIC, MAX_NOTE_BYTES, MAX_RECORD_BYTES, header_checksum};

/// What a disk writes as a whole, at least.
const SECTOR_BYTES: usize = 512;

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan<'a> {
    pub records: Vec<Record<'a>>,
    pub end: End,
}

/// One commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The index of its first entry.
    pub first: u64,
    pub count: u32,
    /// The entries, each behind its length.
    pub bundle: &'a [u8],
    pub checkpoint: &'a [u8],
}

/// What comes behind the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Zeros.
    Clean,
    /// A record whose commit was not finished, and so was acknowledged to nobody.
    Unfinished { at: usize },
    /// Something that no crash leaves behind: what stood there may have been acknowledged.
    Damaged { at: usize },
}

/// Reads the segment that is named after entry `segment`.
#[must_use]
pub fn scan(segment: u64, bytes: &[u8]) -> Scan<'_> {
    let mut records = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((record, length)) = record(segment, rest) else { break };
        records.push(record);
        at += length;
    }
    Scan { records, end: end(segment, bytes, at) }
}

/// A header whose checksum is right, so that its lengths can be believed.
struct Header {
    sum: u32,
    first: u64,
    count: u32,
    bundle_bytes: usize,
    note_bytes: usize,
}

impl Header {
    fn read(segment: u64, bytes: &[u8]) -> Option<Self> {
        let before = bytes.get(..HEADER_BYTES - 4)?;
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (bundle_bytes, rest) = rest.split_first_chunk::<4>()?;
        let (note_bytes, rest) = rest.split_first_chunk::<4>()?;
        let own = u32::from_be_bytes(*rest.first_chunk::<4>()?);
        let header = Self {
            sum: u32::from_be_bytes(*sum),
            first: u64::from_be_bytes(*first),
            count: u32::from_be_bytes(*count),
            bundle_bytes: u32::from_be_bytes(*bundle_bytes) as usize,
            note_bytes: u32::from_be_bytes(*note_bytes) as usize,
        };
        let fits = header.bundle_bytes <= MAX_RECORD_BYTES && header.note_bytes <= MAX_NOTE_BYTES;
        (fits && own == header_checksum(segment, before)).then_some(header)
    }

    /// Of the whole record.
    fn length(&self) -> usize {
        HEADER_BYTES + self.bundle_bytes + self.note_bytes
    }
}

/// The record that `bytes` begin with, and its length.
fn record(segment: u64, bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let header = Header::read(segment, bytes)?;
    let payload = bytes.get(HEADER_BYTES..header.length())?;
    let (bundle, checkpoint) = payload.split_at_checked(header.bundle_bytes)?;
    let Header { first, count, .. } = header;
    let whole = crc32c::crc32c(payload) == header.sum;
    whole.then_some((Record { first, count, bundle, checkpoint }, header.length()))
}

fn end(segment: u64, bytes: &[u8], at: usize) -> End {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.iter().all(|&byte| byte == 0) {
        return End::Clean;
    }
    let followed = memchr::memmem::find_iter(rest, &MAGIC)
        .any(|later| record(segment, rest.get(later..).unwrap_or_default()).is_some());
    if !followed && has_unwritten_part(segment, bytes, at) {
        End::Unfinished { at }
    } else {
        End::Damaged { at }
    }
}

/// Whether a part of the record at `at` was never written: its end, where a write got no further, or a sector,
/// where power was lost before all of them were on the disk.
///
/// Entries and checkpoints are texts, so that a sector of zeros is none of theirs, nor does one end with a zero; and
/// a header begins with letters. The sector in which the record begins has the end of the one before, so of that
/// one only the part that is the record's counts.
fn has_unwritten_part(segment: u64, bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_zero =
        |bytes: Option<&[u8]>| bytes.is_none_or(|bytes| bytes.iter().all(|&byte| byte == 0));
    let until = match Header::read(segment, rest) {
        // Beyond the end of the file nothing is written, either.
        Some(header) if is_zero(rest.get(header.length() - 1..header.length())) => return true,
        Some(header) => at + header.length(),
        None if is_zero(rest.get(HEADER_BYTES..)) => return true,
        // A sector is written or not: a header that is in one of them is whole, or is zeros.
        None => at + HEADER_BYTES,
    };
    let mut from = at;
    while from < until {
        let next = (from / SECTOR_BYTES + 1) * SECTOR_BYTES;
        let sector = bytes.get(from..next.min(until)).unwrap_or_default();
        if sector.iter().all(|&byte| byte == 0) {
            return true;
        }
        from = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::{Parts, encode};
    use super::*;

    const SEGMENT: u64 = 5;

    fn bytes_of(first: u64, entry: &str) -> Vec<u8> {
        let bundle = [&[0, 200], entry.repeat(200).as_bytes()].concat();
        let checkpoint = "ledger.example\n".repeat(10);
        let parts = Parts { first, count: 1, bundle: &bundle, checkpoint: checkpoint.as_bytes() };
        encode(SEGMENT, &parts).unwrap()
    }

    /// A segment of three records and zeros, and where the records begin and end.
    fn segment() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut bounds = vec![0];
        for (first, entry) in [(5, "a"), (6, "bcdefghijk"), (7, "z")] {
            bytes.extend(bytes_of(first, entry));
            bounds.push(bytes.len());
        }
        bytes.resize(8192, 0);
        (bytes, bounds)
    }

    #[test]
    fn records_are_read_up_to_the_zeros() {
        let (bytes, _) = segment();
        let scan = scan(SEGMENT, &bytes);
        let firsts: Vec<u64> = scan.records.iter().map(|record| record.first).collect();
        assert_eq!((firsts, scan.end), (vec![5, 6, 7], End::Clean));
    }

    #[test]
    fn records_of_another_segment_are_none() {
        let (bytes, _) = segment();
        assert_eq!(scan(6, &bytes), Scan { records: vec![], end: End::Damaged { at: 0 } });
    }

    #[test]
    fn a_changed_byte_is_damage_wherever_it_is() {
        let (bytes, bounds) = segment();
        for at in 0..bounds[3] {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            let scan = scan(SEGMENT, &changed);
            let begin = *bounds.iter().rev().find(|&&begin| begin <= at).unwrap();
            assert_eq!(scan.end, End::Damaged { at: begin }, "byte {at}");
        }
    }

    #[test]
    fn something_behind_the_zeros_is_not_clean() {
        let (mut bytes, bounds) = segment();
        bytes[8000] = 1;
        // The header's own sector is zeros; in what is behind it nobody was told of.
        assert_eq!(scan(SEGMENT, &bytes).end, End::Unfinished { at: bounds[3] });
    }

    #[test]
    fn a_write_that_got_no_further_is_an_unfinished_record() {
        let (bytes, bounds) = segment();
        for written in 1..bounds[3] - bounds[2] {
            let mut short = bytes.clone();
            short[bounds[2] + written..].fill(0);
            let scan = scan(SEGMENT, &short);
            assert_eq!(scan.records.len(), 2, "{written} bytes");
            assert_eq!(scan.end, End::Unfinished { at: bounds[2] }, "{written} bytes");
            let file = &short[..bounds[2] + written];
            assert_eq!(super::scan(SEGMENT, file).end, End::Unfinished { at: bounds[2] });
        }
    }

    /// Whatever sectors of the last record a loss of power leaves unwritten, it is seen as unfinished.
    #[test]
    fn missing_sectors_are_an_unfinished_record() {
        for record in [bytes_of(8, "0123456789"), bytes_of(8, "q")] {
            let (mut bytes, bounds) = segment();
            let (from, until) = (bounds[3], bounds[3] + record.len());
            bytes[from..until].copy_from_slice(&record);
            let sectors: Vec<usize> = (from / 512..=(until - 1) / 512).collect();
            for written in 0..(1_u32 << sectors.len()) - 1 {
                let mut torn = bytes.clone();
                for (bit, sector) in sectors.iter().enumerate() {
                    if written & (1 << bit) == 0 {
                        let begin = from.max(sector * 512);
                        torn[begin..until.min(sector * 512 + 512)].fill(0);
                    }
                }
                let end = scan(SEGMENT, &torn).end;
                let expected = if written == 0 { End::Clean } else { End::Unfinished { at: from } };
                assert_eq!(end, expected, "sectors {written:b}");
            }
        }
    }
}
