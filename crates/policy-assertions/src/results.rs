//! What tests came to. Everything that a report shows is here; nothing needs the program again.

use finding_model::SourceSpan;
use policy_engine::{DecidingTier, Reasons, Verdict};
use policy_model::{Direction, LeftOut, PolicyId, RuleRef};

/// The tests of one snapshot under one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// In the order in which they were given.
    pub tests: Vec<TestResult>,
    pub coverage: Coverage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    pub name: String,
    pub span: SourceSpan,
    /// Cases, then assertions, in the order of the file.
    pub checks: Vec<CheckResult>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckKind {
    Case,
    Assertion,
}

impl CheckKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Assertion => "assertion",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    pub kind: CheckKind,
    /// Its name, else what it claims.
    pub title: String,
    pub span: SourceSpan,
    /// Why it must hold, in the words of whoever wrote it.
    pub reason: Option<String>,
    /// Empty: it passed.
    pub problems: Vec<Problem>,
    /// Worth knowing all the same.
    pub notes: Vec<String>,
    /// What was left out of the input and could have changed the result.
    pub caveats: Vec<LeftOut>,
}

impl CheckResult {
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// A set, an exception or a port stands for nothing, so that the check says nothing.
    SelectsNothing,
    /// A name is not in the input, or stands for several things.
    UnknownPeer,
    /// The verdict is not the one that was expected.
    Verdict,
    /// The verdict is right, and another policy decided it.
    Decider,
    /// No NetworkPolicy isolates the pod.
    NotIsolated,
}

impl ProblemKind {
    /// Kebab-case; scripts rely on it.
    pub fn code(self) -> &'static str {
        match self {
            Self::SelectsNothing => "selects-nothing",
            Self::UnknownPeer => "unknown-peer",
            Self::Verdict => "wrong-verdict",
            Self::Decider => "wrong-decider",
            Self::NotIsolated => "not-isolated",
        }
    }
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// One lowercase sentence without a full stop.
    pub message: String,
    /// The part of the check that it is about.
    pub span: SourceSpan,
    /// The first few.
    pub examples: Vec<Example>,
    /// Of all examples, those that are not listed too.
    pub n_examples: usize,
    /// Counting stopped: there are at least so many.
    pub and_more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Example {
    Connection(Box<Witness>),
    Pod { name: String, span: Option<SourceSpan>, text: String },
}

/// One connection, its verdict, and what decided each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    pub from: String,
    pub to: String,
    /// `8443/tcp`, `icmp`.
    pub port: String,
    pub verdict: Verdict,
    /// Empty unless the verdict is undefined.
    pub reasons: Reasons,
    pub egress: SideWitness,
    pub ingress: SideWitness,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideWitness {
    pub direction: Direction,
    pub verdict: Verdict,
    pub tier: DecidingTier,
    pub policy: Option<PolicyId>,
    pub rule: Option<RuleRef>,
    /// Of the rule, else of the policy.
    pub span: Option<SourceSpan>,
    /// `NetworkPolicy shop/web ingress[0] accepts it`.
    pub text: String,
}

/// Which rules the tests decide anything by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Every rule of every policy, by policy, direction and place.
    pub rules: Vec<RuleCoverage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCoverage {
    pub rule: RuleRef,
    pub span: Option<SourceSpan>,
    /// It decides a connection that a case asks about.
    pub by_case: bool,
    /// It decides a connection that an assertion speaks of.
    pub by_assertion: bool,
}

impl Coverage {
    pub fn n_by_case(&self) -> usize {
        self.rules.iter().filter(|rule| rule.by_case).count()
    }

    pub fn n_by_assertion(&self) -> usize {
        self.rules.iter().filter(|rule| rule.by_assertion).count()
    }

    /// Of rules that cases decide by, in whole percent, rounded down; 100 where there are no rules.
    pub fn percent(&self) -> usize {
        match self.rules.len() {
            0 => 100,
            n => self.n_by_case() * 100 / n,
        }
    }
}

impl Results {
    pub fn checks(&self) -> impl Iterator<Item = &CheckResult> {
        self.tests.iter().flat_map(|test| &test.checks)
    }

    pub fn n_failed(&self) -> usize {
        self.checks().filter(|check| !check.passed()).count()
    }
}
