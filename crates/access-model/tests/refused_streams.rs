//! Streams, proxies and claims of an identity that are refused.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "tables/refusing.rs"]
mod refusing;

use access_model::{Head, HttpVersion, classify};
use expect_test::expect;
use refusing::{Headers, check, refusal};

const WEBSOCKET: Headers<'_> = &[("connection", b"Upgrade"), ("upgrade", b"websocket")];
const PODS: &str = "/api/v1/namespaces/n/pods";

#[test]
fn kubelets_and_proxies() {
    check(
        &[
            "GET /api/v1/nodes/x/proxy/exec/n/p/c?command=id&output=1",
            "POST /api/v1/nodes/x/proxy/run/n/p/c?cmd=id",
            "GET /api/v1/nodes/x/proxy/run/n/p/c?cmd=id",
            "GET /api/v1/nodes/x/proxy/attach/n/p/c",
            "GET /api/v1/nodes/x/proxy/portForward/n/p",
            "GET /api/v1/nodes/x/proxy/cri/exec/token",
            "GET /api/v1/nodes/x/proxy/checkpoint/n/p/c",
            "GET /api/v1/nodes/x/proxy/debug/pprof/heap",
            "GET /api/v1/nodes/x/proxy",
            "GET /api/v1/nodes/x/proxy/",
            "GET /api/v1/nodes/x/proxy/metrics/../exec/n/p/c",
            "GET /api/v1/nodes/x/proxy/metrics//exec",
            "GET /api/v1/nodes/x/proxy/metrics?path=/exec/n/p/c",
            "GET /api/v1/nodes/x:10250/proxy/metrics",
            "GET /api/v1/nodes/https:x:2379/proxy/metrics",
            "GET /api/v1/namespaces/n/pods/ftp:p:1/proxy/",
            "GET /api/v1/namespaces/n/pods/a:b:c:d/proxy/",
            "GET /api/v1/namespaces/n/pods/:p/proxy/",
            "GET /api/v1/namespaces/n/pods/P/proxy/",
        ],
        &[],
        &expect![[r#"
            GET /api/v1/nodes/x/proxy/exec/n/p/c?command=id&output=1
              403 kubelet-path: the kubelet's path /exec/n/p/c can run commands, or is not known
            POST /api/v1/nodes/x/proxy/run/n/p/c?cmd=id
              405 method-not-served: the method POST is not served on this path
            GET /api/v1/nodes/x/proxy/run/n/p/c?cmd=id
              403 kubelet-path: the kubelet's path /run/n/p/c can run commands, or is not known
            GET /api/v1/nodes/x/proxy/attach/n/p/c
              403 kubelet-path: the kubelet's path /attach/n/p/c can run commands, or is not known
            GET /api/v1/nodes/x/proxy/portForward/n/p
              403 kubelet-path: the kubelet's path /portForward/n/p can run commands, or is not known
            GET /api/v1/nodes/x/proxy/cri/exec/token
              403 kubelet-path: the kubelet's path /cri/exec/token can run commands, or is not known
            GET /api/v1/nodes/x/proxy/checkpoint/n/p/c
              403 kubelet-path: the kubelet's path /checkpoint/n/p/c can run commands, or is not known
            GET /api/v1/nodes/x/proxy/debug/pprof/heap
              403 kubelet-path: the kubelet's path /debug/pprof/heap can run commands, or is not known
            GET /api/v1/nodes/x/proxy
              403 kubelet-path: the kubelet's path  can run commands, or is not known
            GET /api/v1/nodes/x/proxy/
              403 kubelet-path: the kubelet's path / can run commands, or is not known
            GET /api/v1/nodes/x/proxy/metrics/../exec/n/p/c
              400 path-not-canonical: the path holds a step of dots
            GET /api/v1/nodes/x/proxy/metrics//exec
              400 path-not-canonical: the path holds an empty step (two slashes)
            GET /api/v1/nodes/x/proxy/metrics?path=/exec/n/p/c
              403 kubelet-path: the kubelet's path /metrics can run commands, or is not known
            GET /api/v1/nodes/x:10250/proxy/metrics
              403 kubelet-port: only the kubelet's own port is reached through a node's proxy
            GET /api/v1/nodes/https:x:2379/proxy/metrics
              403 kubelet-port: only the kubelet's own port is reached through a node's proxy
            GET /api/v1/namespaces/n/pods/ftp:p:1/proxy/
              400 name-invalid: ftp:p:1 is no target of a proxy
            GET /api/v1/namespaces/n/pods/a:b:c:d/proxy/
              400 name-invalid: a:b:c:d is no target of a proxy
            GET /api/v1/namespaces/n/pods/:p/proxy/
              400 name-invalid: :p is no target of a proxy
            GET /api/v1/namespaces/n/pods/P/proxy/
              400 name-invalid: P is no target of a proxy
        "#]],
    );
}

#[test]
fn upgrades_where_none_belong() {
    check(
        &[
            "GET /api/v1/pods?watch=true",
            "GET /version",
            "GET /api/v1/namespaces/n/pods/p/log",
            "GET /api/v1/namespaces/n/pods/p/proxy/",
            "GET /api/v1/nodes/x/proxy/metrics",
            "GET /apis/subresources.kubevirt.io/v1/namespaces/n/virtualmachineinstances/v/console",
            "GET /logs/",
        ],
        WEBSOCKET,
        &expect![[r#"
            GET /api/v1/pods?watch=true
              403 upgrade-not-here: this path is no stream, but the request asks for another protocol
            GET /version
              403 upgrade-not-here: this path is no stream, but the request asks for another protocol
            GET /api/v1/namespaces/n/pods/p/log
              403 upgrade-not-here: this path is no stream, but the request asks for another protocol
            GET /api/v1/namespaces/n/pods/p/proxy/
              403 upgrade-through-proxy: what is spoken through a proxied connection would not be recorded as what it is
            GET /api/v1/nodes/x/proxy/metrics
              403 upgrade-through-proxy: what is spoken through a proxied connection would not be recorded as what it is
            GET /apis/subresources.kubevirt.io/v1/namespaces/n/virtualmachineinstances/v/console
              403 upgrade-not-here: this path is no stream, but the request asks for another protocol
            GET /logs/
              403 upgrade-not-here: this path is no stream, but the request asks for another protocol
        "#]],
    );
    check(
        &["GET /api/v1/namespaces/n/pods/p/exec?command=id&stdout=true"],
        &[],
        &expect![[r#"
        GET /api/v1/namespaces/n/pods/p/exec?command=id&stdout=true
          400 upgrade-missing: this is a stream, but the request does not ask for WebSocket or SPDY
    "#]],
    );
}

#[test]
fn queries_of_streams() {
    let path = format!("GET {PODS}/p/");
    let ends = [
        "exec?command=id&stdout=true&container=a&container=b",
        "exec?command=id&stdout=true&stdout=false",
        "exec?command=id&stdout=yes",
        "exec?command=id&stdout=",
        "exec?command=id",
        "exec?stdout=true",
        "exec?command=a%00b&stdout=true",
        "exec?command=%FF&stdout=true",
        "exec?command=id&stdout=true&output=1",
        "exec?command=id;stdout=true",
        "attach?command=id&stdout=true",
        "portforward?ports=0",
        "portforward?ports=+80",
        "portforward?ports=65536",
        "portforward?ports=",
    ];
    let lines: Vec<String> = ends.iter().map(|end| format!("{path}{end}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check(
        &lines,
        WEBSOCKET,
        &expect![[r#"
        GET /api/v1/namespaces/n/pods/p/exec?command=id&stdout=true&container=a&container=b
          400 parameter-repeated: the parameter container is given more than once
        GET /api/v1/namespaces/n/pods/p/exec?command=id&stdout=true&stdout=false
          400 parameter-repeated: the parameter stdout is given more than once
        GET /api/v1/namespaces/n/pods/p/exec?command=id&stdout=yes
          400 parameter-value: the parameter stdout has a value that is not understood
        GET /api/v1/namespaces/n/pods/p/exec?command=id&stdout=
          400 parameter-value: the parameter stdout has a value that is not understood
        GET /api/v1/namespaces/n/pods/p/exec?command=id
          400 parameter-missing: the request does not say which of stdin, stdout and stderr to open
        GET /api/v1/namespaces/n/pods/p/exec?stdout=true
          400 parameter-missing: the request does not say which command to run
        GET /api/v1/namespaces/n/pods/p/exec?command=a%00b&stdout=true
          400 query-not-readable: the query holds a zero byte
        GET /api/v1/namespaces/n/pods/p/exec?command=%FF&stdout=true
          400 query-not-readable: the query holds text that is not UTF-8
        GET /api/v1/namespaces/n/pods/p/exec?command=id&stdout=true&output=1
          400 parameter-unknown: the parameter output is not known on this path
        GET /api/v1/namespaces/n/pods/p/exec?command=id;stdout=true
          400 query-not-readable: the query holds a semicolon, which some servers take for the end of a parameter
        GET /api/v1/namespaces/n/pods/p/attach?command=id&stdout=true
          400 parameter-unknown: the parameter command is not known on this path
        GET /api/v1/namespaces/n/pods/p/portforward?ports=0
          400 parameter-value: the parameter ports has a value that is not understood
        GET /api/v1/namespaces/n/pods/p/portforward?ports=+80
          400 parameter-value: the parameter ports has a value that is not understood
        GET /api/v1/namespaces/n/pods/p/portforward?ports=65536
          400 parameter-value: the parameter ports has a value that is not understood
        GET /api/v1/namespaces/n/pods/p/portforward?ports=
          400 parameter-value: the parameter ports has a value that is not understood
    "#]],
    );
    check(
        &[
            "GET /api/v1/namespaces/n/pods/p/log?follow=true&follow=false",
            "GET /api/v1/namespaces/n/pods/p/log?path=/x",
            "GET /api/v1/pods?watch=true&watch=false",
            "GET /api/v1/pods?watch=maybe",
            "POST /api/v1/namespaces/n/pods/p/log",
        ],
        &[],
        &expect![[r#"
            GET /api/v1/namespaces/n/pods/p/log?follow=true&follow=false
              400 parameter-repeated: the parameter follow is given more than once
            GET /api/v1/namespaces/n/pods/p/log?path=/x
              400 parameter-unknown: the parameter path is not known on this path
            GET /api/v1/pods?watch=true&watch=false
              400 parameter-repeated: the parameter watch is given more than once
            GET /api/v1/pods?watch=maybe
              400 parameter-value: the parameter watch has a value that is not understood
            POST /api/v1/namespaces/n/pods/p/log
              405 method-not-served: the method POST is not served on this path
        "#]],
    );
}

/// Head of an exec with these headers.
fn exec(version: HttpVersion, protocol: Option<&str>, headers: Headers<'_>) -> String {
    let target = "/api/v1/namespaces/n/pods/p/exec?command=id&stdout=true";
    match classify(&Head { method: "GET", target, version, protocol, headers }) {
        Ok(request) => format!("{:?}", request.transport()),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn upgrades_that_are_unclear() {
    let cases: &[Headers<'_>] = &[
        &[("connection", b"Upgrade")],
        &[("upgrade", b"websocket")],
        &[("connection", b"Upgrade"), ("upgrade", b"websocket"), ("upgrade", b"SPDY/3.1")],
        &[("connection", b"Upgrade"), ("upgrade", b"websocket, SPDY/3.1")],
        &[("connection", b"Upgrade"), ("connection", b"Upgrade"), ("upgrade", b"websocket")],
        &[("connection", b"Upgrade, Upgrade"), ("upgrade", b"websocket")],
        &[("connection", b"Upgrade, Authorization"), ("upgrade", b"websocket")],
        &[("connection", b"noupgrade"), ("upgrade", b"websocket")],
        &[("connection", b"close"), ("upgrade", b"websocket")],
        &[("connection", b"Upgrade"), ("upgrade", b"h2c")],
        &[("connection", b"Upgrade"), ("upgrade", b"websocket\x00")],
        &[("connection", b"Upgrade, HTTP2-Settings"), ("upgrade", b"h2c"), ("http2-settings", b"")],
        &[("sec-websocket-protocol", b"v5.channel.k8s.io")],
        &[("x-stream-protocol-version", b"v4.channel.k8s.io")],
        &[
            ("connection", b"Upgrade"),
            ("upgrade", b"websocket"),
            ("sec-websocket-protocol", b"v5.channel.k8s.io"),
            ("sec-websocket-protocol", b"v4.channel.k8s.io"),
        ],
        &[
            ("connection", b"Upgrade"),
            ("upgrade", b"websocket"),
            ("x-stream-protocol-version", b"v4.channel.k8s.io"),
        ],
        &[
            ("connection", b"Upgrade"),
            ("upgrade", b"spdy/3.1"),
            ("sec-websocket-protocol", b"v5.channel.k8s.io"),
        ],
        &[
            ("connection", b"Upgrade"),
            ("upgrade", b"websocket"),
            ("sec-websocket-protocol", b"a,,b"),
        ],
    ];
    let found: String =
        cases.iter().map(|headers| exec(HttpVersion::Http11, None, headers) + "\n").collect();
    expect![[r#"
        the request asks for another protocol in an unclear way: there is not exactly one Upgrade header
        the request asks for another protocol in an unclear way: there is not exactly one Connection header
        the request asks for another protocol in an unclear way: there is not exactly one Upgrade header
        the request asks for another protocol in an unclear way: the protocol is neither websocket nor SPDY/3.1
        the request asks for another protocol in an unclear way: there is not exactly one Connection header
        the request asks for another protocol in an unclear way: the Connection header does not say upgrade once
        the request asks for another protocol in an unclear way: the Connection header says more than upgrade
        the request asks for another protocol in an unclear way: the Connection header says more than upgrade
        the request asks for another protocol in an unclear way: the Connection header says more than upgrade
        the request asks for another protocol in an unclear way: the protocol is neither websocket nor SPDY/3.1
        the request asks for another protocol in an unclear way: a header is not text
        the request asks for another protocol in an unclear way: the Connection header says more than upgrade
        the request asks for another protocol in an unclear way: there is not exactly one Connection header
        the request asks for another protocol in an unclear way: there is not exactly one Connection header
        the request asks for another protocol in an unclear way: there are several Sec-WebSocket-Protocol headers
        the request asks for another protocol in an unclear way: a WebSocket has no X-Stream-Protocol-Version
        the request asks for another protocol in an unclear way: SPDY has no WebSocket headers
        the request asks for another protocol in an unclear way: a protocol's name is no word
    "#]].assert_eq(&found);
}

#[test]
fn upgrades_over_other_versions_of_http() {
    let found = [
        exec(HttpVersion::Http10, None, WEBSOCKET),
        exec(HttpVersion::Http2, None, WEBSOCKET),
        exec(HttpVersion::Http2, Some("websocket"), &[]),
        exec(HttpVersion::Http11, Some("websocket"), WEBSOCKET),
    ];
    expect![[r#"
        the request asks for another protocol in an unclear way: only HTTP/1.1 has upgrades
        the request asks for another protocol in an unclear way: only HTTP/1.1 has upgrades
        the request asks for another protocol in an unclear way: an extended CONNECT of HTTP/2
        the request asks for another protocol in an unclear way: an extended CONNECT of HTTP/2
    "#]]
    .assert_eq(&(found.join("\n") + "\n"));
}

#[test]
fn claimed_identities() {
    let names = [
        "Impersonate-User",
        "impersonate-group",
        "Impersonate-Uid",
        "IMPERSONATE-EXTRA-scopes",
        "X-Remote-User",
        "x-remote-group",
        "X-Remote-Extra-Weir.dev%2fSession",
    ];
    let found: String = names
        .iter()
        .map(|name| format!("{}\n", refusal("GET /version", &[("host", b"x"), (name, b"root")])))
        .collect();
    expect![[r#"
        the header impersonate-user claims an identity
        the header impersonate-group claims an identity
        the header impersonate-uid claims an identity
        the header impersonate-extra-scopes claims an identity
        the header x-remote-user claims an identity
        the header x-remote-group claims an identity
        the header x-remote-extra-weir.dev%2fsession claims an identity
    "#]]
    .assert_eq(&found);
}
