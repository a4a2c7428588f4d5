//! Logs as an API server writes them, with and without gaps.

use super::*;
use crate::audit::{AuditPolicy, Component, Limits, LogReader};
use crate::install::BreakGlass;
use crate::names::{
    BREAK_GLASS_ANNOTATION, FAILURE_ANNOTATION, GATEWAY_IDENTITY, POLICY, SESSION_KEY,
};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// 2026-09-21T14:13:20Z.
const START_MS: i64 = 1_790_000_000_000;
const KINDS: [(&str, &str, &str, &str); 8] = [
    ("pods", "exec", "exec", "get"),
    ("pods", "exec", "exec", "create"),
    ("pods", "attach", "attach", "create"),
    ("pods", "portforward", "port-forward", "get"),
    ("pods", "ephemeralcontainers", "debug", "patch"),
    ("pods", "proxy", "proxy", "get"),
    ("nodes", "proxy", "node-proxy", "get"),
    ("serviceaccounts", "token", "token-request", "create"),
];

fn time(at_us: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(at_us).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn micros(time: &Value) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap());
    time.unwrap().timestamp_micros()
}

fn id(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-00000000c0de")
}

/// When a call came, a second after the other, a moment after its session was opened.
fn received_us(number: usize) -> i64 {
    (START_MS + i64::try_from(number).unwrap() * 1_000 + 20) * 1_000
}

fn session(number: usize) -> Session {
    let (resource, _, verb, _) = KINDS[number % KINDS.len()];
    let opened_ms = START_MS + i64::try_from(number).unwrap() * 1_000;
    let facts = SessionFacts {
        cluster: "prod".to_owned(),
        user: format!("user{}", number % 7),
        uid: None,
        groups: Some(vec!["devs".to_owned()]),
        verb: verb.to_owned(),
        namespace: (resource != "nodes").then(|| "shop".to_owned()),
        name: Some(format!("object{}", number % 11)),
        object_uid: None,
        container: None,
        command: Some(if verb == "exec" {
            vec!["sh".to_owned(), number.to_string()]
        } else {
            Vec::new()
        }),
        opened_ms,
        end: SessionEnd::At { ms: opened_ms + 60_000, ran: true },
    };
    Session { id: id(number), evidence: Evidence::Recording, facts: Some(facts) }
}

/// The last line of a call; `log` makes the others of it.
fn event(number: usize) -> Value {
    let (resource, subresource, verb, action) = KINDS[number % KINDS.len()];
    let name = format!("object{}", number % 11);
    let query =
        if verb == "exec" { format!("?command=sh&command={number}") } else { String::new() };
    let code = if matches!(verb, "exec" | "attach" | "port-forward") { 101 } else { 200 };
    let mut object =
        json!({"resource": resource, "subresource": subresource, "name": name, "apiVersion": "v1"});
    if resource != "nodes" {
        object["namespace"] = json!("shop");
    }
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "auditID": format!("audit-{number}"), "stage": "ResponseComplete",
        "requestURI": format!("/api/v1/…/{resource}/{name}/{subresource}{query}"), "verb": action,
        "user": {"username": GATEWAY_IDENTITY, "groups": ["system:serviceaccounts", "system:authenticated"]},
        "impersonatedUser": {
            "username": format!("user{}", number % 7),
            "groups": ["devs", "system:authenticated"],
            "extra": {SESSION_KEY: [id(number)]},
        },
        "sourceIPs": ["192.0.2.7"], "userAgent": "kubectl/v1.36.3",
        "objectRef": object, "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": time(received_us(number)),
        "stageTimestamp": time(received_us(number) + 400_000),
    })
}

