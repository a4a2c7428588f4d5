//! Times of the audit log, in microseconds since 1970 (UTC), and as people read them.

use chrono::{DateTime, SecondsFormat, Utc};

pub(super) fn parse(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
}

/// To the millisecond.
pub(crate) fn moment(at_us: i64) -> String {
    let time: Option<DateTime<Utc>> = DateTime::from_timestamp_micros(at_us);
    time.map_or_else(
        || "a time that cannot be written".to_owned(),
        |time| time.to_rfc3339_opts(SecondsFormat::Millis, true),
    )
}
