//! Errors in a NetworkPolicy.

use crate::{check_policy, check_rule};
use expect_test::expect;

#[test]
fn unknown_fields_say_what_they_would_have_meant() {
    check_rule(
        "{form: [{podSelector: {}}]}",
        expect![[r#"
        4:36+4 error unknown-field: unknown field `form` in an ingress rule
            why: read without it, the rule would allow traffic from every source
            help: did you mean `from`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{podSelectr: {}}]}",
        expect![[r#"
        4:44+10 error unknown-field: unknown field `podSelectr` in a peer
            why: read without it, the peer would not be narrowed to some pods
            help: did you mean `podSelector`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.0/8, expect: [10.1.0.0/16]}}]}",
        expect![[r#"
        4:72+6 error unknown-field: unknown field `expect` in an `ipBlock`
            why: read without it, the block would be allowed as a whole
            help: did you mean `except`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{podSelector: {matchLabel: {a: b}}}]}",
        expect![[r#"
        4:58+10 error unknown-field: unknown field `matchLabel` in a label selector
            why: read without it, the selector would select everything
            help: did you mean `matchLabels`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{port: [{port: 80}]}",
        expect![[r#"
        4:36+4 error unknown-field: unknown field `port` in an ingress rule
            why: read without it, the rule would allow every port of every protocol
            help: did you mean `ports`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{endport: 80, port: 70}]}",
        expect![[r#"
        4:45+7 error unknown-field: unknown field `endport` in a port
            why: read without it, only the first port of the range would be allowed
            help: did you mean `endPort`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_policy(
        "spec: {podselector: {}}\n",
        expect![[r#"
        4:8+11 error unknown-field: unknown field `podselector` in a NetworkPolicy's spec
            why: read without it, the policy would select every pod of its namespace
            help: did you mean `podSelector`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_policy(
        "spec: {}\nmetadatas: {}\n",
        expect![[r#"
        5:1+9 error unknown-field: unknown field `metadatas` in a NetworkPolicy
            why: the API server drops or refuses it: it has no effect
            help: did you mean `metadata`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
}

#[test]
fn blocks() {
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.0}}]}",
        expect![[r#"
        4:60+8 error bad-cidr: `10.0.0.0` is no CIDR block
            help: one address is `10.0.0.0/32`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}",
        expect![[r#"
        4:60+11 error bad-cidr: `10.0.0.0/33` is no CIDR block
            help: write it as `10.0.0.0/8` or `fd00::/8`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 'fd00::/129'}}]}",
        expect![[r#"
        4:60+12 error bad-cidr: `fd00::/129` is no CIDR block
            help: write it as `10.0.0.0/8` or `fd00::/8`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}]}",
        expect![[r#"
        4:60+21 error bad-cidr: `::ffff:10.0.0.0/104` is an IPv4 block written as IPv6
            why: implementations disagree whether it is IPv4 or IPv6
            help: write the IPv4 block
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 010.0.0.0/8}}]}",
        expect![[r#"
        4:60+11 error bad-cidr: `010.0.0.0/8` is no CIDR block
            help: write it as `10.0.0.0/8` or `fd00::/8`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {}}]}",
        expect![[r#"
        4:53+2 error missing-field: an `ipBlock` has no `cidr`
            help: add `cidr`: the API server requires it
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.7/8}}]}",
        expect![[r#"
        4:60+10 warning host-bits-set: `10.0.0.7/8` has bits set beyond its prefix
            why: it is read as `10.0.0.0/8`, which may be more than was meant
            help: write `10.0.0.0/8` if the whole block is meant
    "#]],
    );
}

