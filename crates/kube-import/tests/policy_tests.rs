//! Policy tests are read strictly: every mistake has a place and says what to write.

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use finding_model::SourceFiles;
    use kube_import::{Limits, read_tests};
    use std::fmt::Write as _;

    fn wrong(text: &str) -> String {
        let mut files = SourceFiles::default();
        let file = files.add("t".into());
        let (tests, findings) = read_tests(file, text, Limits::default());
        let mut shown = format!("{} tests\n", tests.len());
        for finding in findings {
            let place = finding.span.map_or_else(String::new, |span| files.place(span));
            writeln!(shown, "{place} {} {}: {}", finding.code, finding.message, finding.help)
                .unwrap();
        }
        shown
    }

    fn of_spec(spec: &str) -> String {
        wrong(&format!(
            "apiVersion: weir.dev/v1alpha1\nkind: PolicyTest\nmetadata: {{name: t}}\nspec:\n{spec}"
        ))
    }

    #[test]
    fn unknown_fields_are_errors_with_a_did_you_mean() {
        expect![[r#"
            0 tests
            t:5:3 unknown-field unknown field `profil` in a PolicyTest's spec: did you mean `profile`?
            t:7:6 unknown-field unknown field `form` in a case: did you mean `from`?
            t:7:26 unknown-field unknown field `expcet` in a case: did you mean `expect`?
            t:7:5 missing-field a case has no `from`: add `from`: weir requires it
            t:7:5 missing-field a case has no `expect`: add `expect`: weir requires it
            t:8:22 unknown-field unknown field `namespaces` in a set: did you mean `namespace`?
            t:10:5 unknown-field unknown field `forbids` in an assertion: did you mean `forbid`?
            t:10:5 missing-field the assertion claims nothing: add `forbid`, `require`, `only` or `isolated`
            t:12:5 unknown-field unknown field `exept` in an assertion: did you mean `except`?
            t:11:32 unknown-field unknown field `prot` in a scope: did you mean `port`?
            t:13:33 unknown-field `podSelector` stands beside `every`: move it into the set under `every`
            t:14:37 unknown-field unknown field `matchLabel` in a label selector: did you mean `matchLabels`?
            t:14:72 bad-value `ingres` is none of `ingress` or `egress`: did you mean `ingress`?
        "#]].assert_eq(&of_spec(
            "  profil: cilium
  cases:
  - {form: a/b, to: a/c, expcet: deny}
  - {from: a/b, to: {namespaces: a}, port: 80, expect: deny}
  assertions:
  - forbids: {from: a/, to: b/}
  - forbid: {from: a/, to: b/, prot: 80}
    exept: []
  - require: {from: {every: a/, podSelector: {}}, to: b/}
  - isolated: {pods: {podSelector: {matchLabel: {a: b}}}, directions: [ingres]}
",
        ));
    }

    #[test]
    fn values_that_mean_nothing_are_errors() {
        expect![[r#"
            0 tests
            t:6:15 bad-value a test cannot name standard input: write `-` on the command line
            t:6:20 bad-value the text is empty: write something
            t:6:24 wrong-type a string is needed here, and this is a number: put it in quotes
            t:5:12 bad-value `calico` is none of `upstream` or `cilium`: write `upstream` or `cilium`
            t:8:12 bad-value `a` is not a peer: write namespace/name, kind/namespace/name, service/namespace/name, namespace/, an address, a CIDR, or internet: a set is a peer as on the command line, `cluster`, `outside` or `anywhere`
            t:9:12 bad-value the set says nothing: write `cluster` for every pod, or `anywhere` for addresses too
            t:9:20 empty-list the list has no sets: list at least one set
            t:9:32 yaml-1-1 `yes` is a string here, and the boolean true to readers of YAML 1.1: put it in quotes if it is a text, or write a plain decimal number
            t:9:32 bad-value `yes` is none of `allow`, `deny` or `undefined`: write `allow`, `deny` or `undefined`
            t:10:12 bad-value `10.0.0.1/8` has host bits: write 10.0.0.0/8: a set is a peer as on the command line, `cluster`, `outside` or `anywhere`
            t:10:39 bad-port a port is 1 to 65535, or a name: `80-90` is neither: write `8443`, `53/udp`, the name of a port, or `icmp`
            t:10:54 bad-value `allowed` is none of `allow`, `deny` or `undefined`: did you mean `allow`?
            t:11:32 bad-port 70000 is no port: a port is 1 to 65535
            t:11:57 bad-value `shop/web` names no policy: write `NetworkPolicy shop/web`, `ClusterNetworkPolicy baseline`, or with a rule `NetworkPolicy shop/web ingress[0]`
            t:12:32 empty-list the list has no ports: list at least one port, or leave `port` away for all
            t:12:54 bad-value `NetworkPolicy a/b ingress[-1]` names no policy: write `NetworkPolicy shop/web`, `ClusterNetworkPolicy baseline`, or with a rule `NetworkPolicy shop/web ingress[0]`
            t:13:24 bad-name `A_` is no namespace name: a namespace has up to 63 lower-case letters, digits and inner `-`
            t:13:47 wrong-type a boolean is needed here, and this is a number: check the indentation, and the field's name
            t:15:5 missing-field the assertion claims nothing: add `forbid`, `require`, `only` or `isolated`
            t:16:40 too-many one assertion claims both `forbid` and `only`: make it two assertions
            t:17:52 unknown-field `isolated` has no exceptions: narrow its sets with `not`, or use `forbid`
            t:18:38 bad-value `maybe` is none of `fail` or `pass`: write `fail` or `pass`
            t:18:15 missing-field a scope has no `to`: add `to`: weir requires it
        "#]].assert_eq(&of_spec(
            "  profile: calico
  manifests: ['-', '', 3]
  cases:
  - {from: a, to: a/b, expect: deny}
  - {from: {}, to: [], expect: yes}
  - {from: 10.0.0.1/8, to: a/b, port: 80-90, expect: allowed}
  - {from: a/b, to: a/b, port: 70000, expect: deny, by: shop/web}
  - {from: a/b, to: a/b, port: [], expect: deny, by: 'NetworkPolicy a/b ingress[-1]'}
  - {from: {namespace: A_}, to: {hostNetwork: 1}, expect: deny}
  assertions:
  - {name: nothing}
  - {forbid: {from: a/, to: b/}, only: {from: a/, to: b/}}
  - {isolated: {pods: a/, directions: []}, except: []}
  - {require: {from: a/}, undefined: maybe}
",
        ));
    }

    #[test]
    fn versions_and_kinds_that_are_not_known_are_refused() {
        expect![[r#"
            0 tests
            t:1:14 unsupported-version PolicyTest is not read in `weir.dev/v1`: write `apiVersion: weir.dev/v1alpha1`
            t:3:39 unknown-kind weir.dev/v1alpha1 has no kind `PolicyTets`: did you mean `PolicyTest`?
            t:5:14 unsupported-version PolicyTest is not read in `v1`: write `apiVersion: weir.dev/v1alpha1`
            t:7:1 missing-field the document has no `apiVersion`: add `apiVersion`
            t:9:61 missing-field the metadata has no `name`: add `name`: weir requires it
            t:9:71 empty-list the test has neither cases nor assertions: add `cases` or `assertions`
            t:11:1 missing-field a PolicyTest has no `spec`: add `spec`: weir requires it
            t:13:90 duplicate-key the key `cases` stands twice in one mapping: keep one of them, or join what they say
            t:13:78 empty-list the test has neither cases nor assertions: add `cases` or `assertions`
            t:15:1 broken-yaml this is not YAML: while parsing a node, did not find expected node content: look for a wrong indentation, a tab, or a missing quote or bracket at or above it
        "#]].assert_eq(&wrong(
            "{apiVersion: weir.dev/v1, kind: PolicyTest, metadata: {name: t}, spec: {}}
---
{apiVersion: weir.dev/v1alpha1, kind: PolicyTets, metadata: {name: t}, spec: {}}
---
{apiVersion: v1, kind: PolicyTest, metadata: {name: t}, spec: {}}
---
{kind: PolicyTest, metadata: {name: t}, spec: {}}
---
{apiVersion: weir.dev/v1alpha1, kind: PolicyTest, metadata: {}, spec: {}}
---
{apiVersion: weir.dev/v1alpha1, kind: PolicyTest, metadata: {name: t}}
---
{apiVersion: weir.dev/v1alpha1, kind: PolicyTest, metadata: {name: t}, spec: {cases: [], cases: []}}
---
a: [
",
        ));
    }

    #[test]
    fn tests_are_found_among_manifests_and_in_lists() {
        let test = "apiVersion: weir.dev/v1alpha1, kind: PolicyTest, metadata: {name: t}, \
                    spec: {cases: [{from: a/b, to: a/c, expect: deny}]}";
        let text = format!(
            "{{apiVersion: v1, kind: Pod}}\n---\n{{{test}}}\n---\n\
             {{apiVersion: v1, kind: List, items: [{{kind: Pod}}, {{{test}}}]}}\n"
        );
        assert_eq!(wrong(&text), "2 tests\n");
        assert_eq!(wrong("a: 1\n---\n- 1\n---\n~\n"), "0 tests\n");
    }

    #[test]
    fn deep_sets_stop_at_the_depth_of_documents() {
        let deep = "{not: ".repeat(100_000);
        let text = of_spec(&format!("  cases: [{{from: {deep}"));
        assert!(text.starts_with("0 tests\nt:5:") && text.lines().count() == 2, "{text}");
    }
}
