//! Where output goes, and whether a person is looking at it.

use report_formats::Palette;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorArgument {
    /// On a terminal, unless `NO_COLOR` is set; everywhere with `CLICOLOR_FORCE=1`.
    #[default]
    Auto,
    Always,
    Never,
}

/// The two streams of the process. Standard output is buffered; `finish` flushes it.
pub struct Console {
    pub out: Box<dyn Write>,
    pub err: Box<dyn Write>,
    pub out_palette: Palette,
    pub err_palette: Palette,
    /// Whether a person sees standard error, and a progress line does not end up in a file.
    pub shows_progress: bool,
    pub verbose: bool,
}

impl Console {
    pub(crate) fn of_process(color: ColorArgument, verbose: bool) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let (out_is_terminal, err_is_terminal) =
            (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            out: Box::new(BufWriter::with_capacity(64 * 1024, io::stdout())),
            err: Box::new(io::stderr()),
            out_palette: palette(color, &variable, out_is_terminal),
            err_palette: palette(color, &variable, err_is_terminal),
            shows_progress: err_is_terminal && !is_dumb(&variable),
            verbose,
        }
    }
}

/// Streams have nothing to show.
impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out: _, err: _, out_palette, err_palette, shows_progress, verbose } = self;
        f.debug_struct("Console")
            .field("out_palette", out_palette)
            .field("err_palette", err_palette)
            .field("shows_progress", shows_progress)
            .field("verbose", verbose)
            .finish_non_exhaustive()
    }
}

type Variable<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// The order of no-color.org and of bixense.com/clicolors: a refusal wins over a demand.
fn palette(color: ColorArgument, variable: &Variable<'_>, is_terminal: bool) -> Palette {
    let is = |name, value: &str| variable(name).is_some_and(|found| found == value);
    let coloured = match color {
        ColorArgument::Always => true,
        ColorArgument::Never => false,
        ColorArgument::Auto if variable("NO_COLOR").is_some() => false,
        ColorArgument::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorArgument::Auto => is_terminal && !is("CLICOLOR", "0") && !is_dumb(variable),
    };
    if coloured { Palette::Ansi } else { Palette::Plain }
}

fn is_dumb(variable: &Variable<'_>) -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(variables: &[(&str, &str)], is_terminal: bool) -> Palette {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        palette(ColorArgument::Auto, &variable, is_terminal)
    }

    #[test]
    fn a_terminal_has_colour_and_a_pipe_has_none() {
        assert_eq!(auto(&[("TERM", "xterm")], true), Palette::Ansi);
        assert_eq!(auto(&[("TERM", "xterm")], false), Palette::Plain);
        assert_eq!(auto(&[("TERM", "dumb")], true), Palette::Plain);
        assert_eq!(auto(&[("CLICOLOR", "0")], true), Palette::Plain);
    }

    #[test]
    fn variables_refuse_and_demand() {
        assert_eq!(auto(&[("NO_COLOR", "1")], true), Palette::Plain);
        assert_eq!(auto(&[("CLICOLOR_FORCE", "1")], false), Palette::Ansi);
        assert_eq!(auto(&[("CLICOLOR_FORCE", "0")], false), Palette::Plain);
        assert_eq!(auto(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true), Palette::Plain);
    }

    #[test]
    fn the_argument_wins() {
        let no_color = |name: &str| (name == "NO_COLOR").then(|| "1".into());
        assert_eq!(palette(ColorArgument::Always, &no_color, false), Palette::Ansi);
        assert_eq!(palette(ColorArgument::Never, &no_color, true), Palette::Plain);
    }
}
