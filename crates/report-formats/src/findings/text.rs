//! Findings for people: the source line, underlined, and what to do about it.

use super::FindingReport;
use crate::{Palette, Role, counted, is_hidden, visible, visible_lines};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use finding_model::{Finding, Fix, Related, Severity, SourceFiles, SourceSpan};
use std::io::{self, Write};
use std::ops::Range;

/// A longer source line is named, not shown: it is generated, and would fill the screen.
const LONGEST_SHOWN_LINE_BYTES: usize = 4_000;

/// Writes every finding and a summary line.
pub fn write(out: &mut dyn Write, report: &FindingReport<'_>, palette: Palette) -> io::Result<()> {
    write_findings(out, report.findings, report.files, palette)?;
    write_summary(out, report, palette)
}

/// Writes every finding, with an empty line after each.
pub fn write_findings(
    out: &mut dyn Write,
    findings: &[Finding],
    files: &SourceFiles,
    palette: Palette,
) -> io::Result<()> {
    let renderer = match palette {
        Palette::Plain => Renderer::plain(),
        Palette::Ansi => Renderer::styled(),
    };
    for finding in findings {
        writeln!(out, "{}\n", renderer.render(&groups(finding, files)))?;
    }
    Ok(())
}

fn write_summary(
    out: &mut dyn Write,
    report: &FindingReport<'_>,
    palette: Palette,
) -> io::Result<()> {
    let counts = report.counts();
    let role = match counts {
        super::Counts { errors: 1.., .. } => Role::Error,
        super::Counts { warnings: 1.., .. } => Role::Warning,
        super::Counts { errors: 0, warnings: 0, .. } => Role::Strong,
    };
    let files = counted(report.files.names().count(), "file");
    let summary = palette.paint(role, &counts.to_string());
    writeln!(out, "{summary} in {files} (profile {})", visible(report.profile))
}

/// Other places that are shown with a finding; one more is shown rather than counted.
const SHOWN_RELATED: usize = 4;

fn groups<'a>(finding: &'a Finding, files: &'a SourceFiles) -> Vec<Group<'a>> {
    let Finding { code, severity, span, object, message, why, witness, help, fix, related } =
        finding;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let mut main = level
        .primary_title(visible(message))
        .id(code.0)
        .elements(span.map(|span| place(span, AnnotationKind::Primary, files)));
    let notes = [("in", object), ("why", why), ("example", witness)];
    for (name, text) in notes {
        main = main.elements(text.as_deref().map(|text| note(name, text)));
    }
    if !help.is_empty() {
        main = main.element(note("help", help));
    }
    main = main.elements(fix.as_ref().map(fix_note));
    let n_more = related.len().saturating_sub(SHOWN_RELATED + 1);
    let n_shown = if n_more > 0 { SHOWN_RELATED } else { related.len() };
    let shown = related.iter().take(n_shown).map(|related| related_group(related, files));
    let rest = (n_more > 0).then(|| {
        let text = format!("and {} more places, which -o json lists", related.len() - n_shown);
        Level::NOTE.secondary_title(text).elements(std::iter::empty::<Element<'_>>())
    });
    std::iter::once(main).chain(shown).chain(rest).collect()
}

fn related_group<'a>(related: &'a Related, files: &'a SourceFiles) -> Group<'a> {
    let Related { span, message } = related;
    Level::NOTE
        .secondary_title(visible(message))
        .elements(span.map(|span| place(span, AnnotationKind::Context, files)))
}

fn note<'a>(name: &'a str, text: &'a str) -> Element<'a> {
    Level::NOTE.with_name(name).message(visible(text)).into()
}

fn fix_note(fix: &Fix) -> Element<'_> {
    let Fix { summary, patch } = fix;
    let mut text = visible(summary).into_owned();
    for line in patch.iter().flat_map(|patch| patch.lines()) {
        text.push_str("\n  ");
        text.push_str(&visible_lines(line));
    }
    Level::HELP.with_name("fix").message(text).into()
}

/// The source line with its underline, or only the place where the line is not at hand.
fn place<'a>(span: SourceSpan, kind: AnnotationKind, files: &'a SourceFiles) -> Element<'a> {
    let path = visible(files.name(span.file));
    match files.line(span.file, span.line) {
        Some(line) if line.len() <= LONGEST_SHOWN_LINE_BYTES => {
            let line = replace_hidden(line);
            let underlined = underlined(&line, span);
            Snippet::source(line)
                .path(path)
                .line_start(span.line as usize)
                .annotation(kind.span(underlined))
                .into()
        }
        Some(_) | None => {
            let column = span.column as usize;
            Origin::path(path).line(span.line as usize).char_column(column).into()
        }
    }
}

/// One character for one, so that columns stay true; tabs are kept and drawn as spaces.
fn replace_hidden(line: &str) -> String {
    let shown = |c| if is_hidden(c) && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    line.chars().map(shown).collect()
}

