//! Colours, by what they mean. The same meaning has the same colour in every report.

use anstyle::{AnsiColor, Style};

/// What a piece of text means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Error,
    Warning,
    Info,
    Allow,
    Deny,
    Undefined,
    /// The words to read first.
    Strong,
    /// Places and counts: there when looked for.
    Faint,
}

/// Whether the reader's terminal shows colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    #[default]
    Plain,
    Ansi,
}

impl Palette {
    /// `text` in the colour of its role. The text must already be fit to show.
    pub fn paint(self, role: Role, text: &str) -> String {
        let style = match self {
            Self::Plain => Style::new(),
            Self::Ansi => role.style(),
        };
        format!("{style}{text}{style:#}")
    }
}

impl Role {
    fn style(self) -> Style {
        match self {
            Self::Error | Self::Deny => AnsiColor::Red.on_default().bold(),
            Self::Warning | Self::Undefined => AnsiColor::Yellow.on_default().bold(),
            Self::Info => AnsiColor::Cyan.on_default().bold(),
            Self::Allow => AnsiColor::Green.on_default().bold(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_plain() {
        assert_eq!(Palette::Plain.paint(Role::Deny, "deny"), "deny");
        assert_eq!(Palette::Ansi.paint(Role::Deny, "deny"), "\u{1b}[1m\u{1b}[31mdeny\u{1b}[0m");
    }
}
