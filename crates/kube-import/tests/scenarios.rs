//! Scenarios: what is read of a whole one, and what is said of wrong ones.

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use finding_model::SourceFiles;
    use kube_import::{Limits, read_scenarios};
    use lab_scenario::Scenario;

    const WHOLE: &str = "
apiVersion: weir.dev/v1alpha1
kind: Scenario
metadata: {name: db}
spec:
  manifests: [../shop, {inline: 'kind: Namespace'}]
  lab: {nodes: 2, replicas: 1, external: 203.0.113.9, profile: cilium, keepEstablished: true}
  traffic:
  - {from: shop/web, to: shop/db, port: 5432, perSecond: 50, connection: kept, expect: neverBroken}
  - {name: names, from: shop/web, to: service/shop/db, port: 53/udp}
  steps:
  - probe: all
  - {name: closed, apply: deny.yaml, mode: staged}
  - delete: [NetworkPolicy/shop/deny, Namespace/x]
  - relabel: {pods: [shop/web-0], namespaces: shop, labels: {app: x, tier: null}}
  - stop: shop/db-0
  - start: [shop/db-0]
  - killAgent: all
  - killAgent: node-1
  - waitMs: 20
  - probe: {from: shop/}
  - expect:
    - {from: shop/web, to: shop/db, port: 5432, verdict: deny, by: 'NetworkPolicy shop/db ingress[0]'}
    - {to: 203.0.113.9, port: 443, verdict: allow, reason: 'the shop sells'}
