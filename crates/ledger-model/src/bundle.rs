//! A bundle: what proves one session with nothing else at hand.
//!
//! One file. A first line with the length and the digest of the head; the head, which is text: the session, its
//! entries with their proofs, the entries that changed the ledger's key, the checkpoint that all proofs lead to;
//! then, if the head says so, the recording as it is. The digest is there so that a bundle that got damaged is
//! seen as that. What proves is in the signatures: whoever can write a bundle can write its digest.

use crate::proof::MAX_PROOF_HASHES;
use crate::text::{base64, digest_of, hex, number_of, of_base64, of_hex};
use crate::{
    CheckpointError, Digest, Inclusion, MAX_ENTRY_BYTES, ProofError, SignedCheckpoint, leaf_hash,
};

const FORMAT: &str = "weir.dev/ledger-bundle@v1";

/// The first line is not longer.
const MAX_FIRST_LINE: usize = 160;

/// A head is not longer: some hundred thousand entries.
pub const MAX_HEAD_BYTES: usize = 256 << 20;

/// What a bundle says, beside the recording's own bytes.
#[derive(Debug, PartialEq)]
pub struct Bundle {
    pub session: String,
    /// In the order of the ledger.
    pub entries: Vec<BundledEntry>,
    pub checkpoint: SignedCheckpoint,
    /// How many bytes of recording follow the head.
    pub recording: Option<u64>,
}

/// An entry as it is in the ledger, and the proof that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledEntry {
    pub bytes: Vec<u8>,
    pub inclusion: Inclusion,
}

/// How long the head behind a first line is, and what its digest must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstLine {
    pub head_bytes: usize,
    pub digest: Digest,
    /// The line itself, with its end.
    pub line_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    #[error("the file does not begin with `{FORMAT}`, the length of its head and its digest")]
    FirstLine,
    #[error("the head has {0} bytes, which is more than is read")]
    TooLarge(usize),
    #[error("the head of the bundle is cut off")]
    CutOff,
    #[error("there is something behind the head of the bundle, which speaks of no recording")]
    Trailing,
    #[error("the head of the bundle is not what it was when the bundle was made")]
    Digest,
    #[error("line {0} of the bundle's head is not what the format has there")]
    Line(usize),
    #[error(
        "an entry has more bytes than fit into a ledger, or its proof more hashes than a tree is high"
    )]
    EntryTooLarge,
    #[error("entries are not in the order of the ledger")]
    Order,
    #[error("the bundle's checkpoint cannot be read")]
    Checkpoint(#[from] CheckpointError),
    #[error("entry {index} is not shown to be in the ledger")]
    Proof { index: u64, source: ProofError },
}

impl FirstLine {
    /// Reads the first line of a file that begins with these bytes.
    ///
    /// # Errors
    /// When the file is not a bundle.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let begin = bytes.get(..MAX_FIRST_LINE).unwrap_or(bytes);
        let at = begin.iter().position(|&byte| byte == b'\n').ok_or(BundleError::FirstLine)?;
        let line = begin.get(..at).and_then(|line| std::str::from_utf8(line).ok());
        let rest = line.and_then(|line| line.strip_prefix(FORMAT)?.strip_prefix(' '));
        let (length, digest) =
            rest.and_then(|rest| rest.split_once(' ')).ok_or(BundleError::FirstLine)?;
        let length = number_of(length).and_then(|length| usize::try_from(length).ok());
        let (Some(head_bytes), Some(digest)) = (length, of_hex(digest)) else {
            return Err(BundleError::FirstLine);
        };
        if head_bytes > MAX_HEAD_BYTES {
            return Err(BundleError::TooLarge(head_bytes));
        }
        Ok(Self { head_bytes, digest, line_bytes: at + 1 })
    }
}

