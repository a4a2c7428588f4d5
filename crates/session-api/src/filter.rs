//! Which sessions a list or a search is about.

use crate::answer::Refused;
use crate::known::Known;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use session_record::SessionId;

const USUAL: usize = 100;
const MOST: usize = 500;

/// As it is written in a request's query. A name that is not here is an error: what is not looked at would be taken
/// for a condition that all sessions meet.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    user: Option<String>,
    cluster: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    verb: Option<String>,
    state: Option<String>,
    command: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
    /// Of a search.
    pub(crate) text: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Filter {
    asked: Asked,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    /// Only what comes after it in a list, which is older.
    cursor: Option<(i64, SessionId)>,
    pub(crate) limit: usize,
}

pub(crate) type InQuery = Result<Query<Asked>, QueryRejection>;

pub(crate) fn asked(query: InQuery) -> Result<Asked, Refused> {
    match query {
        Ok(Query(asked)) => Ok(asked),
        Err(error) => Err(Refused::bad_request(error.body_text())),
    }
}

impl Filter {
    pub(crate) fn of(asked: Asked) -> Result<Self, Refused> {
        let from_ms = time("from", asked.from.as_deref())?;
        let to_ms = time("to", asked.to.as_deref())?;
        let cursor = match asked.cursor.as_deref() {
            None => None,
            Some(text) => Some(parsed(text).ok_or_else(|| {
                Refused::bad_request("`cursor` has to be `next` of an answer before, as it was")
            })?),
        };
        let limit = asked.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Refused::bad_request(format!("`limit` has to be from 1 to {MOST}")));
        }
        Ok(Self { asked, from_ms, to_ms, cursor, limit })
    }

    pub(crate) fn wants(&self, known: &Known) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().filter(|text| !text.is_empty()).is_none_or(|text| Some(text) == found)
        };
        let asked = &self.asked;
        is(&asked.user, Some(&known.user))
            && is(&asked.cluster, Some(&known.cluster))
            && is(&asked.namespace, known.namespace.as_deref())
            && is(&asked.name, known.name.as_deref())
            && is(&asked.verb, Some(&known.verb))
            && is(&asked.state, Some(known.state.word()))
            && asked.command.as_deref().is_none_or(|text| known.command_line().contains(text))
            && self.from_ms.is_none_or(|from| known.at_ms >= from)
            && self.to_ms.is_none_or(|to| known.at_ms < to)
            && self.cursor.is_none_or(|cursor| known.key() < cursor)
    }
}

/// Where a list goes on after this session.
pub(crate) fn cursor(known: &Known) -> String {
    format!("{}.{}", known.at_ms, known.session)
}

fn parsed(cursor: &str) -> Option<(i64, SessionId)> {
    let (at_ms, session) = cursor.split_once('.')?;
    Some((at_ms.parse().ok()?, session.parse().ok()?))
}

fn time(name: &str, text: Option<&str>) -> Result<Option<i64>, Refused> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(Some(time.timestamp_millis())),
        Err(_) => Err(Refused::bad_request(format!(
            "`{name}` has to be a time as RFC 3339 has it, for instance 2026-11-28T08:00:00Z"
        ))),
    }
}
