//! A line of a batch: one query, read without copying, and what is wrong with a line that is none.

use question_syntax::{did_you_mean, near};
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

const FIELDS: [&str; 5] = ["id", "from", "to", "protocol", "port"];

/// A query as it is written; what its texts stand for is not known yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query<'a> {
    /// Any JSON scalar.
    #[serde(borrow)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) from: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) to: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) protocol: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) port: Option<PortText<'a>>,
}

/// `Option<Cow>` would always copy.
#[derive(Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PortText<'a> {
    /// 1 to 65535.
    Number(u16),
    Name(Cow<'a, str>),
}

/// Why a line is no query, and its `id` where that could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misread<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) message: String,
}

/// Reads a line.
pub(crate) fn read(line: &str) -> Result<Query<'_>, Misread<'_>> {
    match serde_json::from_str::<Query<'_>>(line) {
        Ok(query) if query.id.is_none_or(|id| is_scalar(id.get())) => Ok(query),
        Ok(_) => Err(Misread { id: None, message: ID_IS_NO_SCALAR.to_owned() }),
        Err(error) => Err(diagnose(line, &error)),
    }
}

const ID_IS_NO_SCALAR: &str =
    "`id` is a string of whole characters, a number that is not infinite, true, false or null";

/// It is written into the answer as it is, so what reads the answer must be able to read it: no number
/// beyond all bounds, no half of a character.
fn is_scalar(json: &str) -> bool {
    const LONGEST_NUMBER: usize = 300;
    let is_doubtful = match json.as_bytes().first() {
        Some(b'{' | b'[') => return false,
        Some(b'"') => json.contains('\\'),
        Some(_) | None => json.contains(['e', 'E']) || json.len() > LONGEST_NUMBER,
    };
    !is_doubtful || serde_json::from_str::<serde_json::Value>(json).is_ok()
}

/// Reads the line a second time, field by field, to say what is wrong with it.
fn diagnose<'a>(line: &'a str, error: &serde_json::Error) -> Misread<'a> {
    let Ok(Fields(fields)) = serde_json::from_str::<Fields<'a>>(line) else {
        let message = if line.trim_start().starts_with('{') {
            format!("not JSON: {error}")
        } else {
            "a query is a JSON object with `from`, `to`, `protocol` and `port`".to_owned()
        };
        return Misread { id: None, message };
    };
    let value = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.get())
    };
    let id = value("id").filter(|id| is_scalar(id));
    let problems = [
        twice(&fields),
        unknown(&fields),
        value("id").filter(|id| !is_scalar(id)).map(|_| ID_IS_NO_SCALAR.to_owned()),
        not_text("from", value("from")),
        not_text("to", value("to")),
        value("protocol")
            .filter(|value| *value != "null")
            .and_then(|value| not_text("protocol", Some(value))),
        value("port")
            .filter(|port| serde_json::from_str::<Option<PortText<'_>>>(port).is_err())
            .map(bad_port),
    ];
    let message = problems.into_iter().flatten().next();
    Misread { id, message: message.unwrap_or_else(|| error.to_string()) }
}

