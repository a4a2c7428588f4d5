//! Pods that are replaced: by other names and addresses, which mean nothing of what they meant before.

use crate::test_lab::TestLab;
use anyhow::{Context as _, Result, ensure};
use std::process::Output;

const DATABASE: &str = "
kind: NetworkPolicy
apiVersion: networking.k8s.io/v1
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
";

/// A datagram from port 4000 to the database, and whatever comes back within a second.
const ASK: &str = r#"use IO::Socket::INET; my $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 4000,
PeerAddr => $ARGV[0], PeerPort => 5353) or die; $s->send("who\n"); $SIG{ALRM} = sub { exit 28 }; alarm 1;
$s->recv(my $answer, 100); print $answer"#;

impl TestLab {
    fn address(&self, pod: &str) -> Result<String> {
        let shown = self.exec(pod, "ip -4 -o addr show dev eth0")?;
        let address = shown.split_once("inet ").and_then(|(_, rest)| rest.split_once('/'));
        Ok(address.context("no address")?.0.to_owned())
    }

    fn ask_database(&self, pod: &str, database: &str) -> Result<Output> {
        self.run("exec", &[pod, "--", "perl", "-e", ASK, database])
    }
}

#[test]
fn who_gets_the_address_of_a_pod_that_went_gets_none_of_its_rights() -> Result<()> {
    let lab = TestLab::new("reuse")?;
    let policy = lab.file("db.yaml", DATABASE)?;
    lab.up(&[&policy])?;
    let (database, old) = (lab.address("shop/db-0")?, lab.address("shop/web-0")?);
    let allowed = lab.ask_database("shop/web-0", &database)?;
    ensure!(allowed.stdout.starts_with(b"shop/db-0 5353"), "{allowed:?}");

    let rolled = lab.run("roll", &["shop/web", "deployment/shop/web"])?;
    let notes = String::from_utf8(rolled.stderr)?;
    ensure!(rolled.status.success(), "{notes}");
    assert_eq!(notes, "note: Deployment shop/web: web-2, web-3 replaced web-0, web-1\n");
    ensure!(lab.address("shop/web-2")? != old && lab.address("shop/web-3")? != old);
    let allowed = lab.ask_database("shop/web-3", &database)?;
    ensure!(allowed.stdout.starts_with(b"shop/db-0 5353"), "{allowed:?}");

    // The same address, port and protocol as a connection that the database's node still remembers.
    let thief = format!(
        "{{kind: Pod, apiVersion: v1, metadata: {{name: thief, namespace: other, labels: {{app: web}}}}, \
         spec: {{containers: [{{name: c}}]}}, status: {{podIP: {old}, podIPs: [{{ip: {old}}}]}}}}"
    );
    let thief = lab.file("thief.yaml", &thief)?;
    lab.done("apply", &[&thief])?;
    assert_eq!(lab.address("other/thief")?, old);
    assert_eq!(lab.ask_database("other/thief", &database)?.status.code(), Some(28));
    lab.agrees()?;
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn what_cannot_be_rolled_is_told_with_what_to_do() -> Result<()> {
    let lab = TestLab::new("unrolled")?;
    let pod = "{kind: Pod, apiVersion: v1, metadata: {name: spy, namespace: other}, spec: {containers: [{name: c}]}}";
    let pod = lab.file("spy.yaml", pod)?;
    lab.up(&[&pod])?;
    for (name, why) in [
        ("shop/web-0", "it is one pod of shop/web: roll deployment/shop/web"),
        ("other/spy", "nothing owns it, so nothing replaces it: stop it and start it"),
        ("shop/wep", "did you mean shop/web or service/shop/web?"),
        ("service/shop/db", "it is no workload"),
        ("shop/", "it stands for StatefulSet shop/db, Deployment shop/web: name one"),
    ] {
        let refused = lab.run("roll", &[name])?;
        let said = String::from_utf8(refused.stderr)?;
        assert_eq!(refused.status.code(), Some(2), "{said}");
        ensure!(said.contains(why), "{said}");
    }
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}
