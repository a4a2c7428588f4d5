//! `weir sessions` with the real binary, on recordings that are made here: what each command prints of an ordinary
//! shell, of what is hostile in every place, and of what is missing or was changed.
#![expect(clippy::unwrap_used, reason = "a test")]

mod altered;
mod hostile;
mod play;
mod read;
mod world;
