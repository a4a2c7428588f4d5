//! Recorded sessions over HTTP, and the page that plays them. `docs/sessions-api.md` is the reference,
//! `docs/design/session-api.md` argues it.
//!
//! ```text
//! request ─> guard (headers, other sites) ─> who ─> which session, which permissions ─> ledger entry ─> answer
//! ```
//!
//! **Invariants.** A session that a caller may not list does not exist for it. Whatever shows content or changes
//! something is in the ledger before the answer begins; where the ledger takes no entry there is no answer. What was
//! typed is opened only for who may see it. Everything that a request can make the server do is bounded: what is read
//! for one answer, how much is read at once, how many watch, how large an answer and a body may be. Whoever watches a
//! session reads its file and cannot slow it.
//!
//! **Absent.** Connections, TLS and the check of proofs: whoever serves puts a [`Caller`] into each request. Sessions
//! that go on are asked through [`Going`]. What a recording shows: `session-replay`; how it is written for others:
//! `session-formats`.

mod answer;
mod caller;
mod guard;
mod page;

mod catalog;
mod filter;
mod going;
mod index;
mod known;

mod api;
mod reading;

mod acts;
mod detail;
mod list;
mod live;
mod proof;
mod search;
mod stream;
mod watching;

pub use api::{Api, ApiConfig};
pub use caller::{Caller, Unproven};
pub use going::{Going, NotDone, Phase};
