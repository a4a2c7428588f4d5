//! On random targets: what is classified is what an API server would see, whoever tidies the path in between, and
//! nothing that it would take for a privileged sub-resource is plain API traffic.

#![expect(clippy::indexing_slicing, reason = "the oracle is written as plainly as possible")]

#[path = "oracle/api_server.rs"]
mod api_server;
#[path = "oracle/targets.rs"]
mod targets;

use access_model::{Head, HttpVersion, Object, Refusal, Request, Verb, classify};
use api_server::Resolved;
use proptest::prelude::*;

type Headers = &'static [(&'static str, &'static [u8])];

const PLAIN: Headers = &[("host", b"gateway"), ("accept", b"application/json")];
const WEBSOCKET: Headers = &[
    ("connection", b"Upgrade"),
    ("upgrade", b"websocket"),
    ("sec-websocket-version", b"13"),
    ("sec-websocket-protocol", b"v5.channel.k8s.io"),
];
const SPDY: Headers = &[
    ("connection", b"Upgrade"),
    ("upgrade", b"SPDY/3.1"),
    ("x-stream-protocol-version", b"v4.channel.k8s.io"),
];

fn read(method: &str, target: &str, headers: Headers) -> Result<Request, Refusal> {
    let version = HttpVersion::Http11;
    classify(&Head { method, target, version, protocol: None, headers })
}

fn headers() -> impl Strategy<Value = Headers> {
    prop::sample::select(&[PLAIN, WEBSOCKET, SPDY][..])
}

/// The same request as the API server's own words have it.
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

/// Privileged paths as somebody would list them who writes a proxy in an afternoon; only for paths that are
/// canonical.
fn naive(method: &str, path: &str) -> Verb {
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    match steps.as_slice() {
        ["api", "v1", "namespaces", _, "pods", _, "exec"] => Verb::Exec,
        ["api", "v1", "namespaces", _, "pods", _, "attach"] => Verb::Attach,
        ["api", "v1", "namespaces", _, "pods", _, "portforward"] => Verb::PortForward,
        ["api", "v1", "namespaces", _, "pods", _, "ephemeralcontainers"] if method != "GET" => {
            Verb::Debug
        }
        ["api", "v1", "namespaces", _, "pods", _, "log"] => Verb::Logs,
        ["apis", _, _, "namespaces", _, _, _, "log"] | ["apis", _, _, _, _, "log"] => Verb::Logs,
        ["api", "v1", "namespaces", _, "pods" | "services", _, "proxy", ..] => Verb::Proxy,
        ["api", "v1", "nodes", _, "proxy", ..] => Verb::NodeProxy,
        ["api", "v1", "namespaces", _, "serviceaccounts", _, "token"] => Verb::TokenRequest,
        ["logs" | "debug", ..] => Verb::ServerDebug,
        _ => Verb::Api,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_checked_is_what_an_api_server_sees(
        method in targets::method(), target in targets::target(), headers in headers(),
    ) {
        let Ok(request) = read(method, &target, headers) else { return Ok(()) };
        let query = api_server::go_query(&target);
        let path = api_server::go_path(&target).expect("it was classified");
        let ours = as_resolved(&request);
        for path in [path.clone(), api_server::cleaned(&path)] {
            prop_assert_eq!(api_server::resolve(method, &path, &query), Some(ours.clone()));
        }
        let sent = request.target();
        let path = api_server::go_path(&sent).expect("it was written by us");
        let seen = api_server::resolve(method, &path, &api_server::go_query(&sent));
        prop_assert_eq!(seen, Some(ours));
    }

    #[test]
    fn nothing_privileged_is_plain(
        method in targets::method(), target in targets::target(), headers in headers(),
    ) {
        let Ok(request) = read(method, &target, headers) else { return Ok(()) };
        let query = api_server::go_query(&target);
        let path = api_server::go_path(&target).expect("it was classified");
        for path in [path.clone(), api_server::cleaned(&path), path.to_lowercase()] {
            if let Some(seen) = api_server::resolve(method, &path, &query)
                && seen.is_privileged(method)
            {
                prop_assert_ne!(request.verb(), Verb::Api, "{} {:?}", path, seen);
            }
        }
    }

    #[test]
    fn what_is_sent_is_classified_as_the_same(
        method in targets::method(), target in targets::target(), headers in headers(),
    ) {
        let Ok(request) = read(method, &target, headers) else { return Ok(()) };
        prop_assert_eq!(read(method, &request.target(), headers), Ok(request));
    }

    #[test]
    fn a_naive_list_agrees(
        method in targets::method(), target in targets::target(), headers in headers(),
    ) {
        let Ok(request) = read(method, &target, headers) else { return Ok(()) };
        prop_assert_eq!(request.verb(), naive(method, &request.path));
    }

    #[test]
    fn flags_and_command_are_what_an_api_server_reads(
        target in targets::target(), headers in headers(),
    ) {
        let Ok(request) = read("GET", &target, headers) else { return Ok(()) };
        let Some(streams) = request.streams() else { return Ok(()) };
        for target in [target, request.target()] {
            let query = api_server::go_query(&target);
            let command: Vec<String> = query.iter()
                .filter(|(key, _)| key == "command").map(|(_, value)| value.clone()).collect();
            if request.verb() == Verb::Exec {
                prop_assert_eq!(request.command(), command.as_slice());
            }
            let flag = |key| api_server::flag(&query, key);
            prop_assert_eq!(
                (streams.stdin, streams.stdout, streams.terminal),
                (flag("stdin"), flag("stdout"), flag("tty"))
            );
            prop_assert_eq!(streams.stderr, flag("stderr") && !flag("tty"));
            let container = api_server::first(&query, "container").filter(|name| !name.is_empty());
            prop_assert_eq!(request.container(), container);
        }
    }

    #[test]
    fn any_text_has_an_answer(method in "\\PC{0,8}", target in "\\PC{0,40}", value in any::<Vec<u8>>()) {
        let headers: &[(&str, &[u8])] = &[("connection", &value), ("upgrade", &value)];
        for version in [HttpVersion::Http10, HttpVersion::Http11, HttpVersion::Http2] {
            let head = Head { method: &method, target: &target, version, protocol: None, headers };
            if let Ok(request) = classify(&head) {
                prop_assert_eq!(request.transport(), None);
            }
        }
    }
}

/// The generator has to reach what the properties are about.
#[test]
fn random_targets_reach_each_verb() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    let strategy = (targets::method(), targets::target(), headers());
    for _ in 0..20_000 {
        let (method, target, headers) =
            strategy.new_tree(&mut runner).expect("a strategy that never refuses").current();
        match read(method, &target, headers) {
            Ok(request) => seen.insert(request.verb().word()),
            Err(refusal) => seen.insert(refusal.code()),
        };
    }
    for verb in Verb::ALL {
        assert!(seen.contains(verb.word()), "{} is never made: {seen:?}", verb.word());
    }
}
