//! Broken documents, and documents that are no objects that are read.

use crate::{check, check_rule};
use expect_test::expect;
use kube_import::import_text;

#[test]
fn broken_yaml() {
    check(
        "a: [\n",
        expect![[r#"
        1:1+1 error broken-yaml: this is not YAML: while parsing a node, did not find expected node content
            help: look for a wrong indentation, a tab, or a missing quote or bracket at or above it
        left out: a document that could not be read Cluster
    "#]],
    );
    check(
        "a: b: c\n",
        expect![[r#"
        1:5+1 error broken-yaml: this is not YAML: mapping values are not allowed in this context
            help: look for a wrong indentation, a tab, or a missing quote or bracket at or above it
        left out: a document that could not be read Cluster
    "#]],
    );
    check(
        "a:\n\tb: c\n",
        expect![[r#"
        2:2+1 error broken-yaml: this is not YAML: tabs disallowed within this context (block indentation)
            help: look for a wrong indentation, a tab, or a missing quote or bracket at or above it
        left out: a document that could not be read Cluster
    "#]],
    );
    check(
        "a: {{ .Values.x }}\n",
        expect![[r#"
        1:5+2 error broken-yaml: a mapping's key is a list or a mapping
            help: write a plain text as the key; a template's `{{ … }}` must be rendered first
        left out: a document that could not be read Cluster
    "#]],
    );
    check(
        "a: *b\n",
        expect![[r#"
        1:4+1 error broken-yaml: this is not YAML: while parsing node, found unknown anchor
            help: look for a wrong indentation, a tab, or a missing quote or bracket at or above it
        left out: a document that could not be read Cluster
    "#]],
    );
    check(
        "<<: 1\n",
        expect![[r#"
        1:5+1 error broken-yaml: `<<` merges something that is not a mapping
            help: give it an alias of a mapping, or a list of such aliases
        left out: a document that could not be read Cluster
    "#]],
    );
}

#[test]
fn one_broken_document_does_not_hide_the_next() {
    let text = "a: [\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: A}\n";
    check(
        text,
        expect![[r#"
        1:1+1 error broken-yaml: this is not YAML: while parsing a node, did not find expected node content
            help: look for a wrong indentation, a tab, or a missing quote or bracket at or above it
        5:18+1 error bad-name: `A` is no object name
            help: a name has lower-case letters, digits, `-` and `.`, and starts and ends with a letter or digit
        left out: Pod default/A Object { namespace: "default", name: "A" }
        left out: a document that could not be read Cluster
    "#]],
    );
}

#[test]
fn duplicate_keys() {
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {x: 1, x: y}}\n",
        expect![[r#"
        3:33+1 error wrong-type: a string is needed here, and this is a number
            help: put it in quotes
        3:36+1 error duplicate-key: the key `x` stands twice in one mapping
            why: most readers keep only the last one and drop the other
            help: keep one of them, or join what they say
        3:39+1 warning yaml-1-1: `y` is a string here, and the boolean true to readers of YAML 1.1
            why: kubectl and Helm read YAML 1.1 and may apply something else
            help: put it in quotes if it is a text, or write a plain decimal number
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    let json = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "name": "b"}}"#;
    check(
        json,
        expect![[r#"
        1:63+6 error duplicate-key: the key `name` stands twice in one mapping
            why: most readers keep only the last one and drop the other
            help: keep one of them, or join what they say
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
}

#[test]
fn a_duplicate_key_in_a_list_leaves_out_its_item_only() {
    let text = "apiVersion: v1\nkind: List\nitems:\n\
                - {apiVersion: v1, kind: Pod, metadata: {name: a}}\n\
                - {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {x: 1, x: 1}}\n\
                - {apiVersion: v1, kind: Pod, metadata: {name: c}}\n";
    check(
        text,
        expect![[r#"
        5:65+1 error duplicate-key: the key `x` stands twice in one mapping
            why: most readers keep only the last one and drop the other
            help: keep one of them, or join what they say
        left out: Pod default/b Object { namespace: "default", name: "b" }
    "#]],
    );
    assert_eq!(import_text("a.yaml", text).snapshot.pods.len(), 2);
}

#[test]
fn duplicate_objects() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n";
    check(
        &format!("{pod}---\n{pod}"),
        expect![[r#"
        3:1+48 error duplicate-object: Pod default/a stands in the input twice
            why: a cluster keeps one object of a name, and the input does not say which
            help: keep this one or the one at a.yaml:1:1, or give it another name
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, \
                  metadata: {name: a, namespace: s}, spec: {}}\n";
    check(
        &format!("{policy}---\n{policy}"),
        expect![[r#"
        3:1+100 error duplicate-object: NetworkPolicy s/a stands in the input twice
            why: a cluster keeps one object of a name, and the input does not say which
            help: keep this one or the one at a.yaml:1:1, or give it another name
        left out: NetworkPolicy s/a Namespace("s")
    "#]],
    );
}

#[test]
fn what_is_no_object() {
    check(
        "replicas: 3\n",
        expect![[r#"
        1:1+11 warning not-an-object: this is no Kubernetes object: it has no `kind`
            why: nothing of it is part of the answers
            help: leave it out, or add `apiVersion` and `kind` if it is an object
    "#]],
    );
    check(
        "just text\n",
        expect![[r#"
        1:1+9 error not-an-object: this is no Kubernetes object but a string
            why: nothing of it is part of the answers
            help: leave it out, or add `apiVersion` and `kind` if it is an object
        left out: an object of unknown kind Cluster
    "#]],
    );
    check(
        "[1, 2]\n",
        expect![[r#"
        1:1+6 error not-an-object: this is no Kubernetes object but a list
            why: nothing of it is part of the answers
            help: leave it out, or add `apiVersion` and `kind` if it is an object
        left out: an object of unknown kind Cluster
    "#]],
    );
    check(
        "kind: Pod\nmetadata: {name: a}\n",
        expect![[r#"
        1:1+9 error missing-field: the object has no `apiVersion`
            help: add `apiVersion`
        left out: an object of unknown kind Cluster
    "#]],
    );
    check(
        "apiVersion: v1\nmetadata: {name: a}\n",
        expect![[r#"
        1:1+14 error missing-field: the object has no `kind`
            help: add `kind`
        left out: an object of unknown kind Cluster
    "#]],
    );
    check(
        "apiVersion: 1\nkind: Pod\n",
        expect![[r#"
        1:13+1 error wrong-type: a string is needed here, and this is a number
            help: put it in quotes
        left out: an object of unknown kind Cluster
    "#]],
    );
    check(
        "apiVersion: v1\nkind: List\nitems: [{metadata: {name: a}}]\n",
        expect![[r#"
        3:9+21 error missing-field: the object has no `apiVersion`
            help: add `apiVersion`
        3:9+21 error missing-field: the object has no `kind`
            help: add `kind`
        left out: an object of unknown kind Cluster
    "#]],
    );
}

#[test]
fn versions_and_kinds_that_are_not_read() {
    check(
        "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\n",
        expect![[r#"
            1:13+18 error unsupported-version: NetworkPolicy is not read in `extensions/v1beta1`
                why: fields of another version may mean something else
                help: convert it to `networking.k8s.io/v1`; `kubectl get -o yaml` prints the version that the cluster prefers
            left out: NetworkPolicy default/(no name) Cluster
        "#]],
    );
    check(
        "apiVersion: networking/v1\nkind: NetworkPolicy\n",
        expect![[r#"
            1:13+13 error unsupported-version: NetworkPolicy is not read in `networking/v1`
                why: fields of another version may mean something else
                help: convert it to `networking.k8s.io/v1`; `kubectl get -o yaml` prints the version that the cluster prefers
            left out: NetworkPolicy default/(no name) Cluster
        "#]],
    );
    check(
        "apiVersion: policy.networking.k8s.io/v1beta1\nkind: ClusterNetworkPolicy\n",
        expect![[r#"
            1:13+32 error unsupported-version: ClusterNetworkPolicy is not read in `policy.networking.k8s.io/v1beta1`
                why: fields of another version may mean something else
                help: convert it to `policy.networking.k8s.io/v1alpha2`; `kubectl get -o yaml` prints the version that the cluster prefers
            left out: ClusterNetworkPolicy default/(no name) Cluster
        "#]],
    );
    check(
        "apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: a}\n",
        expect![[r#"
            1:13+12 error unsupported-version: Deployment is not read in `apps/v1beta2`
                why: fields of another version may mean something else
                help: convert it to `apps/v1`; `kubectl get -o yaml` prints the version that the cluster prefers
            left out: Deployment default/a Cluster
        "#]],
    );
    check(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolcy\n",
        expect![[r#"
        2:7+12 error unknown-kind: the API group has no kind `NetworkPolcy`
            why: read past, it would be a policy without effect
            help: did you mean `NetworkPolicy`?
        left out: NetworkPolcy default/(no name) Cluster
    "#]],
    );
    check(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n---\n\
           apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n",
        expect![[r#"
            1:1+24 warning policy-kind-not-read: policies of kind cilium.io/v2/CiliumNetworkPolicy are not analysed
                why: they may allow or deny what the answers say otherwise
                help: take the answers as those of the Kubernetes policies alone
        "#]],
    );
    check("apiVersion: networking.k8s.io/v1\nkind: IngressClass\n", expect![]);
}

#[test]
fn yaml_1_1() {
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: y}\n",
        expect![[r#"
        3:32+1 warning yaml-1-1: `y` is a string here, and the boolean true to readers of YAML 1.1
            why: kubectl and Helm read YAML 1.1 and may apply something else
            help: put it in quotes if it is a text, or write a plain decimal number
    "#]],
    );
    let labels = "{a: no, b: 1_0, c: 12:30, on: x, d: 'yes', e: \"off\"}";
    check(
        &format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a, labels: {labels}}}\n"),
        expect![[r#"
            3:33+2 warning yaml-1-1: `no` is a string here, and the boolean false to readers of YAML 1.1
                why: kubectl and Helm read YAML 1.1 and may apply something else
                help: put it in quotes if it is a text, or write a plain decimal number
            3:40+3 warning yaml-1-1: `1_0` is a string here, and a number to readers of YAML 1.1
                why: kubectl and Helm read YAML 1.1 and may apply something else
                help: put it in quotes if it is a text, or write a plain decimal number
            3:48+5 error bad-label: `12:30` is no label value
                help: a value has up to 63 letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit
            3:48+5 warning yaml-1-1: `12:30` is a string here, and a number in base 60 to readers of YAML 1.1
                why: kubectl and Helm read YAML 1.1 and may apply something else
                help: put it in quotes if it is a text, or write a plain decimal number
            3:55+2 warning yaml-1-1: `on` is a string here, and the boolean true to readers of YAML 1.1
                why: kubectl and Helm read YAML 1.1 and may apply something else
                help: put it in quotes if it is a text, or write a plain decimal number
            left out: Pod default/a Object { namespace: "default", name: "a" }
        "#]],
    );
    check_rule(
        "{ports: [{port: 0777}, {port: 0o17}, {port: 0x50}]}",
        expect![[r#"
        4:51+4 warning yaml-1-1: `0777` is a number here, and an octal number to readers of YAML 1.1
            why: kubectl and Helm read YAML 1.1 and may apply something else
            help: put it in quotes if it is a text, or write a plain decimal number
        4:65+4 warning yaml-1-1: `0o17` is a number here, and a string to readers of YAML 1.1
            why: kubectl and Helm read YAML 1.1 and may apply something else
            help: put it in quotes if it is a text, or write a plain decimal number
    "#]],
    );
}

#[test]
fn unknown_tags() {
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: !custom a, labels: {a: !!str 1}}\n",
        expect![[r#"
            3:18+9 warning unknown-tag: the tag `!custom` means nothing here and is read past
                help: remove the tag
        "#]],
    );
}

#[test]
fn metadata() {
    check(
        "apiVersion: v1\nkind: Pod\n",
        expect![[r#"
        1:1+14 error missing-field: the object has no `metadata`
            help: add `metadata`: the API server requires it
        left out: Pod default/(no name) Cluster
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n",
        expect![[r#"
        3:11+18 error missing-field: the object has no name
            help: give it a fixed name: `generateName` makes another object each time
        left out: Pod default/(no name) Cluster
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: Web, namespace: a.b}\n",
        expect![[r#"
        3:34+3 error bad-name: `a.b` is no namespace name
            help: a namespace has up to 63 lower-case letters, digits and inner `-`
        left out: Pod a.b/Web Object { namespace: "a.b", name: "Web" }
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n",
        expect![[r#"
        3:18+1 error wrong-type: a string is needed here, and this is a number
            help: put it in quotes
        left out: Pod default/(no name) Cluster
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a/b/c: x, d: -e, f: 1}}\n",
        expect![[r#"
            3:30+5 error bad-label: `a/b/c` is no label key
                help: a key is `name` or `dns.prefix/name`; the name has up to 63 letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit
            3:43+2 error bad-label: `-e` is no label value
                help: a value has up to 63 letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit
            3:50+1 error wrong-type: a string is needed here, and this is a number
                help: put it in quotes
            left out: Pod default/a Object { namespace: "default", name: "a" }
        "#]],
    );
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: a\n",
        expect![[r#"
        3:11+1 error wrong-type: a mapping is needed here, and this is a string
            help: check the indentation, and the field's name
        left out: Pod default/(no name) Cluster
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}\n",
        expect![[r#"
        1:1+14 error bad-name: `a.b` is no namespace name
            help: a namespace has up to 63 lower-case letters, digits and inner `-`
        left out: Namespace a.b Namespace("a.b")
    "#]],
    );
    let label = "kubernetes.io/metadata.name: other";
    check(
        &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: a, labels: {{{label}}}}}\n"),
        expect![[r#"
            1:1+14 warning namespace-label-overwritten: the label `kubernetes.io/metadata.name` is `other`, not `a`
                why: the API server sets it to `a`, which is used here too
                help: remove the label: the API server sets it
        "#]],
    );
}
