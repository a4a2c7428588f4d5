//! A recording as asciicast, text, JSON and pcapng.
//!
//! An [`Export`] gets the steps of a recording in their order and writes as it goes, so that a recording of gigabytes
//! takes no memory. `docs/formats/session-export.md` is the reference. **Invariants.** What was typed is written only
//! where the caller gave steps that hold it and asked for it. Text for people holds no control character of the
//! recording. No name of a recording becomes a name on disk ([`Extraction`]). Deliberately absent: keys, the screen
//! (`session-replay`).

mod asciicast;
mod export;
mod extract;
mod json;
mod pcapng;
mod plain;

pub use export::{Export, Format, Input};
pub use extract::{ExtractError, Extraction, file_json, hex};
pub use json::{ending_text, moment, opening_json, step_json};
