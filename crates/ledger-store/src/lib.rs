//! A ledger on disk, and who watches it.
//!
//! [`Ledger`] adds entries to a folder that has C2SP's tlog-tiles in it: any program that reads those reads a
//! ledger. `docs/design/ledger.md` argues how it is written, `docs/formats/ledger.md` says what the bytes are.
//!
//! # Invariants
//! * What was acknowledged is on disk, under a checkpoint that is signed and on disk as well.
//! * Nothing is signed that does not grow from all that was signed before.
//! * Tiles and entries are on disk before the checkpoint that needs them.
//! * After an error of the disk nothing is acknowledged until the ledger was opened again.
//! * One process writes a ledger at a time.
//!
//! # Absent on purpose
//! Reading entries back while they are written is for who reads the files; the writer answers no questions
//! but how far it is.

mod bundle_file;
mod cosign;
mod disk;
mod entry_json;
mod journal;
mod layout;
mod ledger;
mod mirror;
mod place;
mod prove;
mod publisher;
mod queue;
mod reader;
mod recovery;
mod seed;
mod verify;
mod witness;
mod writer;

pub use bundle_file::{BundleFileError, ReadBundle, read_bundle, recording_digest, write_bundle};
pub use cosign::{CosignError, CosignOptions, CosignState, Cosigner, WitnessAddress, WitnessState};
pub use disk::{Change, Disk, Fault, Watch};
pub use entry_json::{EntryError, decode_entry, encode_entry};
pub use journal::{End, Record, Scan, scan};
pub use ledger::{AppendError, Clock, Committed, Failure, Ledger, LedgerOptions, Progress};
pub use mirror::{Mirror, MirrorError, MirrorOptions, MirrorState, Mirrored};
pub use place::{Place, PlaceError, ReadError};
pub use prove::{ProveError, bundle_session, prove_entry, prove_growth};
pub use reader::LedgerReader;
pub use recovery::{OpenError, Recovered};
pub use seed::{SeedError, random_seed};
pub use verify::{
    BundleReport, RecordingDigest, Remembered, Report, VerifyOptions, verify, verify_bundle,
};
pub use witness::{
    Answer, Witness, WitnessError, WitnessListener, WitnessOptions, WitnessServeError,
};
