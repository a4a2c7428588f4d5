//! Random request targets, most of them near to something that is privileged.

use proptest::prelude::*;

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(words).prop_map(str::to_owned).boxed()
}

fn step() -> BoxedStrategy<String> {
    prop_oneof![
        6 => one_of(&[
            "api", "apis", "v1", "apps", "metrics.k8s.io", "namespaces", "default", "kube-system", "pods", "nodes",
            "services", "serviceaccounts", "secrets", "deployments", "p", "web-0", "https:p:80", "n:10250", "exec",
            "attach", "portforward", "proxy", "log", "token", "ephemeralcontainers", "status", "finalize", "watch",
            "scale", "eviction", "binding", "resize", "run", "logs", "debug", "healthz", "version", "openapi",
        ]),
        2 => one_of(&[
            "", ".", "..", "%2e", "%2E%2e", "%2F", "%2f", "%00", "%", "%6", "%65xec", "EXEC", "Pods", "exec;x",
            "exec%20", "exec%3F", "exec%23", "pods%2Fp%2Fexec", "%25", "%5C", "exec.", "é", "%C3%A9", "%FF", "*", "~",
            "a b", "a+b", "exec,", "system:node", "system%3Anode",
        ]),
        1 => "[a-z%/.A-F0-9]{0,6}".boxed(),
    ]
    .boxed()
}

/// A target that leads somewhere.
fn straight() -> BoxedStrategy<Vec<String>> {
    let named = (one_of(&["default", "pci"]), one_of(&["p", "web-0"]), step());
    let objects = one_of(&["pods", "pods", "services", "serviceaccounts"]);
    let pods = (objects, named).prop_map(|(objects, (namespace, name, sub))| {
        ["api", "v1", "namespaces", &namespace, &objects, &name, &sub].map(str::to_owned).to_vec()
    });
    let nodes = prop_oneof![
        prop::collection::vec(step(), 0..4).boxed(),
        one_of(&["metrics/cadvisor", "logs", "stats/summary", "exec/a/b/c", "run/a/b/c"])
            .prop_map(|path| path.split('/').map(str::to_owned).collect())
            .boxed(),
    ];
    let nodes = (one_of(&["n", "n", "n:10250"]), nodes).prop_map(|(name, rest)| {
        let mut steps = ["api", "v1", "nodes", &name, "proxy"].map(str::to_owned).to_vec();
        steps.extend(rest);
        steps
    });
    let other = (one_of(&["apps", "metrics.k8s.io"]), prop::collection::vec(step(), 0..6));
    let other = other.prop_map(|(group, rest)| {
        let mut steps = ["apis", &group, "v1"].map(str::to_owned).to_vec();
        steps.extend(rest);
        steps
    });
    let core = prop::collection::vec(step(), 0..7).prop_map(|rest| {
        let mut steps = vec!["api".to_owned(), "v1".to_owned()];
        steps.extend(rest);
        steps
    });
    prop_oneof![pods, nodes, other, core, prop::collection::vec(step(), 0..8)].boxed()
}

fn path() -> BoxedStrategy<String> {
    let mutation = (0_usize..10, step(), 0_u8..6);
    (straight(), mutation, one_of(&["", "", "", "/", "//"]))
        .prop_map(|(mut steps, (at, extra, how), end)| {
            let at = at.min(steps.len());
            match how {
                0 => steps.insert(at, extra),
                1 if at < steps.len() => steps[at] = extra,
                2 if at < steps.len() => {
                    steps.remove(at);
                }
                _ => {}
            }
            format!("/{}{end}", steps.join("/"))
        })
        .boxed()
}

fn query() -> BoxedStrategy<String> {
    let key = one_of(&[
        "command",
        "container",
        "stdin",
        "stdout",
        "stderr",
        "tty",
        "ports",
        "watch",
        "follow",
        "path",
        "timeout",
        "pretty",
        "fieldSelector",
        "limit",
        "comm%61nd",
        "x;y",
        "",
    ]);
    let value = prop_oneof![
        one_of(&[
            "true", "false", "1", "0", "True", "FALSE", "", "sh", "a+b", "a%20b", "%zz", "%",
            "%00", "é", "a;b", "80", "80%2C81", "-1", "a=b", "a?b", "%FF", "#",
        ]),
        "[ -~]{0,6}".prop_map(|text| text.replace('&', "%26")).boxed(),
    ];
    let pair = prop_oneof![
        5 => (key.clone(), value).prop_map(|(key, value)| format!("{key}={value}")),
        1 => key,
    ];
    let pairs = prop::collection::vec(pair, 0..6).prop_map(|pairs| pairs.join("&"));
    prop_oneof![
        2 => Just(String::new()),
        2 => pairs.prop_map(|query| format!("?{query}")),
        2 => one_of(&[
            "?command=sh&stdin=true&stdout=true&tty=true",
            "?command=sh&command=-c&command=a%3Bb&stdout=1",
            "?stdout=true&container=c",
        ]),
    ]
    .boxed()
}

/// A sub-resource of a pod with a query that it takes.
fn paired() -> BoxedStrategy<String> {
    let ends = one_of(&[
        "exec?command=sh&stdin=true&stdout=true&tty=true",
        "exec?command=sh&command=-c&command=a%3Bb+c&stdout=1&stderr=0&container=c",
        "attach?stdout=true&stderr=True&container=",
        "portforward?ports=80&ports=81,82",
        "portforward",
        "log?follow=true&container=c",
        "log",
        "ephemeralcontainers",
    ]);
    let place = one_of(&["api/v1/namespaces/pci/pods/p", "apis/apps/v1/namespaces/pci/pods/p"]);
    (place, ends, prop::option::weighted(0.2, query()))
        .prop_map(|(place, end, query)| format!("/{place}/{end}{}", query.unwrap_or_default()))
        .boxed()
}

pub(crate) fn target() -> BoxedStrategy<String> {
    let apart = (path(), query()).prop_map(|(path, query)| format!("{path}{query}"));
    prop_oneof![3 => apart, 1 => paired()].boxed()
}

pub(crate) fn method() -> BoxedStrategy<&'static str> {
    let methods: &[&str] = &["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    prop::sample::select(methods).boxed()
}
