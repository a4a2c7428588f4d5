//! Findings for a comment on a pull request: a table, and below it each finding in full.

use super::FindingReport;
use crate::markdown::{code, fenced, inline};
use finding_model::Finding;
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &FindingReport<'_>) -> io::Result<()> {
    writeln!(out, "### weir lint: {} (profile {})", report.counts(), inline(report.profile))?;
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| Severity | Code | Where | What |\n|---|---|---|---|")?;
    for finding in report.findings {
        let Finding { code: finding_code, severity, message, .. } = finding;
        let place = finding.span.map_or_else(String::new, |span| code(&report.files.place(span)));
        writeln!(out, "| {severity} | {} | {place} | {} |", code(finding_code.0), inline(message))?;
    }
    for finding in report.findings {
        write_details(out, report, finding)?;
    }
    Ok(())
}

fn write_details(
    out: &mut dyn Write,
    report: &FindingReport<'_>,
    finding: &Finding,
) -> io::Result<()> {
    let Finding { code: name, severity, span, object, message, why, witness, help, fix, related } =
        finding;
    writeln!(
        out,
        "\n<details><summary>{severity} {}: {}</summary>\n",
        code(name.0),
        inline(message)
    )?;
    if let Some(span) = span {
        writeln!(out, "- **where** {}", code(&report.files.place(*span)))?;
    }
    let notes = [("in", object.as_deref()), ("why", why.as_deref())];
    let notes =
        notes.into_iter().chain([("example", witness.as_deref()), ("help", Some(help.as_str()))]);
    for (title, text) in notes.filter_map(|(title, text)| Some((title, text?))) {
        writeln!(out, "- **{title}** {}", inline(text))?;
    }
    for related in related {
        let place = related.span.map(|span| code(&report.files.place(span)) + " ");
        writeln!(out, "- **see** {}{}", place.unwrap_or_default(), inline(&related.message))?;
    }
    if let Some(fix) = fix {
        writeln!(out, "- **fix** {}", inline(&fix.summary))?;
        if let Some(patch) = &fix.patch {
            write!(out, "\n{}", fenced("yaml", patch))?;
        }
    }
    writeln!(out, "\n</details>")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{hostile, ordinary, report, shown};
    use super::*;
    use expect_test::expect;
    use finding_model::SourceFiles;

    #[test]
    fn a_table_and_the_details() {
        let (findings, files) = ordinary();
        expect![[r#"
            ### weir lint: 1 error, 1 warning, 1 info (profile upstream)

            | Severity | Code | Where | What |
            |---|---|---|---|
            | error | <code>unknown-field</code> | <code>shop/web.yaml:14:6</code> | unknown field <code>form</code> in an ingress rule |
            | warning | <code>yaml-11</code> | <code>shop/web.yaml:99:2</code> | <code>y</code> is text |
            | info | <code>no-dns</code> |  | no DNS |

            <details><summary>error <code>unknown-field</code>: unknown field <code>form</code> in an ingress rule</summary>

            - **where** <code>shop/web.yaml:14:6</code>
            - **in** NetworkPolicy shop/web
            - **why** without <code>from</code> the rule admits every source
            - **example** 0.0.0.0 → shop/web 80/tcp
            - **help** did you mean <code>from</code>?
            - **see** <code>shop/web.yaml:3:12</code> the policy
            - **see** every namespace
            - **fix** write <code>from</code>

            ```yaml
              - from:
                - a
            ```

            </details>

            <details><summary>warning <code>yaml-11</code>: <code>y</code> is text</summary>

            - **where** <code>shop/web.yaml:99:2</code>
            - **help** quote it

            </details>

            <details><summary>info <code>no-dns</code>: no DNS</summary>

            - **help** allow 53/udp

            </details>
        "#]].assert_eq(&shown(|out| write(out, &report(&findings, &files))));
    }

    #[test]
    fn a_clean_run_is_one_line() {
        let files = SourceFiles::default();
        let text = shown(|out| write(out, &report(&[], &files)));
        assert_eq!(text, "### weir lint: no findings (profile upstream)\n");
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let (findings, files) = hostile();
        let text = shown(|out| write(out, &report(&findings, &files)));
        let row = text.lines().nth(4).unwrap();
        assert_eq!(row.matches('|').count(), 5, "{row}");
        let outside_fence: String = text.split("````").step_by(2).collect();
        for syntax in ["<b>", "](", "@me", "\n```\n"] {
            assert!(!outside_fence.contains(syntax), "{syntax} in {outside_fence}");
        }
    }
}
