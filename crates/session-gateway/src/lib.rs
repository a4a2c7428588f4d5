//! The server in front of API servers that records privileged access.
mod body;
mod caller;
mod chain;
pub mod config;
mod dispatch;
mod gateway;
mod headers;
mod identify;
mod impersonate;
mod listener;
mod pem;
mod plain;
mod reply;
mod route;
mod upstream;

pub use gateway::{Running, StartError, start};
pub use listener::ListenError;
pub use pem::PemError;
pub use upstream::UpstreamConfigError;
