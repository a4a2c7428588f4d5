//! Flows of who was asked for: by names, by nodes, and of one request only.

use crate::test_lab::TestLab;
use anyhow::{Context as _, Result, ensure};

/// It has no address but its node's.
const ON_THE_NODE: &str = "
kind: Pod
apiVersion: v1
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {hostNetwork: true, nodeName: node-2, containers: [{name: agent, ports: [{containerPort: 9100}]}]}
";

const CLOSED: &str = "
kind: NetworkPolicy
apiVersion: networking.k8s.io/v1
metadata: {name: closed, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}
";

impl TestLab {
    /// What `curl` says of a request to the database: the flows.
    fn requested(&self, from: &str) -> Result<Vec<String>> {
        let output = self.run("curl", &[from, "http://db.shop:1234"])?;
        let flows = String::from_utf8(output.stderr)?;
        Ok(flows
            .lines()
            .filter(|line| line.contains(" → ") && !line.contains(":53/udp"))
            .map(str::to_owned)
            .collect())
    }
}

#[test]
fn a_request_shows_its_own_flows_and_a_pod_on_its_node_has_its_nodes() -> Result<()> {
    let lab = TestLab::new("asking")?;
    let more = [lab.file("agent.yaml", ON_THE_NODE)?, lab.file("closed.yaml", CLOSED)?];
    lab.up(&[&more[0], &more[1], "--nodes", "2", "--observe"])?;
    // Its connections end while the request is made.
    lab.run("probe", &[])?;
    let flows = lab.requested("shop/web")?;
    ensure!(!flows.is_empty() && flows.len() <= 2, "{flows:#?}");
    ensure!(
        flows.iter().all(|flow| flow.contains("shop/web-0 → shop/db-0:5432/tcp")),
        "{flows:#?}"
    );
    let flows = lab.requested("shop/agent")?;
    ensure!(!flows.is_empty() && flows.len() <= 2, "{flows:#?}");
    ensure!(
        flows.iter().all(|flow| flow.contains("node/node-2 → shop/db-0:5432/tcp")),
        "{flows:#?}"
    );
    let of_pod = lab.done("flows", &["--from", "shop/agent"])?;
    ensure!(!of_pod.is_empty() && of_pod == lab.done("flows", &["--from", "node-2"])?, "{of_pod}");
    // Nothing is dropped, and this is what would be.
    let denied = lab.done("flows", &["--from", "shop/web-0", "--denied"])?;
    let first = denied.lines().next().context("no denial")?;
    ensure!(
        first.contains("isolated by NetworkPolicy shop/closed (")
            && first.contains("closed.yaml:2:1)"),
        "{first}"
    );
    ensure!(first.contains("not dropped"), "{first}");
    for (peer, meant) in [("shop/wbe", "shop/web"), ("shpo/web", "shop"), ("nod-1", "node-1")] {
        for follow in [&[] as &[&str], &["--follow"]] {
            let output = lab.run("flows", &[&["--from", peer], follow].concat())?;
            let errors = String::from_utf8(output.stderr)?;
            ensure!(output.status.code() == Some(2), "{peer}: {errors}");
            ensure!(errors.contains(&format!("did you mean {meant}")), "{peer}: {errors}");
        }
    }
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn an_apply_tells_what_the_checks_find() -> Result<()> {
    let lab = TestLab::new("telling")?;
    lab.up(&[])?;
    let policy = lab.file("odd.yaml", &CLOSED.replace("namespace: shop", "namespace: shpo"))?;
    let output = lab.run("apply", &[&policy])?;
    let told = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "{told}");
    ensure!(told.contains("[policy-in-empty-namespace]: NetworkPolicy shpo/closed: "), "{told}");
    ensure!(told.contains("odd.yaml:2:1)"), "{told}");
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}
