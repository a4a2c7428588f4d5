//! The API server's audit log: which privileged calls it has, and which times it can speak of.
//!
//! Logs are larger than memory, in several files, compressed, and cut by crashes and rotation. They are read line by line,
//! once. What is kept is a [`Call`] for each privileged request, and [`Known`]: the times for which the log has something
//! to say. What cannot be read is reported, because any line could be the one that matters.

mod call;
mod event;
mod fault;
mod files;
mod known;
mod lines;
mod log;
mod place;
mod pods;
mod policy;
mod time;

pub use call::{Call, Outcome, Person};
pub use fault::Fault;
pub use files::{LogFile, LogFileError, log_files};
pub use known::{Known, Span};
pub use log::{AuditLog, Component, Limits, LogReader};
pub use place::Place;
pub use pods::BroughtPods;
pub use policy::{AuditPolicy, AuditPolicyError, Blindness};
pub(crate) use time::moment;
