//! Recordings on disk and in object storage: written, recovered, sealed, read.
//!
//! A [`Recorder`] begins a [`Recording`] for each session; nothing of a session is forwarded before that. The gateway
//! puts each [`Event`](session_record::Event) through [`Recording::admit`] before it forwards it.
//!
//! **Invariants.** [`Recorder::open`] returns after the header is on disk. No event is dropped: what cannot be queued
//! waits, and what cannot be written ends the session. A file whose write or sync failed is never written again. What a
//! recovery finds is not changed by it. No key of an auditor is here, only public ones.
//!
//! **Absent.** Who may read, and what a session is: `session-api` and `session-gateway`. The format: `session-record`.

mod archive;
mod clock;
mod disk;
mod failure;
mod files;
mod inbox;
mod key_wrap;
mod layout;
mod live;
mod notes;
mod packing;
mod recorder;
mod recording;
mod recordings;
mod recovery;
mod retention;
mod session;
mod space;
mod work;
mod writers;

pub use archive::{Archive, ArchiveError, Objects, S3Access, S3Config, Uploaded};
pub use clock::{Clock, SystemClock};
pub use disk::{Disk, DiskFile, RealDisk};
pub use failure::Failure;
pub use key_wrap::{
    AgeIdentities, AgeRecipients, CommandKms, KeyOf, KeysFile, KeysFileError, Readers, UnwrapKey,
    WrapError, WrapKey, Wrapped, unwrap_keys,
};
pub use live::{Follow, Live};
pub use notes::{Note, NoteError};
pub use recorder::{OpenError, Recorder, RecorderConfig, SettleError, StartError, random};
pub use recording::{RecordError, Recording, SealError, Sealed};
pub use recordings::{Condition, FetchError, Listed, RecordingSource, Recordings};
pub use recovery::{Found, Loss, Recovered};
pub use retention::{Deleting, Deletion, Hold, RetentionError, Tombstone};
pub use session::Position;
pub use space::{Space, SpaceLevel, Watermarks};
pub use work::NotSealed;
