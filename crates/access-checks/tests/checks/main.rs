//! Callers' proofs before a real OpenID Connect provider, and questions to a server that answers as an API server, or
//! fails as one.
#![cfg(test)]
#![expect(clippy::format_push_string, reason = "a line of a table is no hot path")]

mod api_server;
mod keys;
mod pod_bodies;
mod service_accounts;
mod tokens;

mod server;
mod world;
