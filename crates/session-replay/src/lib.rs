//! What a recording shows: screens, command lines, files and text.
//!
//! Steps of a recording go in, in their order; what a person wants to see of them comes out. Nothing of a recording is
//! trusted: it was written by whoever had the session.
//!
//! * [`Screen`]: what the terminal showed, by the terminal model of `avt`. [`Painter`] shows it again in any terminal,
//!   from cells and not from what was sent, so that no escape sequence of a recording reaches the reader's terminal.
//! * [`Story`]: command lines with where they are from, sizes, ports, files, in one pass.
//! * [`FileList`]: what `kubectl cp` carried, by name, size and digest. Nothing is extracted here.
//! * [`Transcript`]: the lines that were shown, for searching.
//!
//! **Invariants.** Memory is bounded by the screen and by stated limits, whatever is fed. A command line is never taken
//! from keystrokes: what was typed and not shown, such as a password, is known by its moment only. Deliberately
//! absent: keys, files, formats.

mod command_lines;
mod files;
mod paint;
mod screen;
mod story;
mod text;
mod transcript;

pub use command_lines::{CommandLine, CommandLines, Source};
pub use files::{Direction, FileEntry, FileList, FileWarning};
pub use paint::Painter;
pub use screen::Screen;
pub use story::{Moment, MomentKind, Port, Story};
pub use text::{TextDecoder, is_hidden};
pub use transcript::{Line, Transcript};
