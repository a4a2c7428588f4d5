//! Values as YAML that a person can read. Text is in double quotes as in JSON, which YAML takes as the same: a name that
//! looks like a number or a boolean stays a name.

use serde_json::Value;

pub(crate) fn written(value: &Value) -> String {
    let mut text = String::new();
    if is_block(value) {
        block(&mut text, value, 0);
    } else {
        text.push_str(&value.to_string());
        text.push('\n');
    }
    text
}

/// The lines of a mapping or a sequence. Sequences stand below their key without more indentation, as kubectl has it.
fn block(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) => {
            for (n, (name, member)) in members.iter().enumerate() {
                if n > 0 {
                    pad(text, indent);
                }
                text.push_str(&key(name));
                text.push(':');
                below(text, member, indent);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    pad(text, indent);
                }
                text.push_str("- ");
                if is_block(item) {
                    block(text, item, indent + 2);
                } else {
                    text.push_str(&item.to_string());
                    text.push('\n');
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
            text.push('\n');
        }
    }
}

/// What follows a key.
fn below(text: &mut String, member: &Value, indent: usize) {
    if is_block(member) {
        let indent = if member.is_array() { indent } else { indent + 2 };
        text.push('\n');
        pad(text, indent);
        block(text, member, indent);
    } else {
        text.push(' ');
        text.push_str(&member.to_string());
        text.push('\n');
    }
}

/// Empty ones are written as in JSON.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn key(name: &str) -> String {
    let is_plain = name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&name.to_ascii_lowercase().as_str());
    if is_plain { name.to_owned() } else { Value::from(name).to_string() }
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let value = json!({
            "a": { "b": [[1, [2, { "c": null }]], { "d": { "e": [] } }, {}], "yes": "no" },
            "f: g": "line\n# \"quoted\" \u{1b} \u{2028} ü",
            "": ["", "7", 7, true, "true", 1.5, -3],
            "1e3": { "x": "- a" },
        });
        let text = written(&value);
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value, "{text}");
        assert_eq!(written(&json!({})), "{}\n");
    }
}