fn twice(fields: &[(Cow<'_, str>, &RawValue)]) -> Option<String> {
    let is_twice = |(index, (name, _)): &(usize, &(Cow<'_, str>, &RawValue))| {
        fields.iter().take(*index).any(|(before, _)| before == name) && FIELDS.contains(&&**name)
    };
    let (_, (name, _)) = fields.iter().take(MOST_FIELDS).enumerate().find(is_twice)?;
    Some(format!("`{name}` is there twice"))
}

/// A line with more fields than this is wrong in more ways than need to be told.
const MOST_FIELDS: usize = 64;

fn unknown(fields: &[(Cow<'_, str>, &RawValue)]) -> Option<String> {
    let (name, _) = fields.iter().find(|(name, _)| !FIELDS.contains(&&**name))?;
    let near = near(name, FIELDS.into_iter());
    let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    Some(format!("a query has no field `{}`{}", short(name), did_you_mean(&near)))
}

fn not_text(name: &str, value: Option<&str>) -> Option<String> {
    match value {
        None => Some(format!("`{name}` is missing")),
        // A string that serde_json refuses has half of a surrogate pair.
        Some(value) if value.starts_with('"') => serde_json::from_str::<String>(value)
            .err()
            .map(|_| format!("`{name}` is no Unicode text")),
        Some(_) => Some(format!("`{name}` is not a string")),
    }
}

fn bad_port(port: &str) -> String {
    format!("`port` is a number from 1 to 65535, or a name: {} is neither", short(port))
}

/// The start of a text that may be as long as the line.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for PortText<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortVisitor)
    }
}

struct PortVisitor;

impl<'de> Visitor<'de> for PortVisitor {
    type Value = PortText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port number or a name")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<PortText<'de>, E> {
        match u16::try_from(number) {
            Ok(port) if port != 0 => Ok(PortText::Number(port)),
            Ok(_) | Err(_) => Err(E::custom("a port is 1 to 65535")),
        }
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<PortText<'de>, E> {
        Ok(PortText::Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<PortText<'de>, E> {
        Ok(PortText::Name(Cow::Owned(name.to_owned())))
    }
}

/// All fields of an object, whatever they are called, in order.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
        let mut fields = Vec::new();
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            fields.push((name, value));
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &str) -> (Option<&str>, String) {
        let misread = read(line).map(|_| ()).unwrap_err();
        (misread.id, misread.message)
    }

    #[test]
    fn a_query_is_read_without_copies() {
        let line =
            r#"{"id": "a\u0041", "from":"shop/web","to":"10.0.0.9","protocol":"UDP","port":53}"#;
        let query = read(line).unwrap();
        assert_eq!(query.id.unwrap().get(), r#""a\u0041""#);
        assert!(matches!(query.from, Cow::Borrowed("shop/web")));
        assert!(matches!(query.to, Cow::Borrowed("10.0.0.9")));
        assert!(matches!(query.protocol, Some(Text(Cow::Borrowed("UDP")))));
        assert_eq!(query.port, Some(PortText::Number(53)));
    }

    #[test]
    fn what_is_left_out_or_null_is_not_there() {
        let query = read(r#"{"from":"a/b","to":"c/d","protocol":null,"id":null}"#).unwrap();
        assert!(query.id.is_none() && query.protocol.is_none() && query.port.is_none());
    }

    #[test]
    fn an_id_that_a_reader_of_the_answer_cannot_read_is_none() {
        for id in ["1.5e3443", &"9".repeat(400), r#""\ud83d""#] {
            let line = format!(r#"{{"id":{id},"from":"a/b","to":"c/d"}}"#);
            assert_eq!(wrong(&line), (None, ID_IS_NO_SCALAR.to_owned()), "{id}");
            assert_eq!(wrong(&format!(r#"{{"id":{id}}}"#)).0, None, "{id}");
        }
        for id in ["1.5e3", "-0", "18446744073709551616", r#""\ud83d\ude00""#, "false"] {
            let line = format!(r#"{{"id":{id},"from":"a/b","to":"c/d"}}"#);
            assert_eq!(read(&line).unwrap().id.map(RawValue::get), Some(id));
        }
    }

    #[test]
    fn mistakes_are_named_with_the_id_of_the_query() {
        let line = r#"{"form":"a/b","to":"c/d","id":7}"#;
        let message = "a query has no field `form`: did you mean `from`?";
        assert_eq!(wrong(line), (Some("7"), message.to_owned()));
        let of = |line| wrong(line).1;
        assert_eq!(of(r#"{"to":"c/d"}"#), "`from` is missing");
        assert_eq!(of(r#"{"from":1,"to":"c/d"}"#), "`from` is not a string");
        assert_eq!(of(r#"{"from":"a/b","from":"a/b","to":"c/d"}"#), "`from` is there twice");
        assert_eq!(of(r#"{"from":"\ud800","to":"c/d"}"#), "`from` is no Unicode text");
        assert_eq!(wrong(r#"{"id":[1],"from":"a/b","to":"c/d"}"#), (None, ID_IS_NO_SCALAR.into()));
        assert!(of("[1]").starts_with("a query is a JSON object"));
        assert!(of(r#"{"id":1"#).starts_with("not JSON: "));
        for port in ["0", "65536", "-1", "80.5", "true", "[80]"] {
            let line = format!(r#"{{"id":1,"from":"a/b","to":"c/d","port":{port}}}"#);
            assert!(wrong(&line).1.starts_with("`port` is a number from 1"), "{port}");
        }
    }

    #[test]
    fn nesting_is_no_danger() {
        let deep = format!(r#"{{"id":1,"from":{}"#, "[".repeat(500_000));
        assert!(wrong(&deep).1.starts_with("not JSON"));
        let closed = format!(r#"{{"x":{}{}}}"#, "[".repeat(300_000), "]".repeat(300_000));
        assert_eq!(wrong(&closed).1, "a query has no field `x`");
    }
}
