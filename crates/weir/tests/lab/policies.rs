//! Policies on real packets.

use crate::test_lab::{TestLab, WEIR};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

const POLICIES: &str = "
kind: NetworkPolicy
apiVersion: networking.k8s.io/v1
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: sql}]
---
kind: ClusterNetworkPolicy
apiVersion: policy.networking.k8s.io/v1alpha2
metadata: {name: no-outside}
spec:
  tier: Admin
  priority: 10
  subject: {pods: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: web}}}}
  egress:
  - {name: outside, action: Deny, to: [{networks: [203.0.113.0/24]}], protocols: [{tcp: {destinationPort: {number: 443}}}]}
";

const CLOSED: &str = "
kind: NetworkPolicy
apiVersion: networking.k8s.io/v1
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
";

impl TestLab {
    /// Makes the lab with the policies, on two nodes.
    fn up_with_policies(&self, arguments: &[&str]) -> Result<()> {
        let policies = self.file("policies.yaml", POLICIES)?;
        let more = [&[policies.as_str(), "--nodes", "2", "--external", "203.0.113.9"], arguments];
        self.up(&more.concat())
    }

    fn flows(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let lines = self.done("flows", &[&["-o", "json"], arguments].concat())?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

impl TestLab {
    fn dataplane(&self, what: &str, node: &str) -> Result<Value> {
        let place = ["--lab", "default", "--node", node, "-o", "json", "--dir"];
        let mut command = Command::new(WEIR);
        let output = command.args(["dataplane", what]).args(place).arg(&self.dir).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn rule(flow: &Value) -> &str {
    flow["decision"]["rule"]["policy"]["name"].as_str().unwrap_or_default()
}

/// Pods end, too.
fn enforces(name: &str, arguments: &[&str]) -> Result<()> {
    let lab = TestLab::new(name)?;
    lab.up_with_policies(arguments)?;
    let open = lab.agrees()?;
    ensure!(open > 0, "nothing was open");
    let by_rule = lab.flows(&["--from", "shop/web", "--to", "shop/db", "--port", "5432"])?;
    ensure!(by_rule.iter().any(|flow| rule(flow) == "db"), "{by_rule:?}");
    let denied = lab.flows(&["--denied", "--to", "shop/db", "--port", "5353/udp"])?;
    let by_default = denied.iter().filter(|flow| flow["decision"]["by"] == "default-deny");
    ensure!(by_default.count() > 0, "{denied:?}");
    lab.done("stop", &["shop/web-0"])?;
    ensure!(lab.agrees()? < open);
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn packets_do_as_the_policies_say_and_flows_name_the_rule() -> Result<()> {
    enforces("enforce", &[])
}

#[test]
fn so_they_do_on_kernels_without_tcx() -> Result<()> {
    enforces("clsact", &["--hook", "clsact"])
}

#[test]
fn a_change_holds_when_the_command_returns() -> Result<()> {
    let lab = TestLab::new("change")?;
    lab.up_with_policies(&[])?;
    let closed = lab.file("closed.yaml", CLOSED)?;
    let before = lab.agrees()?;
    lab.done("apply", &[&closed])?;
    let after = lab.agrees()?;
    ensure!(after < before, "{after} of {before} are open");
    lab.done("delete", &["NetworkPolicy/shop/closed"])?;
    assert_eq!(lab.agrees()?, before);
    let again = lab.run("delete", &["NetworkPolicy/shop/closed"])?;
    let errors = String::from_utf8(again.stderr)?;
    assert_eq!(again.status.code(), Some(2), "{errors}");
    ensure!(errors.contains("networkpolicy/shop/closed is not there"), "{errors}");
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn what_is_asked_wrongly_is_answered_with_what_to_do() -> Result<()> {
    let lab = TestLab::new("wrong")?;
    lab.up_with_policies(&[])?;
    let wrong = lab.file("wrong.yaml", &CLOSED.replace("podSelector", "podSelectr"))?;
    for (command, arguments, code, answer) in [
        ("apply", &[&*wrong][..], 2, "error[unknown-field]: unknown field `podSelectr`"),
        ("diff", &[&wrong], 2, "help: did you mean `podSelector`?"),
        (
            "apply",
            &["--keep-going", &wrong],
            0,
            "left out because of errors: NetworkPolicy shop/closed",
        ),
        ("delete", &["NetworkPolicy/shop/dp"], 2, "did you mean NetworkPolicy/shop/db?"),
        ("delete", &["NetworkPolicy/db"], 2, "did you mean NetworkPolicy/shop/db?"),
        ("stop", &["shop/web"], 2, "name pods of it, shop/web-0, shop/web-1"),
        ("stop", &["shop/wep-0"], 2, "did you mean shop/web-0?"),
        ("start", &["shop/web-0"], 2, "shop/web-0 is not stopped; no pod is"),
        ("kill-agent", &["node-3"], 2, "the lab has node-1, node-2"),
        ("exec", &["shop/db-1", "--", "true"], 2, "did you mean shop/db-0"),
        ("flows", &["--from", "shup/web"], 2, "did you mean shop?"),
        ("flows", &["--from", "shop/web", "--port", "1"], 0, "is such a one"),
        ("status", &["--name", "other"], 3, "--name says which, and there is default"),
    ] {
        let output = lab.run(command, arguments)?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(said.contains(answer), "{command} {arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{command} {arguments:?}: {said}");
    }
    lab.agrees()?;
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn a_staged_policy_is_told_and_enforces_nothing() -> Result<()> {
    let lab = TestLab::new("staged")?;
    lab.up_with_policies(&[])?;
    let closed = lab.file("closed.yaml", CLOSED)?;
    let before = lab.agrees()?;
    let diff = lab.run("diff", &[&closed])?;
    assert_eq!(diff.status.code(), Some(1), "{}", String::from_utf8_lossy(&diff.stderr));
    let diff = String::from_utf8(diff.stdout)?;
    ensure!(diff.contains("would be denied") && diff.contains("shop/closed"), "{diff}");
    lab.done("apply", &["--stage", &closed])?;
    assert_eq!(lab.agrees()?, before, "what is staged drops nothing");
    let would = lab.flows(&["--denied", "--to", "shop/web"])?;
    let staged = would.iter().find(|flow| flow["staged"]["verdict"] == "deny");
    ensure!(staged.is_some(), "{would:?}");
    let enforced = lab.file("policies.yaml", POLICIES)?;
    let refused = lab.run("apply", &["--stage", &enforced])?;
    ensure!(String::from_utf8(refused.stderr)?.contains("is enforced: with another mode"));
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn pods_come_and_go_and_an_agent_that_dies_opens_nothing() -> Result<()> {
    let lab = TestLab::new("pods")?;
    lab.up_with_policies(&[])?;
    let before = lab.agrees()?;
    lab.done("stop", &["shop/web-0"])?;
    ensure!(lab.agrees()? < before);
    let gone = lab.run("exec", &["shop/web-0", "--", "true"])?;
    ensure!(!gone.status.success());
    lab.done("start", &["shop/web-0"])?;
    assert_eq!(lab.agrees()?, before);
    for node in ["node-1", "node-2", "node-1"] {
        lab.done("kill-agent", &[node])?;
        assert_eq!(lab.agrees()?, before, "without the agent of {node}");
    }
    let status: Value = serde_json::from_str(&lab.done("status", &["-o", "json"])?)?;
    assert_eq!(status["agents"][0]["restarts"], 2, "{status}");
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn an_operator_sees_what_the_kernel_of_a_node_holds() -> Result<()> {
    let lab = TestLab::new("operator")?;
    lab.up_with_policies(&["--observe"])?;
    lab.done("probe", &["--from", "shop/web"])?;
    let ask = |what: &str, node: &str| lab.dataplane(what, node);
    let mut connections = 0;
    for node in ["node-1", "node-2"] {
        let status = ask("status", node)?;
        let pods = status["pods"].as_array().context("no pods")?;
        ensure!(!pods.is_empty());
        for pod in pods {
            assert_eq!(pod["policy"]["mode"], "observe", "{pod}");
        }
        let links = status["links"].as_array().context("no links")?;
        assert_eq!(links.len(), 2 * pods.len() + 4, "{links:?}");
        connections += ask("dump", node)?["connections"].as_array().context("none")?.len();
    }
    ensure!(connections > 0);
    lab.done("exec", &["node-1", "--", "true"])?;
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

/// A pod that comes back is another one, and an agent that comes back finds the same ones.
#[test]
fn pods_have_an_identity_that_outlives_agents_and_not_the_pod() -> Result<()> {
    let lab = TestLab::new("identity")?;
    lab.up(&[])?;
    let uids = || -> Result<BTreeMap<String, String>> {
        let status = lab.dataplane("status", "node-1")?;
        let pods = status["pods"].as_array().context("no pods")?;
        let uid = |pod: &Value| Some((pod["uid"].as_str()?.to_owned(), pod["number"].to_string()));
        let uids: BTreeMap<_, _> = pods.iter().filter_map(uid).collect();
        ensure!(
            uids.len() == pods.len() && uids.keys().all(|uid| uid.chars().nth(14) == Some('4'))
        );
        Ok(uids)
    };
    let first = uids()?;
    lab.done("kill-agent", &["node-1"])?;
    lab.agrees()?;
    assert_eq!(uids()?, first, "the same pods have the same numbers");
    lab.done("stop", &["shop/web-0"])?;
    lab.done("start", &["shop/web-0"])?;
    let second = uids()?;
    let same = second.keys().filter(|uid| first.contains_key(*uid));
    assert_eq!((same.count(), second.len()), (first.len() - 1, first.len()));
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

const MANY: &str = "
kind: Deployment
apiVersion: apps/v1
metadata: {name: many, namespace: shop}
spec:
  replicas: 30
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec: {containers: [{name: many, ports: [{containerPort: 80}]}]}
";

/// They are enforced when `up` returns, whichever way, and by tcx soon after.
#[test]
fn many_pods_are_enforced_at_once() -> Result<()> {
    let lab = TestLab::new("many")?;
    let many = lab.file("many.yaml", MANY)?;
    let closed = lab.file("closed.yaml", CLOSED)?;
    lab.up(&[&many, &closed, "--replicas", "30"])?;
    let probe = lab.done("probe", &["--from", "shop/web-0", "--port", "80", "-o", "json"])?;
    let report: Value = serde_json::from_str(&probe)?;
    let cells = report["cells"].as_array().context("no cells")?;
    ensure!(report["disagreements"] == 0 && cells.len() > 30, "{report}");
    ensure!(cells.iter().all(|cell| cell["observed"].get("open").is_none()), "{report}");
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let status = lab.dataplane("status", "node-1")?;
        let (links, pods) = (status["links"].as_array(), status["pods"].as_array());
        let (links, pods) = (links.context("no links")?.len(), pods.context("no pods")?.len());
        if links == 2 * pods + 4 {
            ensure!(pods > 30, "{status}");
            break;
        }
        ensure!(Instant::now() < end, "{links} links of {pods} pods");
    }
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn a_request_from_a_pod_says_which_rules_decided() -> Result<()> {
    let lab = TestLab::new("curl")?;
    lab.up_with_policies(&[])?;
    let allowed = lab.run("curl", &["shop/db", "http://web"])?;
    ensure!(allowed.status.success(), "{}", String::from_utf8_lossy(&allowed.stderr));
    ensure!(String::from_utf8(allowed.stdout)?.starts_with("shop/web-"));
    ensure!(String::from_utf8(allowed.stderr)?.contains("opened     shop/db-0 → shop/web-"));
    let denied =
        lab.run("curl", &["shop/web", "http://203.0.113.9:443", "--", "--max-time", "1"])?;
    assert_eq!(denied.status.code(), Some(28));
    let why = String::from_utf8(denied.stderr)?;
    ensure!(why.contains("deny by ClusterNetworkPolicy no-outside egress[0]"), "{why}");
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn the_doctor_tries_everything_and_leaves_nothing() -> Result<()> {
    let lab = TestLab::new("doctor")?;
    let output = Command::new(WEIR).args(["doctor", "-o", "json"]).output()?;
    let checks: Value = serde_json::from_slice(&output.stdout)?;
    let checks = checks.as_array().context("no checks")?;
    ensure!(checks.iter().all(|check| check["state"] != "not-tried"), "{checks:?}");
    ensure!(output.status.success(), "this machine cannot enforce policies: {checks:?}");
    let plain = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all", WEIR, "doctor"])
        .output()?;
    assert_eq!(plain.status.code(), Some(1));
    let text = String::from_utf8(plain.stdout)?;
    ensure!(text.contains("missing: CAP_NET_ADMIN") && text.contains("run it as root"), "{text}");
    fs::create_dir_all(&lab.dir)?;
    lab.is_clean_in_the_end()
}

#[test]
fn a_table_of_connections_that_is_full_is_a_warning() -> Result<()> {
    let lab = TestLab::new("full")?;
    let many = "{kind: Deployment, apiVersion: apps/v1, metadata: {name: many, namespace: shop}, spec: {replicas: \
        12, selector: {matchLabels: {app: many}}, template: {metadata: {labels: {app: many}}, spec: {containers: \
        [{name: c, ports: [{containerPort: 80}]}]}}}}";
    let many = lab.file("many.yaml", many)?;
    lab.up(&[&many, "--replicas", "12", "--max-connections", "64"])?;
    let node = |lab: &TestLab| -> Result<Value> {
        let status: Value = serde_json::from_str(&lab.done("status", &["-o", "json"])?)?;
        Ok(status["agents"][0]["plane"].clone())
    };
    let plane = node(&lab)?;
    assert_eq!(plane["max_connections"], 64, "{plane}");
    assert_eq!((&plane["denying"], &plane["waiting"]), (&0.into(), &0.into()), "{plane}");
    // More connections than there is room for, so this contradicts the policies.
    assert_eq!(lab.run("probe", &["--from", "shop/many"])?.status.code(), Some(1));
    let plane = node(&lab)?;
    assert_eq!(plane["connections"], 64, "{plane}");
    ensure!(plane["dropped"]["connections-full"].as_u64().context("none")? > 0, "{plane}");
    ensure!(plane["dropped"]["pod-quota"].as_u64().context("none")? > 0, "{plane}");
    let status = lab.done("status", &[])?;
    ensure!(status.contains("64 of 64 connections"), "{status}");
    ensure!(
        status.contains("warning: the table of connections is full: new ones are refused"),
        "{status}"
    );
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn who_is_detached_is_put_back_and_told() -> Result<()> {
    let lab = TestLab::new("detached")?;
    lab.up_with_policies(&["--hook", "clsact"])?;
    let before = lab.agrees()?;
    let links = lab.exec("node-1", "tc qdisc show | grep clsact | head -n 1")?;
    let link = links.split(' ').skip_while(|word| *word != "dev").nth(1).context("no link")?;
    lab.exec("node-1", &format!("tc qdisc del dev {link} clsact"))?;
    let end = Instant::now() + Duration::from_secs(20);
    let told = "warning: somebody detached 1 pod, which was open until put back";
    while !lab.done("status", &[])?.contains(told) {
        ensure!(Instant::now() < end, "{}", lab.done("status", &[])?);
    }
    assert_eq!(lab.agrees()?, before);
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}