#[test]
fn exceptions() {
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}",
        expect![[r#"
        4:81+11 error except-outside-cidr: `11.0.0.0/16` is not inside `10.0.0.0/8`
            why: it would take nothing away
            help: `except` lists parts of `cidr`, each smaller than it
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}",
        expect![[r#"
        4:81+10 error except-outside-cidr: `except` takes away all of `10.0.0.0/8`
            why: the block would match nothing
            help: `except` lists parts of `cidr`, each smaller than it
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/16']}}]}",
        expect![[r#"
        4:81+11 error except-outside-cidr: `fd00::/16` is not inside `10.0.0.0/8`
            why: it would take nothing away
            help: `except` lists parts of `cidr`, each smaller than it
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
}

#[test]
fn peers() {
    check_rule(
        "{from: [{}]}",
        expect![[r#"
        4:43+2 error empty-peer: the peer names neither pods, nor namespaces, nor addresses
            why: some readers take it as everything, others as nothing
            help: write `podSelector: {}` for all pods of the namespace, `namespaceSelector: {}` for all pods, or leave the list away for everything
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{podSelector: null}]}",
        expect![[r#"
        4:43+19 error empty-peer: the peer names neither pods, nor namespaces, nor addresses
            why: some readers take it as everything, others as nothing
            help: write `podSelector: {}` for all pods of the namespace, `namespaceSelector: {}` for all pods, or leave the list away for everything
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}",
        expect![[r#"
        4:53+18 error two-peer-fields: `ipBlock` stands beside a selector in one peer
            why: no reading of it is defined: an address is no label
            help: make it two peers: one with `ipBlock`, one with the selectors
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: {podSelector: {}}}",
        expect![[r#"
        4:42+17 error wrong-type: a list is needed here, and this is a mapping
            help: check the indentation, and the field's name
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
}

#[test]
fn selectors() {
    let expression =
        |text: &str| format!("{{from: [{{podSelector: {{matchExpressions: [{text}]}}}}]}}");
    check_rule(
        &expression("{key: a, operator: in, values: [b]}"),
        expect![[r#"
        4:96+2 error bad-operator: `in` is no operator
            help: did you mean `In`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        &expression("{key: a, operator: Equals, values: [b]}"),
        expect![[r#"
        4:96+6 error bad-operator: `Equals` is no operator
            help: write `In`, `NotIn`, `Exists` or `DoesNotExist`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        &expression("{key: a, operator: In}"),
        expect![[r#"
        4:77+22 error bad-operator: `In` without `values`
            help: list at least one value, or use `Exists` or `DoesNotExist`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        &expression("{key: a, operator: NotIn, values: []}"),
        expect![[r#"
        4:77+37 error bad-operator: `NotIn` without `values`
            help: list at least one value, or use `Exists` or `DoesNotExist`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        &expression("{key: a, operator: Exists, values: [b]}"),
        expect![[r#"
        4:77+39 error bad-operator: `Exists` with `values`
            help: remove `values`, or use `In` or `NotIn`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        &expression("{operator: Exists}, {key: a}"),
        expect![[r#"
        4:77+18 error missing-field: a selector's expression has no `key`
            help: add `key`: the API server requires it
        4:97+8 error missing-field: a selector's expression has no `operator`
            help: add `operator`: the API server requires it
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{from: [{podSelector: {matchLabels: {a: 1, b: true, 'c d': x}}}]}",
        expect![[r#"
        4:75+1 error wrong-type: a string is needed here, and this is a number
            help: put it in quotes
        4:81+4 error wrong-type: a string is needed here, and this is a boolean
            help: put it in quotes
        4:87+5 error bad-label: `c d` is no label key
            help: a key is `name` or `dns.prefix/name`; the name has up to 63 letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
}

#[test]
fn ports() {
    check_rule(
        "{ports: [{port: '80'}]}",
        expect![[r#"
        4:51+4 error bad-port: `80` is no port name
            why: in quotes it is the name of a container port, not its number
            help: write the number without quotes: 80
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{port: 0}, {port: 65536}, {port: -1}, {port: 1.5}]}",
        expect![[r#"
        4:51+1 error bad-port: 0 is no port
            help: a port is 1 to 65535
        4:62+5 error bad-port: 65536 is no port
            help: a port is 1 to 65535
        4:77+2 error bad-port: -1 is no port
            help: a port is 1 to 65535
        4:89+3 error wrong-type: a whole number is needed here, and this is 1.5
            help: write a whole number
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{port: a-name-too-long-x}]}",
        expect![[r#"
        4:51+17 error bad-port: `a-name-too-long-x` is no port name
            help: a port name has up to 15 lower-case letters, digits and single inner `-`, with at least one letter
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{protocol: tcp}]}",
        expect![[r#"
        4:55+3 error bad-protocol: `tcp` is none of `TCP`, `UDP` or `SCTP`
            help: did you mean `TCP`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{protocol: ICMP}]}",
        expect![[r#"
        4:55+4 error bad-protocol: `ICMP` is none of `TCP`, `UDP` or `SCTP`
            help: write `TCP`, `UDP` or `SCTP`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{endPort: 80}]}",
        expect![[r#"
        4:54+2 error end-port-without-port: `endPort` without a number in `port`
            why: the range would have no start
            help: add `port`, the first of the range
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{port: web, endPort: 80}]}",
        expect![[r#"
        4:65+2 error end-port-without-port: `endPort` without a number in `port`
            why: a name has no end
            help: write `port` as a number, or remove `endPort`
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_rule(
        "{ports: [{port: 81, endPort: 80}]}",
        expect![[r#"
        4:64+2 error end-port-below-port: `endPort` 80 is below `port` 81
            why: the range would hold no port
            help: `endPort` is the last port of the range and at least 81
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
}

#[test]
fn policy_types() {
    check_policy(
        "spec: {policyTypes: [ingress]}\n",
        expect![[r#"
        4:22+7 error bad-value: `ingress` is none of `Ingress` or `Egress`
            help: did you mean `Ingress`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_policy(
        "spec: {policyTypes: [Ingress, Egress, Ingress]}\n",
        expect![[r#"
        4:39+7 error too-many: more than two `policyTypes`
            help: list `Ingress`, `Egress` or both, once each
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_policy(
        "spec: {policyTypes: [Ingress], egress: [{}]}\n",
        expect![[r#"
        4:40+4 warning ignored-rules: the egress rules have no effect
            why: `policyTypes` does not list `Egress`
            help: add `Egress` to `policyTypes`, or remove the rules
    "#]],
    );
    check_policy("spec: {policyTypes: [Ingress], egress: []}\n", expect![]);
}

#[test]
fn wrong_types() {
    check_policy(
        "spec: []\n",
        expect![[r#"
        4:7+2 error wrong-type: a mapping is needed here, and this is a list
            help: check the indentation, and the field's name
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_policy(
        "spec: {ingress: {}}\n",
        expect![[r#"
        4:17+2 error wrong-type: a list is needed here, and this is a mapping
            help: check the indentation, and the field's name
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_policy(
        "spec: {podSelector: all}\n",
        expect![[r#"
        4:21+3 error wrong-type: a mapping is needed here, and this is a string
            help: check the indentation, and the field's name
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
    check_policy(
        "metadatum: 1\n",
        expect![[r#"
        4:1+9 error unknown-field: unknown field `metadatum` in a NetworkPolicy
            why: the API server drops or refuses it: it has no effect
            help: did you mean `metadata`?
        left out: NetworkPolicy default/web Namespace("default")
    "#]],
    );
}