impl Bundle {
    /// Whether a file that begins with these bytes says that it is a bundle.
    #[must_use]
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(FORMAT.as_bytes())
    }

    /// The file, up to where the recording begins.
    ///
    /// # Errors
    /// When the session's name would not be one line.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        if self.session.is_empty() || self.session.chars().any(char::is_control) {
            return Err(BundleError::Line(1));
        }
        let mut lines = vec![format!("session {}", self.session)];
        for BundledEntry { bytes, inclusion: Inclusion { index, path } } in &self.entries {
            lines.push(format!("entry {index} {}", base64(bytes)));
            lines.extend(path.iter().map(|digest| base64(digest)));
        }
        lines.push(match self.recording {
            Some(bytes) => format!("recording {bytes}"),
            None => "no recording".to_owned(),
        });
        let head = lines.join("\n");
        let head = [head.as_bytes(), b"\n\n", &self.checkpoint.to_bytes()].concat();
        let first = format!("{FORMAT} {} {}\n", head.len(), hex(&sha256(&head)));
        Ok([first.as_bytes(), &head].concat())
    }

    /// Reads the head of a bundle, by its first line.
    ///
    /// # Errors
    /// When it is not written as the format has it.
    pub fn parse(first: &FirstLine, head: &[u8]) -> Result<Self, BundleError> {
        if head.len() != first.head_bytes {
            return Err(BundleError::CutOff);
        }
        if sha256(head) != first.digest {
            return Err(BundleError::Digest);
        }
        let text = std::str::from_utf8(head).map_err(|_binary| BundleError::Line(2))?;
        let (lines, checkpoint) = text.split_once("\n\n").ok_or(BundleError::CutOff)?;
        let mut lines = lines.split('\n').enumerate().map(|(at, line)| (at + 2, line)).peekable();
        let session = lines.next().and_then(|(_, line)| line.strip_prefix("session "));
        let session =
            session.filter(|name| !name.is_empty() && !name.chars().any(char::is_control));
        let session = session.ok_or(BundleError::Line(2))?.to_owned();
        let mut entries: Vec<BundledEntry> = Vec::new();
        while let Some((at, line)) = lines.next_if(|(_, line)| line.starts_with("entry ")) {
            let mut entry = entry_of(line).ok_or(BundleError::Line(at))?;
            let is_hash = |(_, line): &(usize, &str)| line.len() == 44 && !line.contains(' ');
            while let Some((at, line)) = lines.next_if(is_hash) {
                entry.inclusion.path.push(digest_of(line).ok_or(BundleError::Line(at))?);
            }
            let fits = entry.bytes.len() <= MAX_ENTRY_BYTES
                && entry.inclusion.path.len() <= MAX_PROOF_HASHES;
            if !fits {
                return Err(BundleError::EntryTooLarge);
            }
            if entries.last().is_some_and(|last| last.inclusion.index >= entry.inclusion.index) {
                return Err(BundleError::Order);
            }
            entries.push(entry);
        }
        let (at, line) = lines.next().ok_or(BundleError::CutOff)?;
        let recording = match line.strip_prefix("recording ") {
            Some(bytes) => Some(number_of(bytes).ok_or(BundleError::Line(at))?),
            None if line == "no recording" => None,
            None => return Err(BundleError::Line(at)),
        };
        if let Some((at, _)) = lines.next() {
            return Err(BundleError::Line(at));
        }
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        Ok(Self { session, entries, checkpoint, recording })
    }

    /// Checks that every entry is in the tree of the checkpoint. Who signed that is for who asks.
    ///
    /// # Errors
    /// When one is not shown to be.
    pub fn check_proofs(&self) -> Result<(), BundleError> {
        let head = self.checkpoint.head();
        self.entries.iter().try_for_each(|BundledEntry { bytes, inclusion }| {
            let index = inclusion.index;
            let checked = inclusion.check(&leaf_hash(bytes), head);
            checked.map_err(|source| BundleError::Proof { index, source })
        })
    }
}

fn entry_of(line: &str) -> Option<BundledEntry> {
    let (index, bytes) = line.strip_prefix("entry ")?.split_once(' ')?;
    let inclusion = Inclusion { index: number_of(index)?, path: Vec::new() };
    Some(BundledEntry { bytes: of_base64(bytes)?, inclusion })
}

