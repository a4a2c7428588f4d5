//! Bytes of a request's head: the first line is method and target, each other line a header. What is classified is
//! what an API server would see, and what is sent on is classified as the same.

#[path = "../../crates/access-model/tests/oracle/api_server.rs"]
#[expect(clippy::indexing_slicing, reason = "the oracle is written as plainly as possible")]
mod api_server;

use access_model::{Head, HttpVersion, Object, Request, Verb, classify};
use api_server::Resolved;

pub fn classifier(bytes: &[u8]) {
    classified(bytes);
}

/// The word of the verb or of the refusal, where the first line is text.
pub fn classified(bytes: &[u8]) -> Option<&'static str> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (method, target) = str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let headers: Vec<(&str, &[u8])> = lines.filter_map(header).take(32).collect();
    let version = HttpVersion::Http11;
    let head = Head { method, target, version, protocol: None, headers: &headers };
    let request = match classify(&head) {
        Ok(request) => request,
        Err(refusal) => {
            assert!(refusal.to_string().len() < 2_000 && !refusal.help().is_empty());
            return Some(refusal.code());
        }
    };
    seen_as_an_api_server_does(method, target, &request);
    let sent = request.target();
    seen_as_an_api_server_does(method, &sent, &request);
    let again = classify(&Head { target: &sent, ..head });
    assert_eq!(again.as_ref(), Ok(&request), "another request is sent");
    Some(request.verb().word())
}

fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    Some((str::from_utf8(name).ok()?, value.get(1..)?.trim_ascii()))
}

fn seen_as_an_api_server_does(method: &str, target: &str, request: &Request) {
    let path = api_server::go_path(target);
    assert!(path.is_some(), "an API server could not read {target}");
    let path = path.unwrap_or_default();
    let query = api_server::go_query(target);
    for path in [api_server::cleaned(&path), path] {
        let seen = api_server::resolve(method, &path, &query);
        assert_eq!(seen.as_ref(), Some(&as_resolved(request)));
        let is_privileged = seen.is_some_and(|seen| seen.is_privileged(method));
        assert!(!is_privileged || request.verb() != Verb::Api, "{path} is privileged");
    }
    if let Some(streams) = request.streams() {
        let flag = |name| api_server::flag(&query, name);
        assert_eq!((streams.stdin, streams.terminal), (flag("stdin"), flag("tty")));
        let container = api_server::first(&query, "container").filter(|name| !name.is_empty());
        assert_eq!(request.container(), container);
    }
}

fn as_resolved(request: &Request) -> Resolved {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match &request.object {
        Object::Path => Resolved { verb: request.action.to_owned(), ..Resolved::default() },
        Object::Resource(resource) => Resolved {
            is_resource: true,
            verb: request.action.to_owned(),
            group: resource.group.clone(),
            version: resource.version.clone(),
            namespace: text(&resource.namespace),
            resource: resource.resource.clone(),
            subresource: text(&resource.subresource),
            name: text(&resource.name),
        },
    }
}
