//! Entries are read back as they were written, and what is newer is read past.

use super::*;
use expect_test::expect;
use ledger_model::{SessionOpened, SessionSealed};

fn all_facts() -> Vec<Fact> {
    let text = |text: &str| text.to_owned();
    let session = || text("0190-a");
    let opened = SessionOpened {
        session: session(),
        cluster: text("prod"),
        user: text("anna@example.com"),
        verb: text("exec"),
        namespace: Some(text("pci")),
        object: Some(text("pod/db-0")),
        container: None,
        rule: text("on-call"),
        reason: Some(text("INC-7 \"quoted\"\u{1b}")),
        header: [1; 32],
    };
    let sealed = SessionSealed {
        session: session(),
        ending: text("exit 0"),
        state: text("sealed"),
        chunks: 3,
        chain: [2; 32],
        file: [0xab; 32],
    };
    let (by, why) = (text("ben"), text("left"));
    vec![
        Fact::SourceStarted { version: text("0.1.0") },
        Fact::SourceStopped,
        Fact::Heartbeat,
        Fact::SessionOpened(opened),
        Fact::SessionHead { session: session(), chunk: 1, chain: [9; 32] },
        Fact::SessionSealed(sealed),
        Fact::SessionRefused {
            user: by.clone(),
            cluster: text("prod"),
            verb: text("exec"),
            object: text("pod/db-0"),
            why: why.clone(),
        },
        Fact::SessionKilled { session: session(), by: by.clone(), why: why.clone() },
        Fact::SessionFrozen { session: session(), by: by.clone() },
        Fact::SessionThawed { session: session(), by: by.clone() },
        Fact::SessionViewed { session: session(), by: by.clone(), how: text("play") },
        Fact::SessionNoted { session: session(), by: by.clone(), at_us: 5, digest: [3; 32] },
        Fact::HoldPlaced { session: session(), by: by.clone(), why: why.clone() },
        Fact::HoldLifted { session: session(), by: by.clone(), why: why.clone() },
        Fact::RecordingDeleted { session: session(), chain: [4; 32] },
        Fact::Approved { user: by.clone(), by: why, what: text("exec"), until_ms: -1 },
        Fact::RulesChanged { by: by.clone(), digest: [5; 32] },
        Fact::BreakGlass { user: by, what: text("exec") },
        Fact::KeyRotated { statement: text("a\nb\n") },
        Fact::Other { kind: text("policy.changed"), body: text(r#"{"n":[1, 2]}"#) },
    ]
}

fn entry(fact: Fact) -> Entry {
    Entry { at_ms: 1_790_000_000_123, source: "gateway-1".into(), sequence: 7, fact }
}

#[test]
fn every_kind_is_read_back() {
    let mut kinds = Vec::new();
    for fact in all_facts() {
        let bytes = encode_entry(&entry(fact.clone())).unwrap();
        assert_eq!(decode_entry(&bytes).unwrap(), entry(fact));
        assert_eq!(source_of(&bytes), Some(("gateway-1".to_owned(), 7)));
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        kinds.push(json["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds, [KINDS.as_slice(), &["policy.changed"]].concat());
}

#[test]
fn an_entry_is_one_line_of_json() {
    let bytes = encode_entry(&entry(all_facts().swap_remove(3))).unwrap();
    expect![[r#"{"v":1,"at_ms":1790000000123,"source":"gateway-1","sequence":7,"kind":"session.opened","fact":{"session":"0190-a","cluster":"prod","user":"anna@example.com","verb":"exec","namespace":"pci","object":"pod/db-0","rule":"on-call","reason":"INC-7 \"quoted\"\u001b","header":"0101010101010101010101010101010101010101010101010101010101010101"}}"#]].assert_eq(&String::from_utf8(bytes).unwrap());
}

#[test]
fn what_later_versions_add_is_read_past() {
    let later = br#"{"v":1,"at_ms":1,"source":"s","sequence":0,"kind":"heartbeat","fact":{"load":3},"x":[]}"#;
    let read = decode_entry(later).unwrap();
    assert_eq!(read.fact, Fact::Heartbeat);
}

#[test]
fn what_is_not_an_entry_says_why() {
    let error = |text: &str| {
        let error = decode_entry(text.as_bytes()).unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}\n", source.unwrap_or_default())
    };
    let with = |version: u32, kind: &str, fact: &str| {
        error(&format!(
            r#"{{"v":{version},"at_ms":1,"source":"s","sequence":0,"kind":"{kind}","fact":{fact}}}"#
        ))
    };
    let all = [
        error("{}"),
        error("\u{fffd}"),
        with(2, "heartbeat", "{}"),
        with(1, "session.viewed", "{}"),
        with(1, "recording.deleted", r#"{"session":"a","chain":"AB"}"#),
        with(1, "heartbeat", "{},\"v\":1"),
    ];
    expect![[r#"
        the entry is not one of Weir's: missing field `v` at line 1 column 2
        the entry is not one of Weir's: expected value at line 1 column 1
        the entry is of version 2, and this program knows version 1
        the entry says that it is `session.viewed`, and not what a session.viewed says: missing field `session` at line 1 column 76
        the entry says that it is `recording.deleted`, and not what a recording.deleted says: a digest is 64 hexadecimal digits in lower case at line 1 column 105
        the entry is not one of Weir's: duplicate field `v` at line 1 column 75
    "#]].assert_eq(&all.concat());
}

#[test]
fn what_is_too_large_leaves_nothing_behind() {
    let mut to = b"before".to_vec();
    let around = Around { at_ms: 1, source: "s", sequence: 0 };
    let fact = Fact::BreakGlass { user: "u".repeat(66_000), what: String::new() };
    let error = write_entry(around, &fact, &mut to).unwrap_err();
    assert!(matches!(error, EntryError::TooLarge(66_000..)), "{error}");
    assert_eq!(to, b"before");
}
