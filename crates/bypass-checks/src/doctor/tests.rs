//! Small clusters, and what is said of them.

use super::*;
use crate::install::{Installation, PolicyMode};
use expect_test::expect;
use serde_json::{Value, json};

/// A cluster in which nothing is wrong, with what is installed.
fn sound(installation: &Installation) -> Vec<Value> {
    let mut objects: Vec<Value> =
        installation.documents().unwrap().into_iter().map(|document| document.object).collect();
    for kind in ["Namespace", "Pod", "ClusterRole", "Role"] {
        objects.push(
            json!({ "kind": kind, "metadata": { "name": "any", "namespace": "any", "labels": {
            "pod-security.kubernetes.io/enforce": "baseline",
        } }, "spec": {} }),
        );
    }
    objects.push(bound("ClusterRoleBinding", "nobody", None, "none", &json!([])));
    objects.push(bound("RoleBinding", "nobody", Some("any"), "none", &json!(null)));
    objects
}

fn role(name: &str, rules: &Value) -> Value {
    json!({ "kind": "ClusterRole", "metadata": { "name": name }, "rules": rules })
}

fn bound(kind: &str, name: &str, namespace: Option<&str>, role: &str, subjects: &Value) -> Value {
    json!({
        "kind": kind, "metadata": { "name": name, "namespace": namespace },
        "roleRef": { "kind": "ClusterRole", "name": role }, "subjects": subjects,
    })
}

/// A user with rules of a role, in all namespaces.
fn user(name: &str, rules: &Value) -> [Value; 2] {
    let subjects = json!([{ "kind": "User", "name": name }]);
    [role(name, rules), bound("ClusterRoleBinding", name, None, name, &subjects)]
}

fn found(objects: &[Value], expected: &Expected) -> String {
    let mut cluster = Cluster::default();
    let list = json!({ "kind": "List", "items": objects });
    cluster.add(list.to_string().as_bytes()).unwrap();
    let shown = |finding: &Finding| {
        let witness = finding.witness.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{} {}: {}{witness}\n", finding.severity, finding.code, finding.message)
    };
    cluster.ways_round(expected).iter().map(shown).collect()
}

