//! What is missing is found, and what is as it should be is not.

use super::*;
use crate::{Fact, SessionOpened, SessionSealed};
use expect_test::{Expect, expect};

fn opened(session: &str) -> Fact {
    Fact::SessionOpened(SessionOpened {
        session: session.into(),
        cluster: "prod".into(),
        user: "anna".into(),
        verb: "exec".into(),
        namespace: None,
        object: None,
        container: None,
        rule: "on-call".into(),
        reason: None,
        header: [1; 32],
    })
}

fn sealed(session: &str, chunks: u64, state: &str) -> Fact {
    Fact::SessionSealed(SessionSealed {
        session: session.into(),
        ending: "exit 0".into(),
        state: state.into(),
        chunks,
        chain: [2; 32],
        file: [3; 32],
    })
}

fn started() -> Fact {
    Fact::SourceStarted { version: "0.1.0".into() }
}

fn head(session: &str, chunk: u64) -> Fact {
    Fact::SessionHead { session: session.into(), chunk, chain: [4; 32] }
}

fn held(session: &str, placed: bool) -> Fact {
    let (session, by, why) = (session.into(), "ben".into(), "case 7".into());
    if placed {
        Fact::HoldPlaced { session, by, why }
    } else {
        Fact::HoldLifted { session, by, why }
    }
}

/// Entries of one source: seconds, number, fact.
fn check(entries: Vec<(i64, u64, Fact)>, expected: &Expect) -> Audited {
    let mut audit = Audit::new(60_000);
    for (index, (at_s, sequence, fact)) in (0..).zip(entries) {
        let entry = Entry { at_ms: at_s * 1000, source: "gateway".into(), sequence, fact };
        audit.entry(index, &entry);
    }
    let audited = audit.finish();
    let told: Vec<String> = audited
        .findings
        .iter()
        .map(|finding| format!("{} {}: {}\n", finding.severity, finding.code, finding.message))
        .collect();
    expected.assert_eq(&told.concat());
    audited
}

#[test]
fn a_ledger_without_gaps_has_no_findings() {
    let audited = check(
        vec![
            (0, 0, started()),
            (10, 1, opened("a")),
            (20, 2, head("a", 1)),
            (30, 3, held("a", true)),
            (40, 4, sealed("a", 2, "sealed")),
            (100, 5, Fact::Heartbeat),
            (160, 6, Fact::Other { kind: "policy.changed".into(), body: "{}".into() }),
            (170, 7, held("a", false)),
            (180, 8, Fact::RecordingDeleted { session: "a".into(), chain: [2; 32] }),
            (181, 9, Fact::SourceStopped),
            (9_999, 10, started()),
        ],
        &expect![""],
    );
    let source = SourceSummary {
        entries: 11,
        first_at_ms: 0,
        last_at_ms: 9_999_000,
        last_sequence: 10,
        runs: 2,
        running: true,
    };
    assert_eq!(audited.sources, BTreeMap::from([("gateway".to_owned(), source)]));
    assert_eq!(audited.sessions, SessionSummary { opened: 1, sealed: 1, open: 0, refused: 0 });
    assert_eq!(audited.unknown_kinds, BTreeMap::from([("policy.changed".to_owned(), 1)]));
}

#[test]
fn numbers_that_are_missing_or_repeated_are_found() {
    check(
        vec![
            (0, 2, started()),
            (1, 3, Fact::Heartbeat),
            (2, 7, Fact::Heartbeat),
            (3, 7, Fact::Heartbeat),
        ],
        &expect![[r#"
            error ledger-sequence-gap: 2 entries of gateway are missing, from its number 0 to 1
            error ledger-sequence-gap: 3 entries of gateway are missing, from its number 4 to 6
            error ledger-sequence-repeated: gateway wrote number 7 after number 7
        "#]],
    );
}

#[test]
fn silence_and_clocks_are_found() {
    check(
        vec![
            (0, 0, started()),
            (126, 1, Fact::Heartbeat),
            (4000, 2, Fact::Heartbeat),
            (3990, 3, Fact::Heartbeat),
            (4000, 4, started()),
            (4001, 5, Fact::SourceStopped),
            (9000, 6, Fact::Heartbeat),
        ],
        &expect![[r#"
            warning ledger-silence: gateway wrote nothing for 2 min 6 s before entry 1, though it was running
            warning ledger-silence: gateway wrote nothing for 1 h 4 min before entry 2, though it was running
            warning ledger-clock-back: entry 3 of gateway is 10.0 s older than the one before it
            info ledger-source-not-stopped: gateway started at entry 4 without having stopped; its entry before is 10.0 s older
            warning ledger-source-not-started: entry 6 is of gateway, which had not said that it started
        "#]],
    );
}

#[test]
fn sessions_begin_and_end_once() {
    let audited = check(
        vec![
            (0, 0, started()),
            (1, 1, sealed("lost", 3, "sealed")),
            (2, 2, opened("a")),
            (3, 3, opened("a")),
            (4, 4, sealed("a", 1, "sealed")),
            (5, 5, sealed("a", 1, "damaged")),
            (6, 6, head("nobody", 1)),
            (7, 7, head("nobody", 2)),
            (8, 8, opened("crashed")),
            (9, 9, started()),
            (10, 10, opened("open")),
        ],
        &expect![[r#"
            error ledger-session-not-opened: entry 1 is about session lost, which no entry opened before
            error ledger-session-opened-twice: session a was opened at entry 2 and again at entry 3
            error ledger-session-sealed-twice: session a was sealed at entry 4 and again at entry 5
            warning ledger-recording-damaged: session a was sealed as damaged at entry 5
            error ledger-session-not-opened: entry 6 is about session nobody, which no entry opened before
            info ledger-source-not-stopped: gateway started at entry 9 without having stopped; its entry before is 1.0 s older
            error ledger-session-not-sealed: session crashed, opened at entry 8, was never sealed, and gateway has started again since
            info ledger-session-open: session open, opened at entry 10, is not sealed yet
        "#]],
    );
    assert_eq!(audited.sessions, SessionSummary { opened: 5, sealed: 2, open: 3, refused: 0 });
}

#[test]
fn recordings_do_not_shrink_and_are_not_deleted_under_hold() {
    check(
        vec![
            (0, 0, started()),
            (1, 1, opened("a")),
            (2, 2, head("a", 5)),
            (3, 3, head("a", 4)),
            (4, 4, held("a", true)),
            (5, 5, sealed("a", 4, "sealed")),
            (6, 6, Fact::RecordingDeleted { session: "a".into(), chain: [2; 32] }),
        ],
        &expect![[r#"
            error ledger-recording-cut: session a is at chunk 4 by entry 3, and was further by an entry before
            error ledger-recording-cut: session a is at chunk 4 by entry 5, and was further by an entry before
            error ledger-deleted-under-hold: the recording of session a was deleted at entry 6, while a hold was on it
        "#]],
    );
}

#[test]
fn findings_are_as_many_as_anybody_reads() {
    let entries = (0..1100).map(|at| (at, 5, Fact::Heartbeat)).collect();
    let mut audit = Audit::new(60_000);
    let entries: Vec<(i64, u64, Fact)> = entries;
    for (index, (at, sequence, fact)) in (0..).zip(entries) {
        audit.entry(index, &Entry { at_ms: at, source: "s".into(), sequence, fact });
    }
    audit.unreadable(1100, "no JSON");
    let audited = audit.finish();
    assert_eq!((audited.findings.len(), audited.unreadable), (1001, 1));
    let last = audited.findings.last().unwrap();
    assert_eq!(last.message, "there are 102 findings more");
}
