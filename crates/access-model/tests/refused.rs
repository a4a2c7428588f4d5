//! Paths that are refused: whatever two servers could read in two ways, and whatever is not known. Each is a way
//! past a recording that some proxy left open.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "tables/refusing.rs"]
mod refusing;

use access_model::Refusal;
use expect_test::expect;
use refusing::{check, refusal};

#[test]
fn paths_that_are_not_canonical() {
    check(
        &[
            "GET //api/v1/namespaces/n/pods/p/exec",
            "GET /api//v1/namespaces/n/pods/p/exec",
            "GET /api/v1/./namespaces/n/pods/p/exec",
            "GET /version/../api/v1/namespaces/n/pods/p/exec",
            "GET /api/v1/namespaces/n/pods/p/%2e%2e/q/exec",
            "GET /api/v1/namespaces/n/pods/p/%2E%2E/q/exec",
            "GET /api/v1/namespaces/n/pods/p/.%2E/q/exec",
            "GET /api/v1/namespaces/n/pods/p%2Fexec",
            "GET /api/v1/namespaces/n/pods/p%2fexec",
            "GET /api/v1/namespaces/n/pods/p%5Cexec",
            "GET /api/v1/namespaces/n/pods/p\\exec",
            "GET /api/v1/namespaces/n/pods/p/exec%00",
            "GET /api/v1/namespaces/n/pods/p/%65xec",
            "GET /api/v1/namespaces/n/pods/p/%2565xec",
            "GET /api/v1/namespaces/n/configmaps/%c3%a9",
            "GET /api/v1/namespaces/n/pods/%FF",
            "GET /api/v1/namespaces/n/pods/%",
            "GET /api/v1/namespaces/n/pods/%4",
            "GET /api/v1/namespaces/n/pods/%+1",
            "GET /api/v1/namespaces/n/pods/é",
            "GET /api/v1/namespaces/n/pods/a b",
            "GET /api/v1/namespaces/n/pods/p#/exec",
        ],
        &[],
        &expect![[r#"
            GET //api/v1/namespaces/n/pods/p/exec
              400 path-not-canonical: the path holds an empty step (two slashes)
            GET /api//v1/namespaces/n/pods/p/exec
              400 path-not-canonical: the path holds an empty step (two slashes)
            GET /api/v1/./namespaces/n/pods/p/exec
              400 path-not-canonical: the path holds a step of dots
            GET /version/../api/v1/namespaces/n/pods/p/exec
              400 path-not-canonical: the path holds a step of dots
            GET /api/v1/namespaces/n/pods/p/%2e%2e/q/exec
              400 path-not-canonical: the path holds percent-encoding in lower case
            GET /api/v1/namespaces/n/pods/p/%2E%2E/q/exec
              400 path-not-canonical: the path holds an encoded dot
            GET /api/v1/namespaces/n/pods/p/.%2E/q/exec
              400 path-not-canonical: the path holds an encoded dot
            GET /api/v1/namespaces/n/pods/p%2Fexec
              400 path-not-canonical: the path holds an encoded slash
            GET /api/v1/namespaces/n/pods/p%2fexec
              400 path-not-canonical: the path holds percent-encoding in lower case
            GET /api/v1/namespaces/n/pods/p%5Cexec
              400 path-not-canonical: the path holds an encoded backslash
            GET /api/v1/namespaces/n/pods/p\exec
              400 path-not-canonical: the path holds a byte that has to be percent-encoded
            GET /api/v1/namespaces/n/pods/p/exec%00
              400 path-not-canonical: the path holds a control character
            GET /api/v1/namespaces/n/pods/p/%65xec
              400 path-not-canonical: the path holds percent-encoding of what needs none
            GET /api/v1/namespaces/n/pods/p/%2565xec
              400 path-not-canonical: the path holds an encoded percent sign
            GET /api/v1/namespaces/n/configmaps/%c3%a9
              400 path-not-canonical: the path holds percent-encoding in lower case
            GET /api/v1/namespaces/n/pods/%FF
              400 path-not-canonical: the path holds text that is not UTF-8
            GET /api/v1/namespaces/n/pods/%
              400 path-not-canonical: the path holds a percent sign without two hexadecimal digits
            GET /api/v1/namespaces/n/pods/%4
              400 path-not-canonical: the path holds a percent sign without two hexadecimal digits
            GET /api/v1/namespaces/n/pods/%+1
              400 path-not-canonical: the path holds a percent sign without two hexadecimal digits
            GET /api/v1/namespaces/n/pods/é
              400 path-not-canonical: the path holds a byte that has to be percent-encoded
            GET /api/v1/namespaces/n/pods/a b
              400 path-not-canonical: the path holds a byte that has to be percent-encoded
            GET /api/v1/namespaces/n/pods/p#/exec
              400 path-not-canonical: the path holds a byte that has to be percent-encoded
        "#]],
    );
}

#[test]
fn queries_that_are_not_readable() {
    check(
        &[
            "GET /api/v1/pods?watch=true#x",
            "GET /api/v1/pods?watch=%zz",
            "GET /api/v1/pods?a;watch=true",
            "GET /api/v1/pods?watch=true\t",
        ],
        &[],
        &expect![[r#"
            GET /api/v1/pods?watch=true#x
              400 query-not-readable: the query holds a fragment
            GET /api/v1/pods?watch=%zz
              400 query-not-readable: the query holds a percent sign without two hexadecimal digits
            GET /api/v1/pods?a;watch=true
              400 query-not-readable: the query holds a semicolon, which some servers take for the end of a parameter
            GET /api/v1/pods?watch=true
              400 query-not-readable: the query holds a byte that has to be percent-encoded
        "#]],
    );
}

#[test]
fn targets_that_are_no_paths() {
    check(
        &[
            "GET https://kubernetes/api/v1/pods",
            "GET http://kubernetes:443/api/v1/namespaces/n/pods/p/exec",
            "GET kubernetes:443",
            "GET *",
            "GET ",
            "GET api/v1/pods",
            "CONNECT kubernetes:443",
            "CONNECT /api/v1/namespaces/n/pods/p/exec",
            "get /version",
            "TRACE /version",
            "POST /version",
            "OPTIONS /api/v1/pods",
        ],
        &[],
        &expect![[r#"
            GET https://kubernetes/api/v1/pods
              400 target-not-a-path: the request line has an absolute URI in place of a path
            GET http://kubernetes:443/api/v1/namespaces/n/pods/p/exec
              400 target-not-a-path: the request line has an absolute URI in place of a path
            GET kubernetes:443
              400 target-not-a-path: the request line has something in place of a path
            GET *
              400 target-not-a-path: the request line has an asterisk in place of a path
            GET
              400 target-not-a-path: the request line has nothing in place of a path
            GET api/v1/pods
              400 target-not-a-path: the request line has something in place of a path
            CONNECT kubernetes:443
              405 method-not-served: the method CONNECT is not served
            CONNECT /api/v1/namespaces/n/pods/p/exec
              405 method-not-served: the method CONNECT is not served
            get /version
              405 method-not-served: the method get is not served
            TRACE /version
              405 method-not-served: the method TRACE is not served
            POST /version
              405 method-not-served: the method POST is not served on this path
            OPTIONS /api/v1/pods
              405 method-not-served: the method OPTIONS is not served on this path
        "#]],
    );
}

#[test]
fn paths_of_the_core_group_that_are_not_known() {
    check(
        &[
            "GET /API/v1/pods",
            "GET /api/V1/pods",
            "GET /api/v2/pods",
            "GET /api/v1/Pods",
            "GET /api/v1/namespaces/n/pods/p/EXEC",
            "GET /api/v1/namespaces/n/pods/p/exec/",
            "GET /api/v1/namespaces/n/pods/p/exec/x",
            "GET /api/v1/namespaces/n/pods/",
            "GET /api/v1/pods/p/exec",
            "GET /api/v1/pods/p",
            "GET /api/v1/namespaces/N/pods",
            "GET /api/v1/namespaces/n/pods/p/checkpoint",
            "GET /api/v1/nodes/x/exec",
            "GET /api/v1/namespaces/n/services/s/exec",
            "GET /api/v1/namespaces/n/gadgets",
            "GET /api/v1/namespaces/n/status/pods/p/exec",
        ],
        &[],
        &expect![[r#"
            GET /API/v1/pods
              403 path-unknown: the path /API/v1/pods is not one that the API server is known to have
            GET /api/V1/pods
              403 path-unknown: the path /api/V1/pods is not one that the API server is known to have
            GET /api/v2/pods
              403 path-unknown: the path /api/v2/pods is not one that the API server is known to have
            GET /api/v1/Pods
              400 name-invalid: Pods is no name of a resource
            GET /api/v1/namespaces/n/pods/p/EXEC
              403 subresource-unknown: the sub-resource EXEC of pods is not known
            GET /api/v1/namespaces/n/pods/p/exec/
              403 path-unknown: the path /api/v1/namespaces/n/pods/p/exec/ is not one that the API server is known to have
            GET /api/v1/namespaces/n/pods/p/exec/x
              403 path-unknown: the path /api/v1/namespaces/n/pods/p/exec/x is not one that the API server is known to have
            GET /api/v1/namespaces/n/pods/
              403 path-unknown: the path /api/v1/namespaces/n/pods/ is not one that the API server is known to have
            GET /api/v1/pods/p/exec
              400 resource-out-of-scope: pods are not found at this place of the path
            GET /api/v1/pods/p
              400 resource-out-of-scope: pods are not found at this place of the path
            GET /api/v1/namespaces/N/pods
              400 name-invalid: N is no name of a namespace
            GET /api/v1/namespaces/n/pods/p/checkpoint
              403 subresource-unknown: the sub-resource checkpoint of pods is not known
            GET /api/v1/nodes/x/exec
              403 subresource-unknown: the sub-resource exec of nodes is not known
            GET /api/v1/namespaces/n/services/s/exec
              403 subresource-unknown: the sub-resource exec of services is not known
            GET /api/v1/namespaces/n/gadgets
              403 path-unknown: the path /api/v1/gadgets is not one that the API server is known to have
            GET /api/v1/namespaces/n/status/pods/p/exec
              403 path-unknown: the path /api/v1/namespaces/n/status/pods/p/exec is not one that the API server is known to have
        "#]],
    );
}

#[test]
fn other_paths_that_are_not_known() {
    check(
        &[
            "GET /api/v1/namespaces/n/nodes/x/proxy/exec",
            "GET /apis/apps/v1/namespaces/n/status/exec",
            "GET /api/v1/proxy/nodes/x/exec/n/p/c",
            "GET /api/v1/proxy/namespaces/n/pods/p/exec",
            "GET /api/v1/watch",
            "GET /api/v1/watch/namespaces/n/pods/p/exec",
            "POST /api/v1/watch/pods",
            "GET /apis/apps/v1/namespaces/n/pods/p/exec",
            "GET /apis/cluster.karmada.io/v1alpha1/clusters/c/proxy/api/v1/namespaces/n/pods/p/exec",
            "GET /apis/subresources.kubevirt.io/v1/namespaces/n/virtualmachineinstances/v/Exec",
            "GET /apis/build.openshift.io/v1/namespaces/n/builds/b/log",
            "GET /apis/clusterpedia.io/v1beta1/resources/api/v1/namespaces/n/pods/p/exec",
            "GET /apis/Apps/v1/deployments",
            "GET /ui",
            "GET /swaggerapi",
            "GET /metrics/x",
        ],
        &[],
        &expect![[r#"
            GET /api/v1/namespaces/n/nodes/x/proxy/exec
              400 resource-out-of-scope: nodes are not found at this place of the path
            GET /apis/apps/v1/namespaces/n/status/exec
              403 path-unknown: the path /apis/apps/v1/namespaces/n/status/exec is not one that the API server is known to have
            GET /api/v1/proxy/nodes/x/exec/n/p/c
              403 path-unknown: the path /api/v1/proxy/nodes/x/exec/n/p/c is not one that the API server is known to have
            GET /api/v1/proxy/namespaces/n/pods/p/exec
              403 path-unknown: the path /api/v1/proxy/namespaces/n/pods/p/exec is not one that the API server is known to have
            GET /api/v1/watch
              403 path-unknown: the path /api/v1/watch is not one that the API server is known to have
            GET /api/v1/watch/namespaces/n/pods/p/exec
              403 path-unknown: the path /api/v1/watch/namespaces/n/pods/p/exec is not one that the API server is known to have
            POST /api/v1/watch/pods
              405 method-not-served: the method POST is not served on this path
            GET /apis/apps/v1/namespaces/n/pods/p/exec
              403 subresource-unknown: the sub-resource exec of pods is not known
            GET /apis/cluster.karmada.io/v1alpha1/clusters/c/proxy/api/v1/namespaces/n/pods/p/exec
              403 subresource-unknown: the sub-resource proxy of clusters is not known
            GET /apis/subresources.kubevirt.io/v1/namespaces/n/virtualmachineinstances/v/Exec
              403 subresource-unknown: the sub-resource Exec of virtualmachineinstances is not known
            GET /apis/build.openshift.io/v1/namespaces/n/builds/b/log
              403 subresource-unknown: the sub-resource log of builds is not known
            GET /apis/clusterpedia.io/v1beta1/resources/api/v1/namespaces/n/pods/p/exec
              403 path-unknown: the path /apis/clusterpedia.io/v1beta1/resources/api/v1/namespaces/n/pods/p/exec is not one that the API server is known to have
            GET /apis/Apps/v1/deployments
              403 path-unknown: the path /apis/Apps/v1/deployments is not one that the API server is known to have
            GET /ui
              403 path-unknown: the path /ui is not one that the API server is known to have
            GET /swaggerapi
              403 path-unknown: the path /swaggerapi is not one that the API server is known to have
            GET /metrics/x
              403 path-unknown: the path /metrics/x is not one that the API server is known to have
        "#]],
    );
}

#[test]
fn long_targets_and_long_names_are_bounded() {
    let long = format!("GET /api/v1/pods?x={}", "a".repeat(70_000));
    assert_eq!(refusal(&long, &[]), Refusal::TooLong { limit: 65_534 });
    let many = format!("GET /{}", "x".repeat(10_000));
    assert!(refusal(&many, &[]).to_string().len() < 1_000);
    let escapes = format!("GET /api/v1/namespaces/n/pods/p/log?{}=1", "%1B%5D0".repeat(100));
    let text = refusal(&escapes, &[]).to_string();
    assert!(text.len() < 1_000 && !text.contains('\u{1b}'), "{text}");
}