/// The bytes of `line` that the span covers; the end of the line where the span is beyond it.
fn underlined(line: &str, span: SourceSpan) -> Range<usize> {
    let byte_of = |character: u32| {
        line.char_indices().nth(character as usize).map_or(line.len(), |(byte, _)| byte)
    };
    let first = span.column.saturating_sub(1);
    byte_of(first)..byte_of(first.saturating_add(span.length))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, hostile, ordinary, report, shown, span};
    use super::*;
    use expect_test::expect;
    use finding_model::Code;

    fn text(findings: &[Finding], files: &SourceFiles) -> String {
        shown(|out| write(out, &report(findings, files), Palette::Plain))
    }

    #[test]
    fn a_few_other_places_are_shown_and_the_rest_is_counted() {
        let of = |n: usize| {
            let finding = Finding::new(Code("half-open"), Severity::Warning, "x", "");
            (1..=n).fold(finding, |finding, n| finding.related_to(None, format!("place {n}")))
        };
        let notes = |n| {
            let all = text(&[of(n)], &SourceFiles::default());
            all.lines().filter_map(|line| Some(line.strip_prefix("note: ")?.to_owned())).collect()
        };
        let five: Vec<String> = notes(5);
        assert_eq!(five, ["place 1", "place 2", "place 3", "place 4", "place 5"]);
        let seven: Vec<String> = notes(7);
        let rest = "and 3 more places, which -o json lists";
        assert_eq!(seven, ["place 1", "place 2", "place 3", "place 4", rest]);
    }

    #[test]
    fn shows_the_line_and_what_to_do() {
        let (findings, files) = ordinary();
        expect![[r#"
            error[unknown-field]: unknown field `form` in an ingress rule
              --> shop/web.yaml:14:6
               |
            14 |       - form: # größe 日本
               |         ^^^^
               |
               = in: NetworkPolicy shop/web
               = why: without `from` the rule admits every source
               = example: 0.0.0.0 → shop/web 80/tcp
               = help: did you mean `from`?
               = fix: write `from`
                          - from:
                            - a
            note: the policy
              --> shop/web.yaml:3:12
               |
             3 |   name: 日本 web
               |              ---
            note: every namespace

            warning[yaml-11]: `y` is text
            --> shop/web.yaml:99:2
             = help: quote it

            info[no-dns]: no DNS
             |
             = help: allow 53/udp

            1 error, 1 warning, 1 info in 1 file (profile upstream)
        "#]]
        .assert_eq(&text(&findings, &files));
    }

    #[test]
    fn hostile_text_is_spelled_out() {
        let (findings, files) = hostile();
        expect![[r#"
            error[unknown-field]: x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
             --> a b/../x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}:1:2
              |
            1 | x�[2J�|`<b>������](http://h)@me{0}
              |  ^^^
              |
              = in: x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
              = why: x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
              = example: x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
              = help: x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
              = fix: x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
                       ```
                       x\u{1b}[2J\u{202e}|`<b>
                       \r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
            note: x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}
             --> a b/../x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}:1:35
              |
            1 | x�[2J�|`<b>������](http://h)@me{0}
              |                                   -

            1 error in 1 file (profile upstream)
        "#]].assert_eq(&text(&findings, &files));
    }

    #[test]
    fn colour_is_the_only_escape_and_only_where_asked() {
        let (findings, files) = hostile();
        let mut bytes = Vec::new();
        write(&mut bytes, &report(&findings, &files), Palette::Ansi).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("\u{1b}[1m\u{1b}[91merror"), "{text:?}");
        assert!(!text.contains("\u{1b}[2J"));
    }

    #[test]
    fn a_span_outside_its_line_points_at_the_end() {
        let mut files = SourceFiles::default();
        let file = files.add("a.yaml".into());
        files.keep_line(file, 1, "a: 日");
        files.keep_line(file, 2, "");
        let finding = |line, column, length| {
            Finding::new(Code("c"), Severity::Info, "m", "").at(span(file, line, column, length))
        };
        let findings =
            [finding(1, 9, 1), finding(1, 4, u32::MAX), finding(2, 1, 1), finding(1, 0, 0)];
        expect![[r#"
            info[c]: m
             --> a.yaml:1:5
              |
            1 | a: 日
              |      ^

            info[c]: m
             --> a.yaml:1:4
              |
            1 | a: 日
              |    ^^

            info[c]: m
             --> a.yaml:2:1
              |
            2 |
              | ^

            info[c]: m
             --> a.yaml:1:1
              |
            1 | a: 日
              | ^

            4 info in 1 file (profile upstream)
        "#]]
        .assert_eq(&text(&findings, &files));
    }

    #[test]
    fn an_endless_line_is_named_but_not_shown() {
        let mut files = SourceFiles::default();
        let file = files.add("a.json".into());
        files.keep_line(file, 1, &HOSTILE.repeat(1000));
        let finding =
            Finding::new(Code("c"), Severity::Info, "m", "h").at(span(file, 1, 20_000, 3));
        expect![[r#"
            info[c]: m
            --> a.json:1:20000
             = help: h

            1 info in 1 file (profile upstream)
        "#]]
        .assert_eq(&text(&[finding], &files));
    }
}
