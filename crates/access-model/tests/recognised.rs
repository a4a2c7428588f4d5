//! What requests of real clients are, and what is sent on for them.

#![expect(clippy::format_push_string, reason = "a line of a table is no hot path")]
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use access_model::{
    Detail, Head, HttpVersion, Object, Refusal, Request, Transport, Verb, classify,
};
use expect_test::{Expect, expect};

type Headers<'text> = &'text [(&'text str, &'text [u8])];

const WEBSOCKET: Headers<'_> = &[
    ("Connection", b"Upgrade"),
    ("Upgrade", b"websocket"),
    ("Sec-WebSocket-Version", b"13"),
    ("Sec-WebSocket-Protocol", b"v5.channel.k8s.io, v4.channel.k8s.io"),
];

fn read(line: &str, headers: Headers<'_>) -> Result<Request, Refusal> {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    let version = HttpVersion::Http11;
    classify(&Head { method, target, version, protocol: None, headers })
}

/// One line: verb, action, object, and the target if it is written in another way.
fn line(line: &str, headers: Headers<'_>) -> String {
    let request = match read(line, headers) {
        Ok(request) => request,
        Err(refusal) => return format!("{line}\n  refused: {refusal} ({})\n", refusal.code()),
    };
    let object = match &request.object {
        Object::Path => "path".to_owned(),
        Object::Resource(resource) => {
            let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            format!(
                "{}/{}/{} ns={} name={} sub={}",
                resource.group,
                resource.version,
                resource.resource,
                or_none(&resource.namespace),
                or_none(&resource.name),
                or_none(&resource.subresource),
            )
        }
    };
    let mut found = format!("{line}\n  {} {} {object}", request.verb().word(), request.action);
    if request.watch {
        found.push_str(" watch");
    }
    if request.mutates() {
        found.push_str(" mutates");
    }
    if request.bodies_are_secret() {
        found.push_str(" secret");
    }
    if request.brings_pods() {
        found.push_str(" pods");
    }
    match &request.detail {
        Detail::Proxy(target) | Detail::NodeProxy(target) => found += &format!("\n  {target:?}"),
        Detail::Logs { container, follow } => {
            found += &format!("\n  container={container:?} follow={follow}");
        }
        Detail::Exec { .. } | Detail::Attach { .. } => {
            let streams = request.streams().expect("exec and attach have them");
            let (container, command) = (request.container(), request.command());
            found += &format!("\n  {container:?} {command:?} {streams:?}");
        }
        Detail::PortForward { ports, .. } => found += &format!("\n  {ports:?}"),
        Detail::Debug | Detail::TokenRequest | Detail::ServerDebug | Detail::Api => {}
    }
    let sent = request.target();
    if !line.ends_with(&format!(" {sent}")) {
        found += &format!("\n  sent: {sent}");
    }
    found + "\n"
}

fn check(lines: &[&str], headers: Headers<'_>, expected: &Expect) {
    let found: String = lines.iter().map(|text| line(text, headers)).collect();
    expected.assert_eq(&found);
}

