//! What a recording shows: screens, command lines, files and text.
//!
//! Steps of a recording go in, in their order; what a person wants to see of them comes out. Nothing of a recording is
//! trusted: it was written by whoever had the session.
//!
//! * [`Screen`]: what the terminal showed, by the terminal model of `avt`. [`Painter`] shows it again in any terminal,
//!   from cells and not from what was sent, so that no escape sequence of a recording reaches the reader's terminal.
//!   [`SafeStream`] passes on, for players that have a model of their own, what such a model does and nothing else.
//! * [`Story`]: command lines with where they are from, sizes, ports, files, in one pass; and [`Keyframes`], from which
//!   a player goes to any moment without beginning at the beginning.
//! * [`FileList`]: what `kubectl cp` carried, by name, size and digest. Nothing is extracted here.
//! * [`Transcript`]: the lines that were shown, for searching.
//!
//! **Invariants.** Memory is bounded by the screen and by stated limits, and work by what is fed. A command line is
//! never taken from keystrokes: what was typed and not shown, such as a password, is known by its moment only.
//! Deliberately absent: keys, files, formats.

mod budget;
mod command_line;
mod command_lines;
mod entered;
mod files;
mod full_screen;
mod interpreter;
mod keyframe;
mod keys;
mod lines;
mod paint;
mod prompts;
mod screen;
mod sequences;
mod story;
mod tar_header;
mod text;
mod transcript;

pub use command_line::{CommandLine, KeysSay, Source, quoted};
pub use files::{Direction, FileEntry, FileList, FilePart, FileWarning};
pub use interpreter::Oddity;
pub use keyframe::Keyframes;
pub use paint::Painter;
pub use screen::{LineEnds, Screen};
pub use sequences::SafeStream;
pub use story::{Moment, MomentKind, Port, Story};
pub use text::{TextDecoder, is_hidden};
pub use transcript::{Line, Transcript};
