//! Values as YAML in block style, to be read by people before they are applied.
//!
//! Fields are in the order of the alphabet, which for Kubernetes' objects is the usual one. Text that has several
//! lines keeps them: expressions are what a reader wants to see.

use serde_json::Value;

/// Whole lines.
pub(super) fn written(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out, 0);
    out
}

/// Starts where the line already has its `indent` spaces, and ends with a line feed.
fn write(value: &Value, out: &mut String, indent: usize) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                start_line(out, index, indent);
                out.push_str("- ");
                write(item, out, indent + 2);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (index, (key, value)) in fields.iter().enumerate() {
                start_line(out, index, indent);
                out.push_str(&scalar(key));
                out.push(':');
                write_after_key(value, out, indent);
            }
        }
        Value::String(text) if text.contains('\n') => {
            out.push_str("|-\n");
            for line in text.lines() {
                out.push_str(&" ".repeat(indent));
                out.push_str(line);
                out.push('\n');
            }
        }
        Value::String(text) => push_line(out, &scalar(text)),
        // Numbers, booleans, null and what is empty are written as in JSON.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            push_line(out, &value.to_string());
        }
    }
}

fn write_after_key(value: &Value, out: &mut String, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            write(value, out, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            if let Some(short) = short_list(items) {
                out.push(' ');
                return push_line(out, &short);
            }
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            write(value, out, indent);
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            out.push(' ');
            write(value, out, indent + 2);
        }
    }
}

/// A list of words that fits on a line.
fn short_list(items: &[Value]) -> Option<String> {
    let words: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(scalar)).collect();
    let short = format!("[{}]", words?.join(", "));
    (short.len() <= 80 && !short.contains('\n')).then_some(short)
}

fn start_line(out: &mut String, index: usize, indent: usize) {
    if index > 0 {
        out.push_str(&" ".repeat(indent));
    }
}

fn push_line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Words that some version of YAML reads as a boolean or as null.
const RESERVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// Plain where every version of YAML reads it as this text, else as in JSON, which YAML reads as well.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "./-_".contains(letter))
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn reads_as_the_same_value() {
        let value = json!({
            "a": {"empty": {}, "none": [], "no": "no", "list": ["x", "pods/exec", "*"]},
            "items": [{"expression": "a ||\nb", "name": "one"}, {"deep": [["x"], [1, true]]}],
            "quoted": "a: \"b\" #c é",
            "wide": ["impersonate-on:user-info:create", "impersonate-on:user-info:deletecollection", "x"]
        });
        expect![[r#"
            a:
              empty: {}
              list: [x, pods/exec, "*"]
              "no": "no"
              none: []
            items:
            - expression: |-
                a ||
                b
              name: one
            - deep:
              - - x
              - - 1
                - true
            quoted: "a: \"b\" #c é"
            wide:
            - "impersonate-on:user-info:create"
            - "impersonate-on:user-info:deletecollection"
            - x
        "#]]
        .assert_eq(&written(&value));
        let read: Value = serde_saphyr::from_str(&written(&value)).unwrap();
        assert_eq!(read, value);
    }
}
