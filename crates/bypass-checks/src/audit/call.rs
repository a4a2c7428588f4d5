//! A privileged request, put together from the stages that the log has of it.

use super::event::{AuditUser, Event, ObjectRef, ResponseStatus};
use super::{Place, time};
use crate::names::{BREAK_GLASS_ANNOTATION, FAILURE_ANNOTATION, POLICY, SESSION_KEY};
use access_model::Verb;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// A privileged request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub verb: Verb,
    /// The object; of a proxy without its scheme and port.
    pub namespace: Option<String>,
    pub name: String,
    pub uid: Option<String>,
    /// Of exec and attach, as the request names them.
    pub container: Option<String>,
    pub command: Vec<String>,
    /// Who proved who they are.
    pub user: Person,
    /// For whom they stood.
    pub impersonated: Option<Person>,
    pub outcome: Outcome,
    /// Who the policy says broke the glass.
    pub break_glass: Option<String>,
    /// Microseconds since 1970 (UTC).
    pub received_us: i64,
    /// `None` where the log does not have its end.
    pub ended_us: Option<i64>,
    pub audit_id: String,
    pub source_addresses: Vec<String>,
    pub user_agent: String,
    /// Of its last stage that was read.
    pub place: Place,
}

/// Who, as the API server has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub uid: Option<String>,
    pub groups: Vec<String>,
    /// The values of the session key: one, where the gateway set it.
    pub sessions: Vec<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It reached what it asked for.
    Passed,
    /// It was refused before it reached anything.
    Refused { code: u16, by_policy: bool, message: String },
    /// It may have reached what it asked for.
    Unclear { why: String },
}

impl Call {
    /// As whom the API server treated it.
    #[must_use]
    pub fn acting(&self) -> &Person {
        self.impersonated.as_ref().unwrap_or(&self.user)
    }

    /// `shop/web`, or the name of a node.
    #[must_use]
    pub fn object(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Person {
    pub(super) fn of(user: AuditUser) -> Self {
        let AuditUser { username, uid, groups, mut extra } = user;
        let uid = uid.filter(|uid| !uid.is_empty());
        Self {
            name: username,
            uid,
            groups,
            sessions: extra.remove(SESSION_KEY).unwrap_or_default(),
        }
    }
}

/// What makes two lines the same request. The id alone does not: clients may choose it (`Audit-ID`), and whoever gives
/// two requests one id must not hide one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    audit_id: String,
    received: String,
    action: String,
    request_uri: String,
    user: String,
}

/// A request of which not all stages are read yet.
#[derive(Debug)]
pub(super) struct Stages {
    /// The time of each stage that was read. Two of one stage are two requests.
    seen: BTreeMap<String, String>,
    call: Call,
}

/// What a line says beside its event.
#[derive(Debug)]
pub(super) struct Line<'line> {
    pub(super) verb: Verb,
    pub(super) action: &'line str,
    pub(super) stage: &'line str,
    pub(super) stage_timestamp: &'line str,
    pub(super) object: &'line ObjectRef<'line>,
    pub(super) place: Place,
}

/// Requests, by what makes their lines the same.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<Key, Vec<Stages>>);

impl Calls {
    pub(super) fn add(&mut self, line: &Line<'_>, event: Event) {
        let key = Key {
            audit_id: event.audit_id.clone(),
            received: event.request_received_timestamp.clone(),
            action: line.action.to_owned(),
            request_uri: event.request_uri.clone(),
            user: event.user.username.clone(),
        };
        let requests = self.0.entry(key).or_default();
        let is_known = |stages: &Stages| {
            stages.seen.get(line.stage).is_some_and(|at| at == line.stage_timestamp)
        };
        // The same line again: files that overlap.
        if requests.iter().any(is_known) {
            return;
        }
        let open = requests.iter_mut().find(|stages| !stages.seen.contains_key(line.stage));
        let stages = match open {
            Some(stages) => stages,
            None => {
                requests.push(Stages::new(line, &event));
                let Some(last) = requests.last_mut() else { return };
                last
            }
        };
        stages.add(line, event);
    }

    /// In the order in which they came to the API server.
    pub(super) fn finish(self) -> Vec<Call> {
        let mut calls: Vec<Call> =
            self.0.into_values().flatten().map(|stages| stages.call).collect();
        calls.sort_by(|one, other| {
            (one.received_us, &one.audit_id, &one.place).cmp(&(
                other.received_us,
                &other.audit_id,
                &other.place,
            ))
        });
        calls
    }
}

