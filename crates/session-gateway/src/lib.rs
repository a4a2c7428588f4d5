//! The server in front of API servers that records privileged access.
//!
//! ```text
//! listener ─> dispatch ─> identify ─> classify ─┬─> plain ── activity                        (the cluster's RBAC decides)
//!                                               ├─> calls   ─┐
//!                                               └─> streams ─┴> authorise::admit ─> Begun ─> upstream
//! ```
//!
//! `docs/design/gateway.md` argues it. **Invariants.** There is no way from a privileged request to the cluster but
//! through `session::Begun`, which exists once the recording's header and the ledger's entry are on disk. What is
//! forwarded was recorded first. Whatever fails ends the session, and its person is told why. Nothing of a client's
//! proof reaches a cluster, a log or a recording. Deliberately absent: what a protocol's bytes mean (`session-proto`),
//! how recordings and entries are written (`session-store`, `ledger-store`), who may watch and
//! what is answered on the console's address (`session-api`).

mod activity;
mod admin;
mod authorise;
mod body;
mod call_record;
mod caller;
mod calls;
mod chain;
mod clock;
pub mod config;
mod console;
mod dial;
mod dispatch;
mod evidence;
mod gateway;
mod headers;
mod heads;
mod identify;
mod impersonate;
mod in_ledger;
mod leg;
mod listener;
mod metrics;
mod pem;
mod places;
mod plain;
mod protocols;
mod pump;
mod registry;
mod reply;
mod route;
mod serve;
mod session;
mod streams;
mod transport;
mod upgrade;
mod upkeep;
mod upstream;

pub use config::Config;
pub use console::{NotProven, Visitor};
pub use gateway::{Running, StartError, start, start_on};
pub use identify::IssuerError;
pub use listener::ListenError;
pub use pem::PemError;
pub use registry::{AskError, LiveSession, Phase, Registry};
pub use serve::{ServeError, serve, serve_with};
pub use upstream::UpstreamConfigError;