#[test]
fn nothing_is_wrong_with_what_is_installed() {
    let said = found(&sound(&Installation::default()), &Expected::default());
    expect![[r"
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
    "]]
    .assert_eq(&said);
}

#[test]
fn each_right_is_found_with_who_has_it() {
    let rule = |verbs: &[&str], group: &str, resource: &str| json!([{ "verbs": verbs, "apiGroups": [group], "resources": [resource] }]);
    let mut objects = sound(&Installation::default());
    let users = [
        user("metrics", &rule(&["get"], "", "nodes/proxy")),
        user("any-proxy", &rule(&["get"], "", "*/proxy")),
        user("forger", &rule(&["impersonate"], "authentication.k8s.io", "*")),
        user(
            "policies",
            &rule(&["patch"], "admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ),
        user("secrets", &rule(&["list"], "", "secrets")),
        user("tokens", &rule(&["create"], "", "serviceaccounts/token")),
        user("stand-in", &rule(&["impersonate"], "", "groups")),
        user(
            "approver",
            &rule(&["update"], "certificates.k8s.io", "certificatesigningrequests/approval"),
        ),
        user("granter", &rule(&["bind"], "rbac.authorization.k8s.io", "clusterroles")),
        user("deployer", &rule(&["create"], "apps", "deployments")),
        user("root", &json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }])),
        user("reader", &rule(&["get", "list", "watch"], "", "pods")),
    ];
    objects.extend(users.into_iter().flatten());
    objects.push(json!({ "kind": "Namespace", "metadata": { "name": "open" } }));
    let break_glass = BreakGlass { users: vec![], groups: vec!["oncall".to_owned()] };
    let installed = Installation { break_glass: break_glass.clone(), ..Installation::default() };
    objects.extend(installed.documents().unwrap().into_iter().map(|document| document.object));
    let said = found(&objects, &Expected { break_glass, ..Expected::default() });
    expect![[r#"
        error may-reach-kubelets: User any-proxy may reach kubelets past the API server (nodes/proxy) (ClusterRoleBinding any-proxy → ClusterRole any-proxy)
        error may-reach-kubelets: User metrics may reach kubelets past the API server (nodes/proxy) (ClusterRoleBinding metrics → ClusterRole metrics)
        error may-forge-sessions: User forger may set the session key (ClusterRoleBinding forger → ClusterRole forger)
        error may-change-gateway-policy: User policies may change or remove the policy that refuses unrecorded access (ClusterRoleBinding policies → ClusterRole policies)
        error may-be-gateway: User deployer may get the gateway's credentials (ClusterRoleBinding deployer → ClusterRole deployer)
        error may-be-gateway: User secrets may get the gateway's credentials (ClusterRoleBinding secrets → ClusterRole secrets)
        error may-be-gateway: User tokens may get the gateway's credentials (ClusterRoleBinding tokens → ClusterRole tokens)
        warning may-do-everything: User root may do everything (ClusterRoleBinding root → ClusterRole root)
        warning may-be-break-glass: User forger may stand for a break-glass identity (ClusterRoleBinding forger → ClusterRole forger)
        warning may-be-break-glass: User stand-in may stand for a break-glass identity (ClusterRoleBinding stand-in → ClusterRole stand-in)
        warning may-issue-certificates: User approver may issue certificates for any name (ClusterRoleBinding approver → ClusterRole approver)
        warning may-grant-rights: User granter may give out rights that they do not have (ClusterRoleBinding granter → ClusterRole granter)
        warning may-run-host-pods: User deployer may run pods that reach their node (ClusterRoleBinding deployer → ClusterRole deployer; namespaces that allow it: open)
        info gateway-policy-exemptions: the policy has exemptions (groups oncall)
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
    "#]].assert_eq(&said);
}

#[test]
fn a_right_for_other_names_or_places_is_none() {
    let named = |names: &[&str], verbs: &[&str], group: &str, resource: &str| json!([{ "verbs": verbs, "apiGroups": [group], "resources": [resource], "resourceNames": names }]);
    let break_glass = BreakGlass { users: vec!["rescue".to_owned()], groups: vec![] };
    let installed = Installation { break_glass: break_glass.clone(), ..Installation::default() };
    let mut objects = sound(&installed);
    objects.extend(user("ci", &named(&["robot"], &["impersonate"], "", "users")));
    objects.extend(user("tokens", &named(&["robot"], &["create"], "", "serviceaccounts/token")));
    let secrets =
        json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets", "pods"] }]);
    objects.push(role("secrets", &secrets));
    let subjects = json!([{ "kind": "Group", "name": "devs" }]);
    objects.push(bound("RoleBinding", "devs", Some("any"), "secrets", &subjects));
    let said = found(&objects, &Expected { break_glass, ..Expected::default() });
    expect![[r#"
        info gateway-policy-exemptions: the policy has exemptions (users rescue)
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_policy_that_is_missing_changed_or_unbound_is_found() {
    let expected = Expected::default();
    let without = |kind: &str, change: &dyn Fn(&mut Value)| {
        let mut objects = sound(&Installation::default());
        let mut wanted = objects.iter_mut().filter(|object| object["kind"] == kind);
        change(wanted.next().unwrap());
        found(&objects, &expected)
    };
    let policy = "ValidatingAdmissionPolicy";
    let binding = "ValidatingAdmissionPolicyBinding";
    let observes = Installation { mode: PolicyMode::Observe, ..Installation::default() };
    let exempt =
        Installation { exempt_namespaces: vec!["lab".to_owned()], ..Installation::default() };
    let said = [
        without(policy, &|object| object["kind"] = json!("Other")),
        without(policy, &|object| object["spec"]["failurePolicy"] = json!("Ignore")),
        without(policy, &|object| {
            object["spec"]["matchConstraints"]["resourceRules"][0]["resources"][1] = json!("x")
        }),
        without(policy, &|object| {
            object["spec"]["matchConditions"] = json!([{ "expression": "false" }])
        }),
        without(policy, &|object| {
            object["spec"]["matchConstraints"]["namespaceSelector"] = json!({})
        }),
        without(binding, &|object| object["spec"]["policyName"] = json!("other")),
        without(binding, &|object| {
            object["spec"]["matchResources"] =
                json!({ "objectSelector": { "matchLabels": { "a": "b" } } })
        }),
        found(&sound(&observes), &expected),
        found(&sound(&exempt), &expected),
    ];
    expect![[r#"
        error gateway-policy-missing: there is no ValidatingAdmissionPolicy privileged-sessions.weir.dev
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        error gateway-policy-changed: ValidatingAdmissionPolicy privileged-sessions.weir.dev is not what this version installs (spec.failurePolicy differs)
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        error gateway-policy-changed: ValidatingAdmissionPolicy privileged-sessions.weir.dev is not what this version installs (spec.matchConstraints.resourceRules[0].resources[1] differs)
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        error gateway-policy-changed: ValidatingAdmissionPolicy privileged-sessions.weir.dev is not what this version installs (spec.matchConditions differs)
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        error gateway-policy-missing: nothing binds ValidatingAdmissionPolicy privileged-sessions.weir.dev
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        error gateway-policy-changed: a binding of the policy leaves out more than namespaces by name (objectSelector {"matchLabels":{"a":"b"}})
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        error gateway-policy-only-observes: the policy only warns and marks
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
        --
        info gateway-policy-exemptions: the policy has exemptions (namespaces lab)
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
    "#]].assert_eq(&said.join("--\n"));
}

#[test]
fn pods_that_are_the_host_are_named() {
    let pod = |name: &str, mirror: bool, spec: Value| {
        let annotations =
            if mirror { json!({ "kubernetes.io/config.mirror": "x" }) } else { json!({}) };
        json!({ "kind": "Pod", "metadata": { "name": name, "namespace": "n", "annotations": annotations }, "spec": spec })
    };
    let mount = |path: &str| json!({ "volumes": [{ "hostPath": { "path": path } }] });
    let mut objects = sound(&Installation::default());
    objects.extend([
        pod("etcd", true, json!({ "hostNetwork": true })),
        pod("agent", false, json!({ "hostPID": true })),
        pod(
            "privileged",
            false,
            json!({ "initContainers": [{ "securityContext": { "privileged": true } }] }),
        ),
        pod("root", false, mount("/")),
        pod("socket", false, mount("/run/containerd/containerd.sock")),
        pod("var", false, mount("/var/")),
        pod("logs", false, mount("/var/log")),
        pod("runner", false, mount("/running")),
        pod("network", false, json!({ "hostNetwork": true })),
    ]);
    expect![[r#"
        info static-pods: 1 pod come from files on nodes (n/etcd)
        info host-pods: 5 pods reach their node (n/agent, n/privileged, n/root, n/socket, n/var)
        info ways-not-looked-at: ways round that leave no trace in objects are not looked at
    "#]]
    .assert_eq(&found(&objects, &Expected::default()));
}

#[test]
fn what_is_no_list_of_objects_is_refused() {
    let said =
        |text: &str| Cluster::default().add(text.as_bytes()).map_err(|error| error.to_string());
    assert!(said("nothing").unwrap_err().starts_with("this is no JSON"));
    assert!(
        said(r#"{"items": [{"kind": "Pod"}]}"#).unwrap_err().starts_with("object 1 of the list")
    );
    assert_eq!(said(r#"{"kind": "Secret", "metadata": {"name": "x"}}"#), Ok(()));
    let empty = found(&[], &Expected::default());
    assert!(
        empty.contains("error cluster-objects-incomplete: the input has no ClusterRole, no"),
        "{empty}"
    );
}
