//! The step that every command about manifests begins with: paths in, a snapshot out.

use crate::ExpectedError;
use crate::arguments::{InputArgs, ReadingArgs};
use crate::progress::Progress;
use crate::terminal::Console;
use finding_model::{Finding, Severity};
use kube_import::{Imported, Input, Options};
use report_formats::findings::{Counts, text};
use report_formats::{Role, counted, visible};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Reads the manifests, shows what is wrong with them on standard error, and goes on only where the
/// answer can be right: without errors, or with what has them left out and said.
pub fn load(args: &InputArgs, console: &mut Console) -> Result<Imported, ExpectedError> {
    let imported = read(&args.paths, &args.reading, console)?;
    show((&imported, &[]), &args.reading, console)?;
    Ok(imported)
}

/// Shows what is wrong on standard error, and is an error where no answer may be given. What was shown
/// before is left away.
pub(crate) fn show(
    (imported, shown_before): (&Imported, &[Finding]),
    reading: &ReadingArgs,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let least = if console.verbose { Severity::Info } else { Severity::Warning };
    let is_new = |finding: &&Finding| finding.severity >= least && !shown_before.contains(finding);
    let shown: Vec<Finding> = imported.findings.iter().filter(is_new).cloned().collect();
    let palette = console.err_palette;
    text::write_findings(&mut console.err, &shown, &imported.files, palette)?;
    if imported.must_stop(&options(reading)) {
        return Err(ExpectedError::InputHasErrors(Counts::of(&imported.findings)));
    }
    write_caveat(imported, console)?;
    Ok(())
}

/// Reads the manifests and shows nothing of what is wrong with them.
pub(crate) fn read(
    paths: &[PathBuf],
    reading: &ReadingArgs,
    console: &mut Console,
) -> Result<Imported, ExpectedError> {
    let imported = read_inputs(&inputs(paths)?, reading, console)?;
    // A folder that was misspelt must not pass for one without mistakes.
    if imported.n_objects == 0 && !imported.has_errors() {
        let paths = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(ExpectedError::NothingRead { paths });
    }
    Ok(imported)
}

/// Reads what was read before once more, together with other paths. Files keep their ids, because they
/// come first, and standard input is not read twice.
pub(crate) fn read_beside(
    (paths, before): (&[PathBuf], &Imported),
    more: &[PathBuf],
    reading: &ReadingArgs,
    console: &mut Console,
) -> Result<Imported, ExpectedError> {
    let mut all = inputs(paths)?;
    for input in all.iter_mut().filter(|input| **input == Input::Stdin) {
        let stdin = before.files.texts().find(|(file, _)| before.files.name(*file) == "-");
        let text = stdin.map(|(_, text)| text.to_owned()).unwrap_or_default();
        *input = Input::Text { name: "-".to_owned(), text };
    }
    all.extend(more.iter().cloned().map(Input::Path));
    read_inputs(&all, reading, console)
}

fn read_inputs(
    inputs: &[Input],
    reading: &ReadingArgs,
    console: &mut Console,
) -> Result<Imported, ExpectedError> {
    let progress = Progress::start(console, "reading manifests");
    let imported = kube_import::import(inputs, &options(reading))?;
    drop(progress);
    if console.verbose {
        write_summary(&imported, &mut console.err)?;
    }
    Ok(imported)
}

pub(crate) fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, ExpectedError> {
    let is_stdin = |path: &Path| path == Path::new("-");
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(ExpectedError::Usage("standard input `-` can be read only once".to_owned()));
    }
    let input = |path: &PathBuf| {
        if is_stdin(path) { Input::Stdin } else { Input::Path(path.clone()) }
    };
    Ok(paths.iter().map(input).collect())
}

pub(crate) fn options(reading: &ReadingArgs) -> Options {
    let ReadingArgs { keep_going, max_file_size } = *reading;
    let defaults = Options::default();
    Options {
        keep_going,
        max_file_bytes: max_file_size.unwrap_or(defaults.max_file_bytes),
        ..defaults
    }
}

/// Says that something was left out, if it was.
pub(crate) fn write_caveat(imported: &Imported, console: &mut Console) -> io::Result<()> {
    let left_out = &imported.snapshot.left_out;
    if left_out.is_empty() {
        return Ok(());
    }
    let label = console.err_palette.paint(Role::Warning, "warning");
    let objects: Vec<_> = left_out.iter().map(|left_out| visible(&left_out.object)).collect();
    writeln!(
        console.err,
        "{label}: left out because of errors: {}; answers that could depend on it say so",
        objects.join(", ")
    )
}

fn write_summary(imported: &Imported, err: &mut dyn Write) -> io::Result<()> {
    let n_files = imported.files.names().count();
    let n_objects = counted(imported.n_objects, "object");
    writeln!(err, "read {n_objects} from {}", counted(n_files, "file"))?;
    if imported.n_terminated > 0 {
        let pods = counted(imported.n_terminated, "pod");
        writeln!(err, "not considered, because terminated: {pods}")?;
    }
    if !imported.other_kinds.is_empty() {
        let kind = |(kind, count): (&String, &usize)| format!("{} {count}", visible(kind));
        let kinds: Vec<String> = imported.other_kinds.iter().map(kind).collect();
        writeln!(err, "not considered, because of other kinds: {}", kinds.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_is_read_once() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(matches!(
            inputs(&paths(&["a", "-"])).as_deref(),
            Ok([Input::Path(_), Input::Stdin])
        ));
        assert!(matches!(inputs(&paths(&["-", "-"])), Err(ExpectedError::Usage(_))));
    }
}
