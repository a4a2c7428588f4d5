//! What clients and runtimes say on the wire of a privileged session.
//!
//! ```text
//! peer's messages or bytes ──> Codec::receive ──> Codec::next_event   ──> recorded, passed on
//!   to the peer            <── Codec::next_output <── Codec::send(event)
//! ```
//!
//! A [`Codec`] is one side of a session, in one protocol and in one role: towards the client it is the server, towards
//! the API server the client. Both sides speak [`session_record::Event`], so any protocol can be on either side.
//! `docs/design/session-protocols.md` says what is accepted and what is not. **Invariants.** Bytes of the peer are
//! hostile: whatever they are, a codec gives events, or a [`Violation`], and its memory stays bounded; after a violation
//! it is not used again. Bytes of a stream are never changed, dropped or put into another order. A codec for the client
//! never says something that the client did not ask for. Deliberately absent: sockets, WebSocket's own framing, HTTP.

mod channels;
mod codec;
mod forward_channels;
mod forward_streams;
mod queue;
mod spdy;
mod status;
mod streams;
mod terminal;
mod violation;

pub use codec::{Asked, Codec, Input, Output, Role, Version};
pub use status::{Status, exit_code};
pub use violation::Violation;
