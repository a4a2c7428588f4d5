//! A command line, and where it is from.

use session_record::Opening;

/// Where a command line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The session's own arguments: exact.
    Arguments,
    /// What the screen showed when the line was entered.
    Screen,
    /// As [`Self::Screen`], and the shell marked where its prompt ends (OSC 133).
    Marked,
    /// What a program that has the whole screen showed, such as a terminal multiplexer: less sure.
    FullScreen,
    /// A line of standard input that was no terminal: exact, and needs the input's key.
    Input,
    /// Something was typed that the screen did not show, such as a password. Its text is not said, known or not.
    Hidden,
}

/// Whether the keys, where they can be read, make the line that the screen showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeysSay {
    /// Keys are not readable, or only the line editor knows what they did.
    Nothing,
    Same,
    /// The screen showed another line than was typed: the program changes what is typed, or somebody misleads.
    Different,
}

/// A line that somebody entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// When it was entered.
    pub at_us: u64,
    /// When its first key was typed.
    pub begun_us: u64,
    /// With line ends where it has several lines.
    pub text: String,
    /// What stood before it; a shell's prompt, or what a program asked.
    pub prompt: String,
    pub source: Source,
    pub keys_say: KeysSay,
}

impl Source {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Arguments => "argv",
            Self::Screen => "screen",
            Self::Marked => "marked",
            Self::FullScreen => "full-screen",
            Self::Input => "input",
            Self::Hidden => "hidden",
        }
    }
}

impl KeysSay {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Same => "same",
            Self::Different => "different",
        }
    }
}

/// Programs that read commands on standard input.
const READERS: &[&str] = &[
    "ash",
    "bash",
    "busybox",
    "dash",
    "fish",
    "ksh",
    "mongosh",
    "mysql",
    "perl",
    "psql",
    "python",
    "python3",
    "redis-cli",
    "ruby",
    "sh",
    "sqlite3",
    "zsh",
];

/// Whether what is sent to standard input is commands, as far as the arguments say.
pub(crate) fn reads_commands(opening: &Opening) -> bool {
    let program = opening.access.command.first();
    program.is_some_and(|program| READERS.contains(&program.rsplit('/').next().unwrap_or(program)))
}

/// Arguments as a shell would need them, so that their borders show.
#[must_use]
pub fn quoted(arguments: &[String]) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "@%+=:,./-_".contains(letter);
    let word = |argument: &String| {
        if !argument.is_empty() && argument.chars().all(is_plain) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    };
    arguments.iter().map(word).collect::<Vec<_>>().join(" ")
}
