//! An entry as one line, for people and for programs. What a kind says is shown field by field as it is written,
//! so that kinds of later versions are shown like any other.

use super::arguments::LedgerFormat;
use chrono::{DateTime, SecondsFormat};
use ledger_store::decode_entry;
use report_formats::{Palette, Role, json, visible};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryDocument<'a> {
    api_version: &'a str,
    kind: &'a str,
    index: u64,
    /// As it stands in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<&'a RawValue>,
    /// What is no JSON, with what cannot be shown replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

pub(super) fn write(
    out: &mut dyn Write,
    (index, bytes): (u64, &[u8]),
    format: LedgerFormat,
    palette: Palette,
) -> io::Result<()> {
    match format {
        LedgerFormat::Text => writeln!(out, "{}", line(index, bytes, palette)),
        LedgerFormat::Json => {
            let entry: Option<&RawValue> = serde_json::from_slice(bytes).ok();
            let text = entry.is_none().then(|| String::from_utf8_lossy(bytes).into_owned());
            let (api_version, kind) = (json::API_VERSION, "LedgerEntry");
            json::write_line(out, &EntryDocument { api_version, kind, index, entry, text })
        }
    }
}

fn line(index: u64, bytes: &[u8], palette: Palette) -> String {
    let entry = match decode_entry(bytes) {
        Ok(entry) => entry,
        Err(error) => {
            let text: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
            let why = palette.paint(Role::Warning, &error.to_string());
            return format!("{index:>8}  {why}: {}", visible(&text));
        }
    };
    let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let kind = json.get("kind").and_then(Value::as_str).unwrap_or_default();
    let said: String = match json.get("fact") {
        Some(Value::Object(fields)) => fields
            .iter()
            .map(|(name, value)| format!(" {}={}", visible(name), shown(value)))
            .collect(),
        Some(other) => format!(" {}", shown(other)),
        None => String::new(),
    };
    format!(
        "{index:>8}  {}  {} {}  {}{said}",
        time(entry.at_ms),
        visible(&entry.source),
        palette.paint(Role::Faint, &format!("#{}", entry.sequence)),
        palette.paint(Role::Strong, &visible(kind)),
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all other values are shown alike")]
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        // Lines of statements are kept together.
        other => visible(&other.to_string()).into_owned(),
    }
}

/// Whether a text needs no quotes to be told from what comes next.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./:@+".contains(c))
}

/// A time that people and programs read.
pub(super) fn time(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms)
        .map_or_else(|| format!("{at_ms} ms"), |at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_kind_is_one_line_and_safe_to_show() {
        let entries: [&[u8]; 5] = [
            br#"{"v":1,"at_ms":1790000000123,"source":"gw","sequence":3,"kind":"heartbeat"}"#,
            br#"{"v":1,"at_ms":1790000000123,"source":"gw","sequence":4,"kind":"session.killed","fact":{"session":"0190","by":"anna b","why":"\u001b[2Jno"}}"#,
            br#"{"v":1,"at_ms":1790000000123,"source":"gw","sequence":5,"kind":"policy.changed","fact":{"n":[1,2],"to":"a"}}"#,
            br#"{"v":7}"#,
            b"\xff\x1b no json",
        ];
        let mut out = Vec::new();
        for (index, bytes) in (0..).zip(entries) {
            write(&mut out, (index, bytes), LedgerFormat::Text, Palette::Plain).unwrap();
            write(&mut out, (index, bytes), LedgerFormat::Json, Palette::Plain).unwrap();
        }
        expect![[r#"
                   0  2026-09-21T14:13:20.123Z  gw #3  heartbeat
            {"apiVersion":"weir.dev/v1alpha1","kind":"LedgerEntry","index":0,"entry":{"v":1,"at_ms":1790000000123,"source":"gw","sequence":3,"kind":"heartbeat"}}
                   1  2026-09-21T14:13:20.123Z  gw #4  session.killed by="anna b" session=0190 why="\u001b[2Jno"
            {"apiVersion":"weir.dev/v1alpha1","kind":"LedgerEntry","index":1,"entry":{"v":1,"at_ms":1790000000123,"source":"gw","sequence":4,"kind":"session.killed","fact":{"session":"0190","by":"anna b","why":"\u001b[2Jno"}}}
                   2  2026-09-21T14:13:20.123Z  gw #5  policy.changed n=[1,2] to=a
            {"apiVersion":"weir.dev/v1alpha1","kind":"LedgerEntry","index":2,"entry":{"v":1,"at_ms":1790000000123,"source":"gw","sequence":5,"kind":"policy.changed","fact":{"n":[1,2],"to":"a"}}}
                   3  the entry is not one of Weir's: {"v":7}
            {"apiVersion":"weir.dev/v1alpha1","kind":"LedgerEntry","index":3,"entry":{"v":7}}
                   4  the entry is not one of Weir's: �\u{1b} no json
            {"apiVersion":"weir.dev/v1alpha1","kind":"LedgerEntry","index":4,"text":"�\u001b no json"}
        "#]].assert_eq(&String::from_utf8(out).unwrap());
    }
}
