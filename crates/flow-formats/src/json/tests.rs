//! What is written is read as the same value, by this version and by later ones.

use super::*;
use crate::{arbitrary, fixtures};
use proptest::prelude::*;
use serde_json::Value;
use std::error::Error as _;

/// What the first version wrote for [`fixtures::all`]. It is never written again.
const FIRST: &str = include_str!("../../tests/flow-v1alpha1-first.jsonl");

/// What a version of the future may write: fields that are not known today, in every object.
const LATER: &str = include_str!("../../tests/flow-v1alpha1-later.jsonl");

fn written(flow: &Flow) -> String {
    let mut line = Vec::new();
    write(&mut line, flow).unwrap();
    String::from_utf8(line).unwrap()
}

fn read(mut input: &[u8]) -> Vec<Result<Flow, String>> {
    let reader = Reader::new(&mut input);
    let told = |error: ReadError| {
        let problem = &error.problem;
        let source = problem.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}: {problem}{source}")
    };
    reader.map(|result| result.map_err(told)).collect()
}

#[test]
fn what_the_first_version_wrote_is_still_read() {
    let flows: Vec<Flow> = read(FIRST.as_bytes()).into_iter().map(Result::unwrap).collect();
    assert_eq!(flows, fixtures::all());
}

#[test]
fn the_first_version_reads_what_is_written_now() {
    // Every field that the first version wrote is there still, with the same value.
    for (flow, first) in fixtures::all().iter().zip(FIRST.lines()) {
        let now: Value = serde_json::from_str(&written(flow)).unwrap();
        let first: Value = serde_json::from_str(first).unwrap();
        assert!(holds(&now, &first), "{now}\n{first}");
    }
}

fn holds(now: &Value, first: &Value) -> bool {
    match (now, first) {
        (Value::Object(now), Value::Object(first)) => {
            first.iter().all(|(key, first)| now.get(key).is_some_and(|now| holds(now, first)))
        }
        (Value::Array(now), Value::Array(first)) => {
            now.len() == first.len() && now.iter().zip(first).all(|(now, first)| holds(now, first))
        }
        _ => now == first,
    }
}

#[test]
fn places_of_policies_that_deny_by_default_come_back() {
    let flow = fixtures::denied_by_a_file();
    let line = written(&flow);
    assert!(line.contains(r#""file":"pay.yaml","line":3,"column":1"#), "{line}");
    assert_eq!(read(line.as_bytes()), [Ok(flow)]);
}

#[test]
fn decisions_without_a_rule_come_back() {
    let written: String = fixtures::without_a_rule().iter().map(written).collect();
    for by in ["self-traffic", "no-policy-yet", "deny-everything"] {
        assert!(written.contains(&format!(r#""by":"{by}""#)), "{by}: {written}");
    }
    let flows: Vec<Flow> = read(written.as_bytes()).into_iter().map(Result::unwrap).collect();
    assert_eq!(flows, fixtures::without_a_rule());
}

#[test]
fn fields_of_later_versions_are_skipped() {
    let flows: Vec<Flow> = read(LATER.as_bytes()).into_iter().map(Result::unwrap).collect();
    assert_eq!(flows, [fixtures::opened()]);
}

#[test]
fn the_schema_describes_what_is_written_and_refuses_what_is_not() {
    let text = include_str!("../../../../docs/formats/flow.schema.json");
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("flow", serde_json::from_str(text).unwrap()).unwrap();
    let mut schemas = boon::Schemas::new();
    let schema = compiler.compile("flow", &mut schemas).unwrap();
    for flow in fixtures::all().into_iter().chain(fixtures::without_a_rule()) {
        let value = serde_json::from_str(&written(&flow)).unwrap();
        schemas.validate(&value, schema).unwrap_or_else(|error| panic!("{error:#}"));
        let Value::Object(fields) = value else { unreachable!("a flow is an object") };
        // Each field that this reader insists on, the schema insists on.
        for field in fields.keys() {
            let mut less = fields.clone();
            less.remove(field);
            let less = Value::Object(less);
            let is_read = read_line(&serde_json::to_vec(&less).unwrap()).is_ok();
            assert_eq!(schemas.validate(&less, schema).is_ok(), is_read, "without {field}");
        }
    }
}

#[test]
fn lines_that_are_no_flows_are_told_by_number() {
    let good = written(&fixtures::opened());
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let input = [
        good.clone(),
        "\n".to_owned(),
        change("weir.dev/v1alpha1", "weir.dev/v2"),
        r#"{"apiVersion":"weir.dev/v1alpha1","kind":"Check","time":"later"}"#.to_owned() + "\n",
        change(r#""by":"rule""#, r#""by":"default-deny""#),
        change(r#""report":"opened""#, r#""report":"opened","report":"closed""#),
        change(r#""line":12,"#, ""),
        change(r#""report":"opened""#, r#""report":"refused""#),
        good.get(..40).unwrap().to_owned() + "\n",
        "[]\n".to_owned(),
        good.clone(),
    ];
    let results = read(input.concat().as_bytes());
    let errors: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    expect_test::expect![[r#"
        line 3: `apiVersion` is `weir.dev/v2` and `kind` is `Flow`, which this version does not read
        line 4: `apiVersion` is `weir.dev/v1alpha1` and `kind` is `Check`, which this version does not read
        line 5: `policies` is missing
        line 6: not the JSON of a flow: duplicate field `report` at line 1 column 114
        line 7: `rule` is not possible here: `file`, `line` and `column` are there together or not at all
        line 8: `cause` is missing
        line 9: not the JSON of a flow: EOF while parsing an object at line 1 column 40
        line 10: not a JSON object"#]].assert_eq(&errors.join("\n"));
}

proptest! {
    #[test]
    fn every_flow_comes_back(flow in arbitrary::any_flow()) {
        let line = written(&flow);
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(!line.trim_end().contains(safe_output::is_hidden));
        prop_assert_eq!(read_line(line.as_bytes()).unwrap(), flow);
    }
}