fn sha256(bytes: &[u8]) -> Digest {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Checkpoint, SignerKey, TileBuilder, prove_inclusion};
    use expect_test::expect;

    fn bundle() -> Bundle {
        let mut builder = TileBuilder::default();
        let entries: Vec<Vec<u8>> =
            (0..5_u8).map(|at| format!("entry {at}").into_bytes()).collect();
        entries.iter().for_each(|entry| builder.push(entry).unwrap());
        let tiles = builder.partial().into_iter().map(|file| (file.path, file.bytes)).collect();
        let head = builder.frontier().head();
        let key = SignerKey::from_seed("ledger.example", Algorithm::Ed25519, [1; 32]).unwrap();
        let checkpoint = Checkpoint { origin: "ledger.example".into(), head };
        let bundled = |index: usize| BundledEntry {
            bytes: entries[index].clone(),
            inclusion: prove_inclusion(head, index as u64, &tiles).unwrap(),
        };
        Bundle {
            session: "0190-a".into(),
            entries: vec![bundled(1), bundled(4)],
            checkpoint: SignedCheckpoint::sign(checkpoint, &key).unwrap(),
            recording: Some(12),
        }
    }

    fn read(bytes: &[u8]) -> Result<Bundle, BundleError> {
        let first = FirstLine::parse(bytes)?;
        let head = bytes.get(first.line_bytes..).ok_or(BundleError::CutOff)?;
        Bundle::parse(&first, head)
    }

    #[test]
    fn a_bundle_is_read_back() {
        let bytes = bundle().to_bytes().unwrap();
        assert!(Bundle::begins(&bytes));
        let read = read(&bytes).unwrap();
        assert_eq!(read, bundle());
        read.check_proofs().unwrap();
        expect![[r#"
            weir.dev/ledger-bundle@v1 426 eddea989234024d478dd175d368b4cedb1c084f1bbb6c64d666504743377d7ae
            session 0190-a
            entry 1 ZW50cnkgMQ==
            dziFphNIniTOLPdhmdakI/BC5LvxLX7s7pEu8nbGVwE=
            3b3oD8zesxmO9puOHwk0+84pbGur+3OFdKT2KXImZ5M=
            SFM123z+yWXxX/dF/GJcQdXqJkaTaTAWWCj3PdS2iFQ=
            entry 4 ZW50cnkgNA==
            l5nzB1F+9RfCIF35tndivzR1ayAJn7ffzOdrzr0nOy4=
            recording 12

            ledger.example
            5
            fKo0Xb2JKmZFTWxlEuo8PqPw0+whvj/C4jdXBf049nI=

            — ledger.example ngBGYrp4BlL6aI1LE4B+THna2N52xrh+OpVohPARVF5Pm4iTKOKwJUQJsL74H/7k1fV2P+4TWJitUtE4xvjsEoVjdgw=
        "#]].assert_eq(&String::from_utf8(bytes).unwrap());
    }

    #[test]
    fn every_changed_byte_is_seen() {
        let bytes = bundle().to_bytes().unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "byte {at}");
            assert!(read(&bytes[..at]).is_err(), "cut off at {at}");
        }
    }

    #[test]
    fn entries_are_in_order_and_in_the_ledger() {
        let mut swapped = bundle();
        swapped.entries.reverse();
        assert_eq!(read(&swapped.to_bytes().unwrap()), Err(BundleError::Order));
        let mut other = bundle();
        other.entries[1].bytes.push(b'!');
        let error = read(&other.to_bytes().unwrap()).unwrap().check_proofs().unwrap_err();
        assert_eq!(error, BundleError::Proof { index: 4, source: ProofError::Wrong });
    }

    #[test]
    fn what_claims_to_be_huge_is_refused_before_it_is_read() {
        let line = format!("{FORMAT} 999999999999 {}\n", "0".repeat(64));
        assert_eq!(FirstLine::parse(line.as_bytes()), Err(BundleError::TooLarge(999_999_999_999)));
        assert_eq!(FirstLine::parse(FORMAT.as_bytes()), Err(BundleError::FirstLine));
    }
}
