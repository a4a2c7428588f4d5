//! Text, colours and JSON that do nothing to whoever reads them: what all formats for people share.
//!
//! Names, paths and labels come from people who may be hostile to the reader. [`visible()`] spells out what
//! hides or reorders text, [`json`] does the same inside of JSON strings, and a [`Palette`] is the only
//! source of escape sequences. **Invariant.** What was made visible holds no control character.
//! Deliberately absent: what is written, and where to.

pub mod json;
mod palette;
mod visible;

pub use palette::{Palette, Role};
pub use visible::{is_hidden, visible, visible_lines};