/// The three lines of a call, as its last one tells.
fn stages(event: &Value) -> Vec<Value> {
    let mut received = event.clone();
    received["stage"] = json!("RequestReceived");
    received["stageTimestamp"] = received["requestReceivedTimestamp"].clone();
    for field in ["responseStatus", "impersonatedUser", "annotations"] {
        received.as_object_mut().unwrap().remove(field);
    }
    let mut started = event.clone();
    started["stage"] = json!("ResponseStarted");
    let at = time(micros(&event["requestReceivedTimestamp"]) + 9_000);
    started["stageTimestamp"] = json!(at);
    vec![received, started, event.clone()]
}

/// A call that did not come through the gateway.
fn direct(mut event: Value, user: &str) -> Value {
    event.as_object_mut().unwrap().remove("impersonatedUser");
    event["user"] = json!({"username": user, "groups": ["devs", "system:authenticated"]});
    event
}

fn log_of(lines: &[Value]) -> AuditLog {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    read(&text)
}

fn read(text: &str) -> AuditLog {
    let component = Component { user: "system:serviceaccount:monitoring:prometheus".to_owned() };
    let mut reader = LogReader::new(Limits::default(), vec![component]);
    reader.read(&mut text.as_bytes(), Path::new("audit.log"), "audit.log");
    reader.finish()
}

/// Something that is always in a log: a lease.
fn beat(at_us: i64) -> Value {
    json!({
        "kind": "Event", "stage": "ResponseComplete", "verb": "update", "auditID": "beat",
        "objectRef": {"resource": "leases", "apiGroup": "coordination.k8s.io", "namespace": "kube-node-lease", "name": "n"},
        "stageTimestamp": time(at_us), "requestReceivedTimestamp": time(at_us),
    })
}

/// A minute before the first call and after the last.
fn beats(n_calls: usize) -> [Value; 2] {
    [beat(received_us(0) - 60_000_000), beat(received_us(n_calls) + 60_000_000)]
}

fn sessions(count: usize) -> Sessions {
    let mut sessions = Sessions::of_recordings();
    (0..count).for_each(|number| sessions.put(session(number)));
    sessions
}

fn question() -> Question {
    Question { cluster: Some("prod".to_owned()), ..Question::default() }
}

fn shown(coverage: &Coverage) -> String {
    let lines = coverage.findings.iter().map(|finding| {
        let why = finding.why.as_deref().unwrap_or_default();
        format!("{} [{}] {}: {why}\n", finding.severity, finding.code, finding.message)
    });
    lines.collect()
}

/// What the changed events of 500 calls come to.
fn check(change: impl Fn(usize, Value) -> Vec<Value>, expected: &Expect) {
    let mut lines: Vec<Value> = Vec::new();
    for number in 0..N_CALLS {
        lines.extend(change(number, event(number)).iter().flat_map(stages));
    }
    lines.extend(beats(N_CALLS));
    expected.assert_eq(&shown(&Coverage::of(&log_of(&lines), &sessions(N_CALLS), &question())));
}

const N_CALLS: usize = 500;

#[test]
fn five_hundred_recorded_calls_have_no_gap() {
    let mut lines: Vec<Value> =
        (0..N_CALLS).flat_map(|number| stages(&event(number))).chain(beats(N_CALLS)).collect();
    let in_order = Coverage::of(&log_of(&lines), &sessions(N_CALLS), &question());
    let tally = in_order.tally.clone();
    assert_eq!(
        (tally.calls, tally.recorded, tally.sessions, tally.unknown, in_order.findings.as_slice()),
        (500, 500, 500, 0, [].as_slice())
    );
    assert_eq!(in_order.clock_offset_us, Some(20_000));
    // Stages of many requests are written as they come, files overlap, and nothing is in order.
    lines.extend(lines.clone());
    lines.sort_by_key(|line| {
        line.to_string().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(byte))
    });
    let shuffled = Coverage::of(&log_of(&lines), &sessions(N_CALLS), &question());
    assert_eq!(shuffled.tally, in_order.tally);
}

