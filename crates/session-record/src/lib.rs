//! What a privileged session did, as events, and the container that holds them.
//!
//! `docs/design/session-recording.md` argues the format. Values and bytes only: randomness, keys and time are
//! given, and nothing here touches a file.

mod event;
mod opening;

pub use event::{Compartment, Event, Record, Stream};
pub use opening::{Access, Client, Durability, Ending, Opening, SessionId, User};