impl Stages {
    fn new(line: &Line<'_>, event: &Event) -> Self {
        let object = line.object;
        let parameters = parameters(&event.request_uri);
        let of = |name: &str| {
            let named = parameters.iter().filter(move |(parameter, _)| parameter == name);
            named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let name = match line.verb {
            Verb::Proxy | Verb::NodeProxy => bare_name(&object.name).to_owned(),
            Verb::Exec
            | Verb::Attach
            | Verb::PortForward
            | Verb::Debug
            | Verb::Logs
            | Verb::TokenRequest
            | Verb::ServerDebug
            | Verb::Api => object.name.clone().into_owned(),
        };
        let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let call = Call {
            verb: line.verb,
            namespace: optional(&object.namespace),
            name,
            uid: optional(&object.uid),
            container: of("container").into_iter().next(),
            command: of("command"),
            user: Person::default(),
            impersonated: None,
            outcome: Outcome::Unclear { why: NO_OUTCOME.to_owned() },
            break_glass: None,
            received_us: time::parse(&event.request_received_timestamp)
                .or_else(|| time::parse(line.stage_timestamp))
                .unwrap_or_default(),
            ended_us: None,
            audit_id: event.audit_id.clone(),
            source_addresses: event.source_addresses.clone(),
            user_agent: event.user_agent.clone(),
            place: line.place.clone(),
        };
        Self { seen: BTreeMap::new(), call }
    }

    /// Later stages know more: who was impersonated, what came of it.
    fn add(&mut self, line: &Line<'_>, event: Event) {
        self.seen.insert(line.stage.to_owned(), line.stage_timestamp.to_owned());
        let call = &mut self.call;
        call.place = line.place.clone();
        if call.user == Person::default() {
            call.user = Person::of(event.user);
        }
        if let Some(impersonated) = event.impersonated_user {
            call.impersonated = Some(Person::of(impersonated));
        }
        if let Some(identity) = event.annotations.get(BREAK_GLASS_ANNOTATION) {
            call.break_glass = Some(identity.clone());
        }
        if line.stage == "ResponseComplete" || line.stage == "Panic" {
            call.ended_us = time::parse(line.stage_timestamp);
        }
        if let Some(status) = event.response_status {
            let by_policy = event
                .annotations
                .get(FAILURE_ANNOTATION)
                .is_some_and(|failure| failure.contains(POLICY))
                || status.message.contains(POLICY);
            call.outcome = outcome(call.verb, status, by_policy);
        }
    }
}

const NO_OUTCOME: &str = "the log does not have what became of it";

/// What was refused reached nothing. A proxy's status is that of what it reached, unless the API server says by its own
/// `Status` that it refused; an error of the server's may have come after the request went on.
fn outcome(verb: Verb, status: ResponseStatus, by_policy: bool) -> Outcome {
    let ResponseStatus { status, message, code } = status;
    let is_proxy = matches!(verb, Verb::Proxy | Verb::NodeProxy);
    match code {
        400..=499 if !is_proxy || status == "Failure" => {
            Outcome::Refused { code, by_policy, message }
        }
        500..=599 if !is_proxy || status == "Failure" => {
            Outcome::Unclear { why: format!("the API server answered {code}") }
        }
        0 => Outcome::Unclear { why: NO_OUTCOME.to_owned() },
        _ => Outcome::Passed,
    }
}

/// `https:web:8443` as a name is scheme, name and port.
fn bare_name(name: &str) -> &str {
    let mut parts = name.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_scheme), Some(name), Some(_port)) => name,
        (Some(name), Some(_port), None) => name,
        _ => name,
    }
}

/// The query of a request, decoded.
fn parameters(request_uri: &str) -> Vec<(String, String)> {
    let Some((_, query)) = request_uri.split_once('?') else { return Vec::new() };
    let decoded =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_proxies_are_taken_apart() {
        let names = ["web", "web:80", "https:web:", "https:web:8443", ":web:80"].map(bare_name);
        assert_eq!(names, ["web"; 5]);
    }

    #[test]
    fn command_lines_are_decoded() {
        let found = parameters("/x?command=sh&command=-c&command=a%20%26%26+b%2B&tty=true&command");
        let expected = [
            ("command", "sh"),
            ("command", "-c"),
            ("command", "a && b+"),
            ("tty", "true"),
            ("command", ""),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parameters("/x"), []);
    }
}