#[test]
fn each_planted_gap_is_found_with_its_kind() {
    let planted = |number: usize, event: Value| match number {
        0..=95 => planted_of_another(number, event),
        _ => planted_not_then(number, event),
    };
    check(
        planted,
        &expect![[r#"
            error [unrecorded-call] exec by mallory on shop/object8 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] exec by mallory on shop/object9 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] attach by mallory on shop/object10 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] port-forward by mallory on shop/object0 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] debug by mallory on shop/object1 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] proxy by mallory on shop/object2 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] node-proxy by mallory on object3 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] token-request by mallory on shop/object4 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] debug by user6 on shop/object9 is not shown to be recorded: the gateway made it without a session
            error [session-id-unknown] exec by user4 on shop/object10 is not shown to be recorded: there is no recording of session ffffffff-0000-4000-8000-00000000c0de
            error [session-id-malformed] exec by user5 on shop/object0 is not shown to be recorded: it has 00000021-0000-4000-8000-00000000c0de and 00000022-0000-4000-8000-00000000c0de as its session, which is not one id
            error [session-id-malformed] port-forward by user0 on shop/object2 is not shown to be recorded: it has yes as its session, which is not one id
            error [session-id-forged] exec by user5 on shop/object7 is not shown to be recorded: cluster-admin impersonated the caller and set session 00000028-0000-4000-8000-00000000c0de: only the gateway should be able to
            error [session-id-forged] exec by user6 on shop/object8 is not shown to be recorded: session 00000029-0000-4000-8000-00000000c0de came with the caller's own credentials, not from the gateway
            error [session-differs-from-call] exec by mallory on shop/object4 is not shown to be recorded: session 00000030-0000-4000-8000-00000000c0de is of something else: in the call user mallory, in the recording user6
            error [session-differs-from-call] exec by user0 on shop/vault is not shown to be recorded: session 00000038-0000-4000-8000-00000000c0de is of something else: in the call object vault, in the recording object1
            error [session-differs-from-call] exec by user1 on pci/object9 is not shown to be recorded: session 00000040-0000-4000-8000-00000000c0de is of something else: in the call namespace pci, in the recording shop
            error [session-differs-from-call] attach by user2 on shop/object6 is not shown to be recorded: session 00000048-0000-4000-8000-00000000c0de is of something else: in the call verb attach, in the recording exec
            error [session-differs-from-call] exec by user3 on shop/object3 is not shown to be recorded: session 00000050-0000-4000-8000-00000000c0de is of something else: in the call command line ["sh", "-c", "id"], in the recording ["sh", "80"]
            error [session-differs-from-call] exec by user4 on shop/object0 is not shown to be recorded: session 00000058-0000-4000-8000-00000000c0de is of something else: in the call groups {"devs", "system:masters"}, in the recording {"devs"}
            error [session-id-reused] exec by user6 on shop/object5 is not shown to be recorded: session 00000068-0000-4000-8000-00000000c0de has a call already, of 2026-09-21T14:15:04.020Z at audit.log:315
            error [unrecorded-call] exec by mallory on shop/object2 is not shown to be recorded: it did not come through the gateway: it names no session
            error [unrecorded-call] exec by mallory on shop/object3 is not shown to be recorded: it did not come through the gateway: it names no session
            error [session-id-reused] attach by user2 on shop/object4 is not shown to be recorded: session 00000072-0000-4000-8000-00000000c0de has a call already, of 2026-09-21T14:15:14.020Z at audit.log:354
            error [unrecorded-call] exec by mallory on shop/object10 is not shown to be recorded: it did not come through the gateway: it names no session
            error [session-not-open-then] exec by user5 on shop/object8 is not shown to be recorded: session 00000060-0000-4000-8000-00000000c0de was open from 2026-09-21T14:14:56.000Z until 2026-09-21T14:15:56.000Z
            warning [recording-without-call] the log has no call of session 00000008-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 00000009-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 0000000a-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 0000000b-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 0000000c-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 0000000d-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 0000000e-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 0000000f-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 00000014-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 00000020-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 00000023-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
            warning [recording-without-call] the log has no call of session 00000078-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
        "#]],
    );
}

