//! What a privileged session did, as events, and the container that holds them.
//!
//! `docs/design/session-recording.md` argues the format and `docs/formats/recording.md` lays it out. A [`Writer`] turns
//! events into bytes that are only ever appended; a [`Reader`] turns them back, with the keys that it has.
//!
//! **Invariants.** What is read was authenticated before it is given out. Of whatever bytes, a reader makes steps or a
//! typed error, and allocates no more than the stated limits. A number is used once as nonce of a cipher. Input is
//! encrypted with a key that opens nothing else.
//!
//! **Absent.** Values and bytes only: randomness, keys and time are given, and nothing here touches a file. Nobody's
//! keys are wrapped here; that is `session-store`'s.

mod beginning;
mod block;
mod chunk;
mod continuation;
mod durability;
mod error;
mod event;
mod header;
mod index;
mod keys;
mod opening;
mod opening_code;
mod pack;
mod plain;
mod raw;
mod reader;
mod record_code;
mod report;
mod scan;
mod seal;
mod source;
mod verify;
mod window;
mod wire;
mod writer;

pub use chunk::{Chunk, ChunkKind, Head, MAX_SECTION_BYTES, Progress};
pub use continuation::{Continuation, Continued};
pub use error::{Break, ReadError};
pub use event::{Compartment, Event, Record, Stream};
pub use header::{Digest, FORMAT_VERSION, Header, HeaderError, MAX_HEADER_BODY_BYTES, WrongKey};
pub use keys::{CipherRefused, ContentKey, KeyPair, Keys};
pub use opening::{Access, Client, Durability, Ending, NotASessionId, Opening, SessionId, User};
pub use pack::{PackError, Packing, Sink, pack};
pub use reader::Reader;
pub use record_code::{Step, payload_bytes};
pub use report::{Contradiction, Fault, Proven, Report, Unproven, Verdict};
pub use scan::{KeylessEnd, Scan};
pub use seal::{MAX_SEAL_BODY_BYTES, PackedSeal, SEAL_RESERVE_BYTES, Seal, State, Torn, Totals};
pub use source::{Source, SourceError};
pub use verify::{Anchors, verify};
pub use wire::Malformed;
pub use writer::{BeginError, CHUNK_BYTES, Ended, MAX_EVENT_BYTES, WriteError, Writer};