";

    fn read(text: &str) -> (Vec<Scenario>, String) {
        let mut files = SourceFiles::default();
        let file = files.add("s".to_owned());
        let (scenarios, findings) = read_scenarios(file, text, Limits::default());
        let line = |finding: &finding_model::Finding| {
            let place = finding.span.map(|span| files.place(span)).unwrap_or_default();
            format!("{place} {} {}: {}\n", finding.code, finding.message, finding.help)
        };
        (scenarios, findings.iter().map(line).collect())
    }

    /// Findings of scenarios with these specs, each in a document of its own.
    fn check(specs: &str, expected: &Expect) {
        let document = |spec: &str| {
            format!(
                "{{apiVersion: weir.dev/v1alpha1, kind: Scenario, metadata: {{name: s}}, spec: {spec}}}\n---\n"
            )
        };
        let text: String = specs.lines().map(|line| document(line.trim())).collect();
        let (scenarios, findings) = read(&text);
        assert_eq!(scenarios.len(), 0);
        expected.assert_eq(&findings);
    }

    #[test]
    fn every_field_means_something() {
        let (scenarios, findings) = read(WHOLE);
        assert_eq!(findings, "");
        let [scenario] = &*scenarios else { panic!("{scenarios:?}") };
        let mut told = vec![format!("{:?}", scenario.lab)];
        told.extend(scenario.manifests.iter().map(|of| of.name().to_owned()));
        told.extend(scenario.traffic.iter().map(|of| {
            let promise = of.promise.map(lab_scenario::Promise::as_str);
            format!("{}: {:?}, {promise:?}", of.title(), of.kind)
        }));
        told.extend(scenario.steps.iter().map(lab_scenario::Step::title));
        expect![[r#"
            LabOptions { nodes: Some(2), replicas: Some(1), external: [203.0.113.9], profile: Cilium, observe: false, fail_open_start: false, keep_established: true }
            ../shop
            inline manifests
            shop/web → shop/db 5432/tcp, 50 a second: Kept, Some("never broken")
            names: New, None
            probe everything
            closed
            delete NetworkPolicy/shop/deny, Namespace/x
            relabel shop/web-0, shop: app=x, no tier
            stop shop/db-0
            start shop/db-0
            kill all agents
            kill the agent of node-1
            wait 20 ms
            probe shop/ → anywhere
            shop/web → shop/db 5432/tcp: deny by NetworkPolicy shop/db ingress[0]; anywhere → 203.0.113.9 443/tcp: allow
        "#]].assert_eq(&(told.join("\n") + "\n"));
    }

    #[test]
    fn a_scenario_is_no_test_and_a_test_no_scenario() {
        let mut files = SourceFiles::default();
        let file = files.add("s".to_owned());
        let (tests, findings) = kube_import::read_tests(file, WHOLE, Limits::default());
        assert_eq!((tests.len(), findings.len()), (0, 0));
        let test = "{apiVersion: weir.dev/v1alpha1, kind: PolicyTest, nonsense: 1}";
        assert_eq!(read(test), (vec![], String::new()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check(
            "{steps: []}
            {step: [{probe: all}]}
            {steps: [{name: nothing}]}
            {steps: [{probe: all, waitMs: 3}]}
            {steps: [{probe: al}]}
            {steps: [{delete: [db], mode: staged}]}
            {steps: [{delete: [db]}, {stop: web}, {killAgnet: all}]}
            {steps: [{waitMs: 600001}, {waitMs: -1}, {waitMs: soon}]}
            {steps: [{probe: {port: http}}, {probe: {from: a/b/c/d}}]}
            {steps: [{expect: {to: shop/db}}, {expect: []}, {expect: {verdict: maybe, by: me}}]}
            {steps: [{relabel: {pods: a/b}}, {relabel: {labels: {a: b}}}, {relabel: {pods: a/b, labels: {}}}]}
            {steps: [{relabel: {namespaces: a, labels: {kubernetes.io/metadata.name: b, -: c}}}]}
            {steps: [{apply: '-'}, {apply: {inlined: a}}]}
            {steps: [{probe: all}], lab: {nodes: 0, external: here, observe: 1}}
            {steps: [{probe: all}], traffic: [{from: a/b, to: a/c}, {from: a/b, to: a/c, port: 1/udp, connection: kept}]}
            {steps: [{probe: all}], traffic: [{from: a/b, to: a/c, port: 1, perSecond: 1001, expect: never}]}",
            &expect![[r#"
                s:1:84 empty-list there are no steps: add a step
                s:3:77 unknown-field unknown field `step` in a Scenario's spec: did you mean `steps`?
                s:3:76 missing-field a Scenario's spec has no `steps`: add `steps`: weir requires it
                s:5:85 missing-field the step does nothing: add one of apply, delete, relabel, stop, start, roll, killAgent, waitMs, probe, expect
                s:7:93 too-many one step does both `waitMs` and `probe`: make it two steps
                s:9:93 bad-value `al` is none of `all`: did you mean `all`?
                s:11:106 unknown-field `delete` has no mode: remove it, or use `apply`
                s:13:95 bad-value `db` names no object: write KIND/NAMESPACE/NAME, or KIND/NAME where there is no namespace: write it as `NetworkPolicy/shop/web`
                s:13:108 bad-value `web` names no pod: write `namespace/name`
                s:13:115 unknown-field unknown field `killAgnet` in a step: did you mean `killAgent`?
                s:13:114 missing-field the step does nothing: add one of apply, delete, relabel, stop, start, roll, killAgent, waitMs, probe, expect
                s:15:94 bad-value 600001 is not 0 to 600000: write milliseconds
                s:15:112 bad-value -1 is not 0 to 600000: write milliseconds
                s:15:126 wrong-type a number is needed here, and this is a string: write the number without quotes
                s:17:100 bad-port `http` cannot be tried: write a number, as 8080 or 53/udp
                s:17:123 bad-value `a/b/c/d` is not a peer: write namespace/name, kind/namespace/name, service/namespace/name, namespace/, an address, a CIDR, or internet: write `namespace/name`, `service/namespace/name`, `namespace/` or an address
                s:19:94 missing-field an expectation has no `verdict`: add `verdict`: weir requires it
                s:19:119 empty-list the list is empty: list at least one
                s:19:154 bad-value `me` names no policy: write `NetworkPolicy shop/web`, `ClusterNetworkPolicy baseline`, or with a rule `NetworkPolicy shop/web ingress[0]`
                s:19:143 bad-value `maybe` is none of `allow` or `deny`: write `allow` or `deny`
                s:21:95 missing-field `relabel` has no `labels`: add `labels`: weir requires it
                s:21:119 missing-field nobody is relabelled: add `pods` or `namespaces`
                s:21:168 empty-list there are no labels: add a label
                s:23:152 bad-label `-` is no label key: a key is `name` or `dns.prefix/name`; the name has up to 63 letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit
                s:23:119 bad-label `kubernetes.io/metadata.name` is always the namespace's name: use a label of your own
                s:25:93 bad-value a scenario cannot name standard input: write a path, or the manifests under `inline`
                s:25:108 unknown-field unknown field `inlined` in inline manifests: did you mean `inline`?
                s:25:107 missing-field inline manifests has no `inline`: add `inline`: weir requires it
                s:27:126 bad-address `here` is no address: write one, as 203.0.113.9
                s:27:113 bad-value 0 is not 1 to 250: write a number in between
                s:27:141 wrong-type a boolean is needed here, and this is a number: check the indentation, and the field's name
                s:29:110 missing-field traffic has no `port`: add `port`: weir requires it
                s:29:159 bad-value 1/udp has no connection that could be kept: name a TCP port, or leave `connection` away
                s:31:151 bad-value 1001 is not 1 to 1000: write a number in between
                s:31:165 bad-value `never` is none of `neverAllowed` or `neverBroken`: write `neverAllowed` or `neverBroken`
            "#]],
        );
    }
}