/// Past the gateway, with an id that is not the gateway's, or with that of something else.
fn planted_of_another(number: usize, mut event: Value) -> Vec<Value> {
    match number {
        // Past the gateway, in each way.
        8..=15 => vec![direct(event, "mallory")],
        20 => {
            event["impersonatedUser"]["extra"] = json!({});
            vec![event]
        }
        // Ids that are made up, copied or forged.
        32 => with_session(event, &json!(["ffffffff-0000-4000-8000-00000000c0de"])),
        33 => with_session(event, &json!([id(33), id(34)])),
        35 => with_session(event, &json!(["yes"])),
        40 => {
            event["user"]["username"] = json!("cluster-admin");
            vec![event]
        }
        41 => {
            let mut event = direct(event, "user6");
            event["user"]["extra"] = json!({SESSION_KEY: [id(41)]});
            vec![event]
        }
        // Of somebody else, or of something else.
        48 => {
            event["impersonatedUser"]["username"] = json!("mallory");
            vec![event]
        }
        56 => {
            event["objectRef"]["name"] = json!("vault");
            vec![event]
        }
        64 => {
            event["objectRef"]["namespace"] = json!("pci");
            vec![event]
        }
        72 => {
            event["objectRef"]["subresource"] = json!("attach");
            vec![event]
        }
        80 => {
            event["requestURI"] = json!("/api/v1/…/exec?command=sh&command=-c&command=id");
            vec![event]
        }
        88 => {
            event["impersonatedUser"]["groups"] = json!(["devs", "system:masters"]);
            vec![event]
        }
        _ => vec![event],
    }
}

/// At another time, twice, or hidden behind another call.
fn planted_not_then(number: usize, mut event: Value) -> Vec<Value> {
    match number {
        96 => {
            event["requestReceivedTimestamp"] = json!(time(received_us(96) + 120_000_000));
            vec![event]
        }
        104 => {
            let mut again = event.clone();
            again["auditID"] = json!("other");
            again["requestReceivedTimestamp"] = json!(time(received_us(104) + 1_000_000));
            vec![event, again]
        }
        // The client chooses the audit id: two calls in one must not be one.
        112 => {
            let mut hidden = direct(event.clone(), "mallory");
            hidden["requestReceivedTimestamp"] = json!(time(received_us(112) + 1));
            vec![event, hidden]
        }
        113 => {
            let hidden = direct(event.clone(), "mallory");
            vec![event, hidden]
        }
        114 => {
            let mut hidden = event.clone();
            hidden["stageTimestamp"] = json!(time(received_us(114) + 500_000));
            vec![event, hidden]
        }
        // A server's error may have come too late to prevent anything.
        120 => {
            let mut event = direct(event, "mallory");
            event["responseStatus"] = json!({"status": "Failure", "code": 500});
            vec![event]
        }
        _ => vec![event],
    }
}

fn with_session(mut event: Value, values: &Value) -> Vec<Value> {
    event["impersonatedUser"]["extra"][SESSION_KEY] = values.clone();
    vec![event]
}

