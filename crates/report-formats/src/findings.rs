//! Findings in every format.

pub mod json;
pub mod junit;
pub mod markdown;
pub mod sarif;
pub mod text;

use crate::counted;
use finding_model::{Finding, Severity, SourceFiles};
use std::fmt;

/// What all formats render.
#[derive(Clone, Copy, Debug)]
pub struct FindingReport<'a> {
    /// In the order in which they are shown.
    pub findings: &'a [Finding],
    pub files: &'a SourceFiles,
    /// The profile that was assumed.
    pub profile: &'a str,
    /// Findings of this severity and above make the run fail.
    pub fail_on: Severity,
    /// The Markdown page of a finding's code.
    pub page: fn(&str) -> Option<&'static str>,
}

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub errors: usize,
    pub warnings: usize,
    pub infos: usize,
}

impl FindingReport<'_> {
    pub fn counts(&self) -> Counts {
        Counts::of(self.findings)
    }

    /// Whether any finding is at or over `fail_on`.
    pub fn fails(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= self.fail_on)
    }
}

impl Counts {
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Info => counts.infos += 1,
            }
        }
        counts
    }
}

/// `2 errors, 1 warning`, or `no findings`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { errors, warnings, infos } = *self;
        let mut separator = "";
        let counts = [
            (errors, counted(errors, "error")),
            (warnings, counted(warnings, "warning")),
            (infos, format!("{infos} info")),
        ];
        for (_, words) in counts.iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{words}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("no findings") } else { Ok(()) }
    }
}

#[cfg(test)]
pub(crate) mod fixtures;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_words() {
        assert_eq!(Counts::default().to_string(), "no findings");
        let counts = Counts { errors: 1, warnings: 2, infos: 3 };
        assert_eq!(counts.to_string(), "1 error, 2 warnings, 3 info");
    }

    #[test]
    fn fails_at_or_over_the_threshold() {
        fixtures::with_reports(|report| {
            let failing = |fail_on| FindingReport { fail_on, ..*report }.fails();
            let worst = report.findings.iter().map(|finding| finding.severity).max();
            for fail_on in [Severity::Info, Severity::Warning, Severity::Error] {
                assert_eq!(failing(fail_on), worst.is_some_and(|worst| worst >= fail_on));
            }
        });
    }
}