#[test]
fn streams() {
    check(
        &[
            "GET /api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&command=cat%3B+echo+done&container=c&stderr=true&stdin=true&stdout=true",
            "GET /api/v1/namespaces/default/pods/p/exec?stdout=True&stdin=False&tty=1&stderr=true&command=sh&timeout=5s",
            "GET /api/v1/namespaces/default/pods/p/exec?command=echo&command=&command=%C3%A9%0A&stdout=true&container=",
            "GET /api/v1/namespaces/default/pods/p/attach?container=c&stderr=true&stdout=true",
            "GET /api/v1/namespaces/default/pods/p/portforward",
            "GET /api/v1/namespaces/default/pods/p/portforward?ports=80,81&ports=8443",
        ],
        WEBSOCKET,
        &expect![[r#"
            GET /api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&command=cat%3B+echo+done&container=c&stderr=true&stdin=true&stdout=true
              exec get /v1/pods ns=default name=p sub=exec
              Some("c") ["sh", "-c", "cat; echo done"] Streams { stdin: true, stdout: true, stderr: true, terminal: false }
              sent: /api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&command=cat%3B%20echo%20done&container=c&stderr=true&stdin=true&stdout=true
            GET /api/v1/namespaces/default/pods/p/exec?stdout=True&stdin=False&tty=1&stderr=true&command=sh&timeout=5s
              exec get /v1/pods ns=default name=p sub=exec
              None ["sh"] Streams { stdin: false, stdout: true, stderr: false, terminal: true }
              sent: /api/v1/namespaces/default/pods/p/exec?command=sh&stdout=true&tty=true
            GET /api/v1/namespaces/default/pods/p/exec?command=echo&command=&command=%C3%A9%0A&stdout=true&container=
              exec get /v1/pods ns=default name=p sub=exec
              None ["echo", "", "é\n"] Streams { stdin: false, stdout: true, stderr: false, terminal: false }
              sent: /api/v1/namespaces/default/pods/p/exec?command=echo&command=&command=%C3%A9%0A&stdout=true
            GET /api/v1/namespaces/default/pods/p/attach?container=c&stderr=true&stdout=true
              attach get /v1/pods ns=default name=p sub=attach
              Some("c") [] Streams { stdin: false, stdout: true, stderr: true, terminal: false }
            GET /api/v1/namespaces/default/pods/p/portforward
              port-forward get /v1/pods ns=default name=p sub=portforward
              []
            GET /api/v1/namespaces/default/pods/p/portforward?ports=80,81&ports=8443
              port-forward get /v1/pods ns=default name=p sub=portforward
              [80, 81, 8443]
              sent: /api/v1/namespaces/default/pods/p/portforward?ports=80&ports=81&ports=8443
        "#]],
    );
}

#[test]
fn privileged_without_streams() {
    check(
        &[
            "PATCH /api/v1/namespaces/default/pods/p/ephemeralcontainers",
            "GET /api/v1/namespaces/default/pods/p/ephemeralcontainers",
            "GET /api/v1/namespaces/default/pods/p/log?container=c&follow=true&tailLines=10",
            "GET /apis/build.openshift.io/v1/namespaces/ci/builds/b/log",
            "GET /api/v1/namespaces/default/pods/https:p:8443/proxy/metrics?a=b&a=c",
            "POST /api/v1/namespaces/default/services/web/proxy/",
            "GET /api/v1/namespaces/default/services/web:http/proxy",
            "DELETE /api/v1/namespaces/default/services/:web:/proxy/a/b/",
            "GET /api/v1/nodes/n1/proxy/metrics/cadvisor",
            "GET /api/v1/nodes/n1/proxy/containerLogs/ns/pod/c",
            "GET /api/v1/nodes/n1/proxy/logs/",
            "POST /api/v1/namespaces/default/serviceaccounts/robot/token",
            "GET /logs/kube-apiserver.log",
            "GET /debug/pprof/heap",
        ],
        &[],
        &expect![[r#"
            PATCH /api/v1/namespaces/default/pods/p/ephemeralcontainers
              debug patch /v1/pods ns=default name=p sub=ephemeralcontainers mutates
            GET /api/v1/namespaces/default/pods/p/ephemeralcontainers
              api get /v1/pods ns=default name=p sub=ephemeralcontainers
            GET /api/v1/namespaces/default/pods/p/log?container=c&follow=true&tailLines=10
              logs get /v1/pods ns=default name=p sub=log
              container=Some("c") follow=true
            GET /apis/build.openshift.io/v1/namespaces/ci/builds/b/log
              refused: the sub-resource log of builds is not known (subresource-unknown)
            GET /api/v1/namespaces/default/pods/https:p:8443/proxy/metrics?a=b&a=c
              proxy get /v1/pods ns=default name=https:p:8443 sub=proxy
              ProxyTarget { scheme: Some("https"), name: "p", port: Some("8443"), path: Some("/metrics") }
            POST /api/v1/namespaces/default/services/web/proxy/
              proxy create /v1/services ns=default name=web sub=proxy mutates
              ProxyTarget { scheme: None, name: "web", port: None, path: Some("/") }
            GET /api/v1/namespaces/default/services/web:http/proxy
              proxy get /v1/services ns=default name=web:http sub=proxy
              ProxyTarget { scheme: None, name: "web", port: Some("http"), path: None }
            DELETE /api/v1/namespaces/default/services/:web:/proxy/a/b/
              proxy delete /v1/services ns=default name=:web: sub=proxy mutates
              ProxyTarget { scheme: None, name: "web", port: None, path: Some("/a/b/") }
            GET /api/v1/nodes/n1/proxy/metrics/cadvisor
              node-proxy get /v1/nodes ns=- name=n1 sub=proxy
              ProxyTarget { scheme: None, name: "n1", port: None, path: Some("/metrics/cadvisor") }
            GET /api/v1/nodes/n1/proxy/containerLogs/ns/pod/c
              node-proxy get /v1/nodes ns=- name=n1 sub=proxy
              ProxyTarget { scheme: None, name: "n1", port: None, path: Some("/containerLogs/ns/pod/c") }
            GET /api/v1/nodes/n1/proxy/logs/
              node-proxy get /v1/nodes ns=- name=n1 sub=proxy
              ProxyTarget { scheme: None, name: "n1", port: None, path: Some("/logs/") }
            POST /api/v1/namespaces/default/serviceaccounts/robot/token
              token-request create /v1/serviceaccounts ns=default name=robot sub=token mutates secret
            GET /logs/kube-apiserver.log
              server-debug get path secret
            GET /debug/pprof/heap
              server-debug get path secret
        "#]],
    );
}

#[test]
fn paths_of_the_server() {
    check(
        &[
            "GET /",
            "GET /version?timeout=5s",
            "GET /version/",
            "GET /apis/",
            "GET /api/v1",
            "GET /apis/apps/v1?timeout=32s",
            "GET /openapi/v3/apis/apps/v1?hash=ABC",
            "GET /healthz/etcd",
            "GET /.well-known/openid-configuration",
        ],
        &[],
        &expect![[r#"
            GET /
              api get path
            GET /version?timeout=5s
              api get path
            GET /version/
              api get path
              sent: /version
            GET /apis/
              api get path
              sent: /apis
            GET /api/v1
              api get path
            GET /apis/apps/v1?timeout=32s
              api get path
            GET /openapi/v3/apis/apps/v1?hash=ABC
              api get path
            GET /healthz/etcd
              api get path
            GET /.well-known/openid-configuration
              api get path
        "#]],
    );
}

#[test]
fn plain_traffic_of_the_core_group() {
    check(
        &[
            "GET /api/v1/namespaces/default/pods?limit=500",
            "GET /api/v1/pods?watch=true&resourceVersion=10",
            "GET /api/v1/pods?watch=false",
            "GET /api/v1/namespaces/default/pods/p?watch=true",
            "GET /api/v1/watch/namespaces/default/pods",
            "POST /api/v1/namespaces/default/pods?fieldManager=kubectl-run",
            "POST /api/v1/namespaces/default/pods/p/eviction",
            "POST /api/v1/namespaces/default/pods/p/binding",
            "PATCH /api/v1/namespaces/default/pods/p/resize",
            "PUT /api/v1/namespaces/pci/finalize",
            "GET /api/v1/namespaces/pci/status",
            "GET /api/v1/namespaces/pci",
            "DELETE /api/v1/namespaces/default/secrets",
            "GET /api/v1/namespaces/default/secrets/s",
        ],
        &[],
        &expect![[r#"
            GET /api/v1/namespaces/default/pods?limit=500
              api list /v1/pods ns=default name=- sub=-
            GET /api/v1/pods?watch=true&resourceVersion=10
              api watch /v1/pods ns=- name=- sub=- watch
            GET /api/v1/pods?watch=false
              api list /v1/pods ns=- name=- sub=-
            GET /api/v1/namespaces/default/pods/p?watch=true
              api get /v1/pods ns=default name=p sub=-
            GET /api/v1/watch/namespaces/default/pods
              api watch /v1/pods ns=default name=- sub=- watch
            POST /api/v1/namespaces/default/pods?fieldManager=kubectl-run
              api create /v1/pods ns=default name=- sub=- mutates pods
            POST /api/v1/namespaces/default/pods/p/eviction
              api create /v1/pods ns=default name=p sub=eviction mutates
            POST /api/v1/namespaces/default/pods/p/binding
              api create /v1/pods ns=default name=p sub=binding mutates
            PATCH /api/v1/namespaces/default/pods/p/resize
              api patch /v1/pods ns=default name=p sub=resize mutates
            PUT /api/v1/namespaces/pci/finalize
              api update /v1/namespaces ns=pci name=pci sub=finalize mutates
            GET /api/v1/namespaces/pci/status
              api get /v1/namespaces ns=pci name=pci sub=status
            GET /api/v1/namespaces/pci
              api get /v1/namespaces ns=pci name=pci sub=-
            DELETE /api/v1/namespaces/default/secrets
              api deletecollection /v1/secrets ns=default name=- sub=- mutates secret
            GET /api/v1/namespaces/default/secrets/s
              api get /v1/secrets ns=default name=s sub=- secret
        "#]],
    );
}

#[test]
fn plain_traffic_of_other_groups() {
    check(
        &[
            "POST /apis/authentication.k8s.io/v1/tokenreviews",
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            "PATCH /apis/apps/v1/namespaces/default/deployments/web?fieldManager=kubectl&force=true",
            "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            "GET /apis/custom.metrics.k8s.io/v1beta1/namespaces/default/pods/*/http_requests",
            "PUT /apis/example.com/v1alpha1/namespaces/default/widgets/w/status",
            "GET /apis/example.com/v1/namespaces/default/widgets/exec",
        ],
        &[],
        &expect![[r#"
            POST /apis/authentication.k8s.io/v1/tokenreviews
              api create authentication.k8s.io/v1/tokenreviews ns=- name=- sub=- mutates secret
            POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
              api create authorization.k8s.io/v1/selfsubjectaccessreviews ns=- name=- sub=- mutates
            PATCH /apis/apps/v1/namespaces/default/deployments/web?fieldManager=kubectl&force=true
              api patch apps/v1/deployments ns=default name=web sub=- mutates pods
            GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode
              api get rbac.authorization.k8s.io/v1/clusterroles ns=- name=system:node sub=-
              sent: /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node
            GET /apis/custom.metrics.k8s.io/v1beta1/namespaces/default/pods/*/http_requests
              api get custom.metrics.k8s.io/v1beta1/pods ns=default name=* sub=http_requests
            PUT /apis/example.com/v1alpha1/namespaces/default/widgets/w/status
              api update example.com/v1alpha1/widgets ns=default name=w sub=status mutates
            GET /apis/example.com/v1/namespaces/default/widgets/exec
              api get example.com/v1/widgets ns=default name=exec sub=-
        "#]],
    );
}

fn transport(headers: Headers<'_>) -> Result<Option<Transport>, Refusal> {
    let post = headers.iter().any(|(_, value)| value.eq_ignore_ascii_case(b"spdy/3.1"));
    let method = if post { "POST" } else { "GET" };
    let line = format!("{method} /api/v1/namespaces/n/pods/p/portforward");
    Ok(read(&line, headers)?.transport().cloned())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn protocols_are_offered_in_the_clients_order() {
    let spdy: Headers<'_> = &[
        ("connection", b"keep-alive, upgrade"),
        ("upgrade", b"spdy/3.1"),
        ("x-stream-protocol-version", b"v5.channel.k8s.io"),
        ("x-stream-protocol-version", b"v4.channel.k8s.io, channel.k8s.io"),
    ];
    let protocols = words(&["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"]);
    assert_eq!(transport(spdy), Ok(Some(Transport::Spdy { protocols })));
    let websocket: Headers<'_> = &[
        ("connection", b"Upgrade"),
        ("upgrade", b"WebSocket"),
        (
            "sec-websocket-protocol",
            b"base64url.bearer.authorization.k8s.io.c2VjcmV0, SPDY/3.1+portforward.k8s.io",
        ),
    ];
    let protocols = words(&["SPDY/3.1+portforward.k8s.io"]);
    assert_eq!(transport(websocket), Ok(Some(Transport::WebSocket { protocols })));
    let silent: Headers<'_> = &[("connection", b"Upgrade"), ("upgrade", b"websocket")];
    assert_eq!(transport(silent), Ok(Some(Transport::WebSocket { protocols: vec![] })));
}

#[test]
fn a_review_asks_for_create_whatever_the_method() {
    let request =
        read("GET /api/v1/namespaces/n/pods/p/exec?command=sh&stdout=true", WEBSOCKET).unwrap();
    let access_model::Review::Resource { action, resource } = request.review() else {
        panic!("a pod is a resource");
    };
    assert_eq!((request.action, action), ("get", "create"));
    assert_eq!(Some(resource), request.resource());
    assert_eq!(request.pod(), Some(("n", "p")));
}

#[test]
fn the_pod_of_a_proxy_is_named_without_scheme_and_port() {
    let request = read("GET /api/v1/namespaces/n/pods/https:p:1/proxy/", &[]).unwrap();
    assert_eq!(request.pod(), Some(("n", "p")));
    assert_eq!(request.resource().and_then(|pod| pod.name.as_deref()), Some("https:p:1"));
    let request = read("GET /api/v1/namespaces/n/services/web/proxy/", &[]).unwrap();
    assert_eq!((request.pod(), request.name()), (None, Some("web")));
}

#[test]
fn each_verb_has_a_word_of_its_own() {
    for verb in Verb::ALL {
        assert_eq!(Verb::of_word(verb.word()), Some(verb));
    }
}