#[test]
fn recordings_that_are_gone_or_broken_cover_nothing() {
    let mut all = Sessions::of_recordings();
    (3..8).for_each(|number| all.put(session(number)));
    let opening = |number: usize| {
        let Session { id, evidence: _, facts } = session(number);
        let facts = facts.unwrap();
        LedgerOpening {
            session: id,
            at_ms: facts.opened_ms,
            cluster: facts.cluster,
            user: facts.user,
            verb: facts.verb,
            namespace: facts.namespace,
            name: facts.name,
            container: None,
        }
    };
    // 0 is only in the ledger, 1 was deleted when its time was over, 2 cannot be read, 3 is another cluster's, of 4
    // there is no call, 5 began and its client left.
    all.add_unreadable(id(2), "its first chunk is damaged".to_owned());
    (0..8).for_each(|number| all.add_ledger_opening(opening(number)));
    all.add_ledger_deletion(&id(1));
    let mut of_other = session(3);
    of_other.facts.as_mut().unwrap().cluster = "staging".to_owned();
    all.put(of_other);
    let mut left = session(5);
    let facts = left.facts.as_mut().unwrap();
    facts.end = SessionEnd::At { ms: facts.opened_ms + 1, ran: false };
    all.put(left);
    all.add_refusal(LedgerRefusal {
        at_ms: START_MS + 6_000,
        cluster: "prod".to_owned(),
        user: "user0".to_owned(),
        verb: "exec".to_owned(),
        object: "shop/object7".to_owned(),
        why: "no rule allows it".to_owned(),
    });
    let kept = [0, 1, 2, 3, 6].into_iter().map(event).chain([direct(event(7), "user0")]);
    let lines: Vec<Value> = kept.flat_map(|event| stages(&event)).chain(beats(8)).collect();
    let coverage = Coverage::of(&log_of(&lines), &all, &question());
    expect![[r#"
        error [recording-missing] exec by user0 on shop/object0 is not shown to be recorded: the ledger has session 00000000-0000-4000-8000-00000000c0de, and its recording is not there
        error [recording-unreadable] attach by user2 on shop/object2 is not shown to be recorded: the recording of session 00000002-0000-4000-8000-00000000c0de cannot be read: its first chunk is damaged
        error [session-differs-from-call] port-forward by user3 on shop/object3 is not shown to be recorded: session 00000003-0000-4000-8000-00000000c0de is of something else: in the call cluster prod, in the recording staging
        error [unrecorded-call] token-request by user0 on shop/object7 is not shown to be recorded: it did not come through the gateway: it names no session
        warning [recording-without-call] the log has no call of session 00000004-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
        warning [recording-without-call] the log has no call of session 00000007-0000-4000-8000-00000000c0de: its command ran and ended, so the log lacks at least this call: what else it lacks cannot be known
        info [recording-without-call] the log has no call of session 00000005-0000-4000-8000-00000000c0de: it may have ended before the gateway reached the API server
    "#]].assert_eq(&shown(&coverage));
    let related: Vec<&str> = coverage
        .findings
        .iter()
        .flat_map(|finding| &finding.related)
        .map(|related| related.message.as_str())
        .collect();
    expect![
        "the gateway refused exec on shop/object7 at 2026-09-21T14:13:26.000Z: no rule allows it"
    ]
    .assert_eq(&related.join("\n"));
}

#[test]
fn what_was_refused_is_no_gap() {
    let failure = json!([{"policy": POLICY, "message": "…"}]).to_string();
    let mut by_policy = direct(event(0), "mallory");
    by_policy["responseStatus"] = json!({"status": "Failure", "reason": "Forbidden", "code": 403});
    by_policy["annotations"] = json!({FAILURE_ANNOTATION: failure});
    let mut by_rbac = direct(event(1), "mallory");
    by_rbac["responseStatus"] = json!({"status": "Failure", "reason": "Forbidden", "code": 403});
    // The gateway asked in another protocol first.
    let mut first_try = event(2);
    first_try["auditID"] = json!("try");
    first_try["responseStatus"] = json!({"status": "Failure", "code": 400});
    // A proxy passes on what it is told by what it reached.
    let mut reached = direct(event(5), "mallory");
    reached["responseStatus"] = json!({"metadata": {}, "code": 403});
    let lines: Vec<Value> = [by_policy, by_rbac, first_try, event(2), reached]
        .iter()
        .flat_map(stages)
        .chain(beats(6))
        .collect();
    let mut all = Sessions::default();
    all.put(session(2));
    let coverage = Coverage::of(&log_of(&lines), &all, &question());
    expect![[r#"
        error [unrecorded-call] proxy by mallory on shop/object5 is not shown to be recorded: it did not come through the gateway: it names no session
        info [refused-past-gateway] mallory was refused exec past the gateway once: the policy refused it before it reached anything
    "#]].assert_eq(&shown(&coverage));
    let Tally { calls, recorded, refused, refused_by_policy, .. } = coverage.tally;
    assert_eq!((calls, recorded, refused, refused_by_policy), (2, 1, 3, 1));
}

#[test]
fn break_glass_raises_an_alert_and_components_are_counted() {
    let mut marked = direct(event(0), "rescue");
    marked["annotations"] = json!({BREAK_GLASS_ANNOTATION: "rescue"});
    let mut of_group = direct(event(1), "rescuer");
    of_group["user"]["groups"] = json!(["rescuers"]);
    // Not a proxy, so not what the component may do.
    let prometheus = "system:serviceaccount:monitoring:prometheus";
    let lines: Vec<Value> = [
        marked,
        of_group,
        direct(event(6), prometheus),
        direct(event(8), prometheus),
        direct(event(7), "system:kube-controller-manager"),
        node_token(direct(event(15), "system:node:n1")),
        direct(event(23), "system:node:somebody"),
    ]
    .iter()
    .flat_map(stages)
    .chain(beats(30))
    .collect();
    let break_glass = BreakGlass { users: Vec::new(), groups: vec!["rescuers".to_owned()] };
    let question = Question { break_glass, ..question() };
    let coverage = Coverage::of(&log_of(&lines), &Sessions::default(), &question);
    expect![[r#"
        error [unrecorded-call] exec by system:serviceaccount:monitoring:prometheus on shop/object8 is not shown to be recorded: it did not come through the gateway: it names no session
        error [unrecorded-call] token-request by system:node:somebody on shop/object1 is not shown to be recorded: it did not come through the gateway: it names no session
        warning [break-glass-used] rescue broke the glass: exec on shop/object0, not recorded: the policy let it through and marked it
        warning [break-glass-used] rescuer broke the glass: exec on shop/object1, not recorded: the identity may break the glass, and the policy did not mark it: install it
    "#]].assert_eq(&shown(&coverage));
    assert_eq!(coverage.tally.of_components, 3);
}

fn node_token(mut event: Value) -> Value {
    event["user"]["groups"] = json!(["system:nodes", "system:authenticated"]);
    event
}

#[test]
fn what_the_log_cannot_speak_of_is_unknown() {
    let minute = 60_000_000;
    let end = received_us(8) + 60 * minute;
    let mut lines: Vec<Value> = (0..4).flat_map(|number| stages(&event(number))).collect();
    // Half an hour of which there is nothing, in which session 100 began.
    lines.push(beat(received_us(8)));
    lines.extend([
        beat(received_us(8) + 30 * minute),
        beat(end - 25 * minute),
        beat(end - 20 * minute),
    ]);
    lines.extend([beat(end - 12 * minute), beat(end - 5 * minute), beat(end)]);
    let mut only_begun = stages(&event(4));
    only_begun.truncate(1);
    lines.extend(only_begun);
    let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    text.push_str("\0\0\0\n[]\n{\"kind\":\"Status\",\"stageTimestamp\":\"2026-09-21T13:33:20Z\"}\n{\"kind\":\"Eve");
    let log = read(&text);
    let mut all = sessions(4);
    let mut unseen = session(100);
    unseen.facts.as_mut().unwrap().opened_ms += 600_000;
    all.put(unseen);
    let policy = "kind: Policy\nrules:\n- {level: None, namespaces: [kube-system]}\n\
                  - {level: None, users: ['system:kube-proxy']}\n- {level: Metadata}\n";
    let question = Question {
        from_us: Some(received_us(0) - 30 * minute),
        servers: Some(3),
        audit_policy: Some(AuditPolicy::parse(policy).unwrap()),
        ..question()
    };
    let coverage = Coverage::of(&log, &all, &question);
    expect![[r#"
        warning [audit-log-hole] audit.log has nothing from 2026-09-21T13:43:20.020Z until 2026-09-21T14:13:20.020Z: whether there were privileged calls then cannot be known
        warning [audit-log-hole] audit.log has nothing from 2026-09-21T14:13:28.020Z until 2026-09-21T14:43:28.020Z: whether there were privileged calls then cannot be known
        warning [audit-log-server-missing] there are 3 API servers, and logs of 1: each server writes its own: calls to the others cannot be known
        warning [audit-log-unreadable] audit.log:21 is no audit event: expected value at line 1 column 1: whether it was a privileged call cannot be known
        warning [audit-log-unreadable] audit.log:22 is no audit event: it is JSON without `kind: Event`: whether it was a privileged call cannot be known
        warning [audit-log-unreadable] audit.log:23 is no audit event: it is JSON without `kind: Event`: whether it was a privileged call cannot be known
        warning [audit-policy-blind] the log does not have pods/exec, pods/attach, pods/portforward, pods/ephemeralcontainers, pods/proxy, services/proxy, serviceaccounts/token (namespaces kube-system): rule 1 of the audit policy keeps that out: whether there were such calls cannot be known
        warning [audit-log-without-outcome] the log has only the beginning of a call of the gateway's: debug on shop/object4: whose session it was cannot be known
        info [audit-log-unreadable] audit.log:24 is cut off: whether it was a privileged call cannot be known
        info [audit-policy-blind] the log does not have pods/exec, pods/attach, pods/portforward, pods/ephemeralcontainers, pods/proxy, services/proxy, nodes/proxy, serviceaccounts/token (users system:kube-proxy): rule 2 of the audit policy keeps that out: whether there were such calls cannot be known
    "#]].assert_eq(&shown(&coverage));
    let Tally { calls, recorded, sessions_unknown, unknown, .. } = coverage.tally;
    assert_eq!((calls, recorded, sessions_unknown, unknown), (4, 4, 1, 8));
}

#[test]
fn an_empty_log_covers_nothing() {
    let coverage = Coverage::of(&AuditLog::default(), &sessions(3), &question());
    expect![[r#"
        warning [audit-log-hole] the audit log has no events: nothing can be said about any call
    "#]]
    .assert_eq(&shown(&coverage));
    assert_eq!((coverage.has_no_gap(), coverage.is_certain()), (true, false));
}

#[test]
fn pods_with_privileges_are_mentioned() {
    let created = |name: &str, spec: &Value| {
        let mut event = beat(received_us(1));
        event["verb"] = json!("create");
        event["user"] = json!({"username": "ada"});
        event["objectRef"] = json!({"resource": "pods", "namespace": "shop"});
        event["requestObject"] = json!({"metadata": {"name": name}, "spec": spec});
        event
    };
    let plain = json!({"containers": [{"name": "c", "securityContext": {"privileged": false}}]});
    let strong = json!({
        "hostPID": true, "volumes": [{"hostPath": {"path": "/"}}],
        "initContainers": [{"name": "c", "securityContext": {"privileged": true}}],
    });
    let mut unseen = created("x", &plain);
    unseen.as_object_mut().unwrap().remove("requestObject");
    let lines = [created("a", &plain), created("b", &strong), created("c", &strong), unseen];
    let lines: Vec<Value> = lines.into_iter().chain(beats(2)).collect();
    let coverage = Coverage::of(&log_of(&lines), &Sessions::default(), &question());
    expect![[r#"
        info [privileged-pods-created] ada created 2 pods in shop with access beyond a pod's own: host-path, host-pid, privileged: whoever controls such a pod may not need a session
        info [audit-log-without-bodies] 1 creations of pods are in the log without their bodies: whether they are privileged cannot be known
    "#]].assert_eq(&shown(&coverage));
}

#[test]
fn every_code_is_of_one_kind() {
    let codes: BTreeMap<&str, ()> = COVERAGE_CODES.iter().map(|code| (code.0, ())).collect();
    assert_eq!(codes.len(), COVERAGE_CODES.len());
}
