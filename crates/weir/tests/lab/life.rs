//! How labs begin and end, and what they answer where no policy speaks.

use crate::test_lab::{TestLab, WEIR, kill, processes};
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

#[test]
fn pods_reach_each_other_by_address_service_and_name() -> Result<()> {
    let lab = TestLab::new("reach")?;
    lab.up(&["--nodes", "2", "--external", "203.0.113.9"])?;
    let status = String::from_utf8(lab.run("status", &[])?.stdout)?;
    ensure!(status.contains("4 pods on 2 nodes"), "{status}");
    ensure!(status.contains("shop/web: 2 of 3 replicas"), "{status}");
    let hosts = lab.exec("shop/web", "getent ahosts db; getent hosts web")?;
    ensure!(hosts.contains("10.96.0.11") && hosts.contains("fd00:10:244:"), "{hosts}");
    let own = lab.exec("shop/web-1", "cat /etc/hosts /etc/resolv.conf; ip -br addr")?;
    ensure!(own.contains("web-1") && own.contains("nameserver 10.96.0.10"), "{own}");
    ensure!(own.contains("search shop.svc.cluster.local"), "{own}");
    let probe = lab.run("probe", &["-o", "json"])?;
    let report: serde_json::Value = serde_json::from_slice(&probe.stdout)?;
    let cells = report["cells"].as_array().context("no cells")?;
    let closed: Vec<_> =
        cells.iter().filter(|cell| cell["observed"].get("open").is_none()).collect();
    ensure!(closed.is_empty(), "nothing is enforced, but: {closed:?}");
    let find = |to: &str, port: &str| {
        cells.iter().filter(|cell| cell["to"] == to && cell["port"] == port).count()
    };
    // The other pods, and the peer outside, which has IPv4 alone; the Service also from its own pod.
    assert_eq!(find("shop/db-0", "5432/tcp"), 3 * 2 + 1);
    assert_eq!(find("shop/db-0", "5353/udp"), 3 * 2 + 1);
    assert_eq!(find("shop/db-0", "9999/sctp"), 3 * 2 + 1);
    assert_eq!(find("service/shop/db", "1234/tcp"), 4 * 2);
    assert_eq!(find("service/shop/db", "99/sctp"), 4 * 2);
    let answered = cells.iter().filter(|cell| cell["to"] == "service/shop/db");
    let by_tcp = answered.filter(|cell| cell["port"] == "1234/tcp");
    for cell in by_tcp {
        assert_eq!(cell["observed"]["open"]["by"], "shop/db-0 5432", "{cell}");
    }
    ensure!(lab.run("down", &[])?.status.success());
    lab.is_clean_in_the_end()
}

#[test]
fn a_killed_lab_leaves_nothing_and_ends_what_ran_in_it() -> Result<()> {
    let lab = TestLab::new("killed")?;
    lab.up(&[])?;
    let mut sleeping: Child = lab
        .command("exec")
        .args(["shop/web", "--", "sh", "-c", "sleep 1000 & echo in; wait"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = [0; 3];
    sleeping.stdout.as_mut().context("no output")?.read_exact(&mut said)?;
    kill(lab.process()?)?;
    let ended = sleeping.wait()?;
    assert_eq!(ended.code(), Some(137));
    // It has the test's pipe, which ends with its last holder.
    let mut rest = Vec::new();
    sleeping.stdout.take().context("no output")?.read_to_end(&mut rest)?;
    lab.is_clean_in_the_end()
}

/// Killed at many moments, from the first to long after the lab is up.
#[test]
fn an_up_that_is_killed_leaves_nothing() -> Result<()> {
    let lab = TestLab::new("half")?;
    let begin = Instant::now();
    lab.up(&[])?;
    let whole = begin.elapsed();
    ensure!(lab.run("down", &[])?.status.success());
    for part in 0..10_u32 {
        let mut up = lab
            .command("up")
            .arg(&lab.manifests)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let moment = Instant::now() + whole * part / 10;
        while Instant::now() < moment {
            std::thread::yield_now();
        }
        kill(up.id())?;
        up.wait()?;
        // It may have been quicker than the signal.
        drop(lab.run("down", &[])?);
    }
    lab.is_clean_in_the_end()
}

/// Otherwise whoever reads that pipe to its end waits for the lab, and no disk that a shell is on can be
/// unmounted.
#[test]
fn a_lab_holds_nothing_of_whoever_started_it() -> Result<()> {
    let lab = TestLab::new("holds")?;
    let folder = lab.manifests.parent().context("no folder")?;
    let up = lab.command("up");
    let mut shell = Command::new("sh")
        .args(["-c", "exec \"$0\" \"$@\" 7>&1 8>&2 9<.", WEIR])
        .args(up.get_args())
        .arg("shop.yaml")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    ensure!(shell.wait()?.success());
    let output = shell.stdout.as_ref().context("no output")?;
    let pipe = fs::read_link(format!("/proc/self/fd/{}", output.as_raw_fd()))?;
    let processes = processes(&lab.dir)?;
    ensure!(processes.len() >= 2, "{processes:?}");
    for process in &processes {
        let number = process.split(' ').next().context("no number")?;
        let of = |what: &str| PathBuf::from(format!("/proc/{number}/{what}"));
        assert_eq!(fs::read_link(of("cwd"))?, PathBuf::from("/"), "{process}");
        for file in fs::read_dir(of("fd"))? {
            let held = fs::read_link(file?.path()).unwrap_or_default();
            let is_own = held.starts_with(&lab.dir) || !held.starts_with(folder);
            ensure!(held != pipe && is_own, "{process} has {held:?}");
        }
    }
    let mut said = String::new();
    shell.stdout.take().context("no output")?.read_to_string(&mut said)?;
    ensure!(said.contains("is up"), "{said}");
    ensure!(lab.run("down", &[])?.status.success());
    lab.is_clean_in_the_end()
}

#[test]
fn two_labs_of_one_name_are_refused_and_the_first_stays() -> Result<()> {
    let lab = TestLab::new("twice")?;
    lab.up(&[])?;
    let again = lab.command("up").arg(&lab.manifests).output()?;
    assert_eq!(again.status.code(), Some(3));
    let text = String::from_utf8(again.stderr)?;
    ensure!(text.contains("the lab `default` is up already"), "{text}");
    ensure!(lab.run("status", &[])?.status.success());
    ensure!(lab.run("down", &[])?.status.success());
    assert_eq!(lab.run("down", &[])?.status.code(), Some(3));
    lab.is_clean_in_the_end()
}

/// Runs our program as somebody who is not root, or root of what `beside` makes; its code and what it said.
fn as_nobody(lab: &TestLab, beside: &[&str], arguments: &[&str]) -> Result<(Option<i32>, String)> {
    // Nobody may look into the folder that it was built in.
    let program = lab.manifests.with_file_name("weir");
    if !program.exists() {
        fs::copy(WEIR, &program)?;
    }
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let output = Command::new("setpriv")
        .args(nobody)
        .args(beside)
        .arg(&program)
        .args(arguments)
        .output()
        .context("setpriv is missing: install util-linux")?;
    let texts = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8(texts)?))
}

#[test]
fn without_privileges_it_says_which_and_what_to_do() -> Result<()> {
    let lab = TestLab::new("plain")?;
    let output = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all", WEIR, "lab", "up", "--dir"])
        .arg(&lab.dir)
        .arg(&lab.manifests)
        .output()?;
    let text = String::from_utf8(output.stderr)?;
    ensure!(text.contains("a lab needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN"), "{text}");
    ensure!(text.contains("--cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN,BPF"), "{text}");
    assert_eq!(output.status.code(), Some(3));
    let (dir, manifests) = (lab.dir.display().to_string(), lab.manifests.display().to_string());
    let up = ["lab", "up", &manifests, "--dir", &dir];
    let (code, text) = as_nobody(&lab, &[], &up)?;
    ensure!(text.contains("CAP_BPF: run it as root; a user namespace is not enough"), "{text}");
    assert_eq!(code, Some(3));
    let (code, text) = as_nobody(&lab, &["unshare", "--map-root-user", "--net"], &up)?;
    ensure!(text.contains("CAP_BPF and CAP_NET_ADMIN outside of this user namespace"), "{text}");
    assert_eq!(code, Some(3));
    lab.is_clean_in_the_end()
}

#[test]
fn the_doctor_tells_somebody_without_rights_what_the_kernel_allows() -> Result<()> {
    let lab = TestLab::new("nobody")?;
    for beside in [&[][..], &["unshare", "--map-root-user", "--net"]] {
        let (code, text) = as_nobody(&lab, beside, &["doctor", "-o", "json"])?;
        assert_eq!(code, Some(1), "{text}");
        let checks: serde_json::Value = serde_json::from_str(&text)?;
        let checks = checks.as_array().context("no checks")?;
        let state = |code: &str| {
            let check = checks.iter().find(|check| check["code"] == code);
            check.map(|check| check["state"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(state("privileges").as_deref(), Some("fatal"), "{text}");
        assert_eq!(state("tcx").as_deref(), Some("not-tried"), "{text}");
        // It was tried, in a user namespace; other machines may forbid those.
        let allowed = state("user-namespace").context("not said")?;
        ensure!(allowed == "present" || allowed == "missing", "{text}");
        let filter = if allowed == "present" { "present" } else { "not-tried" };
        assert_eq!(state("packet-filter").as_deref(), Some(filter), "{text}");
    }
    fs::create_dir_all(&lab.dir)?;
    lab.is_clean_in_the_end()
}

#[test]
fn two_things_with_one_address_are_refused_before_anything_is_made() -> Result<()> {
    let lab = TestLab::new("clash")?;
    let thief = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}}, spec: {{containers: \
             [{{name: c}}]}}, status: {{podIP: 10.244.9.9, podIPs: [{{ip: 10.244.9.9}}]}}}}\n---\n"
        )
    };
    let both = lab.file("both.yaml", &(thief("one") + &thief("two")))?;
    let refused = |arguments: &[&str]| -> Result<String> {
        let up = lab.command("up").arg(&lab.manifests).args(arguments).output()?;
        ensure!(!up.status.success(), "it was made");
        Ok(String::from_utf8(up.stderr)?)
    };
    let text = refused(&[&both])?;
    ensure!(text.contains("the pod shop/one and the pod shop/two both have 10.244.9.9"), "{text}");
    let one = lab.file("one.yaml", &thief("one"))?;
    let text = refused(&[&one, "--external", "10.244.9.9"])?;
    ensure!(text.contains("outside 10.244.9.9 has the address of the pod shop/one"), "{text}");
    let text = refused(&["--external", "10.244.0.2"])?;
    ensure!(text.contains("10.244.0.2 has an address that the lab gives"), "{text}");
    lab.up(&[&one, "--external", "203.0.113.9"])?;
    let before = lab.agrees()?;
    let closed = "{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, metadata: {name: closed, \
                  namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress]}}\n---\n";
    let second = lab.file("second.yaml", &(closed.to_owned() + &thief("two")))?;
    let apply = lab.run("apply", &[&second])?;
    assert_eq!(apply.status.code(), Some(2));
    let text = String::from_utf8(apply.stderr)?;
    ensure!(text.contains("the pod shop/one and the pod shop/two both have 10.244.9.9"), "{text}");
    assert_eq!(lab.agrees()?, before);
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn a_change_that_fails_half_way_is_undone() -> Result<()> {
    let lab = TestLab::new("undone")?;
    lab.up(&[])?;
    let before = lab.agrees()?;
    let closed = "{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, metadata: {name: closed, \
                  namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress]}}\n---\n";
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: late, namespace: shop}, spec: {containers: [{name: c, \
               ports: [{containerPort: 80}]}]}, status: {podIP: 10.244.9.9, podIPs: [{ip: 10.244.9.9}]}}\n---\n";
    let more = lab.file("more.yaml", &(closed.to_owned() + pod))?;
    lab.exec("node-1", "ip route add 10.244.9.9/32 dev lo")?;
    for _ in 0..2 {
        let apply = lab.run("apply", &[&more])?;
        ensure!(!apply.status.success(), "it was applied over a route that is there");
        let text = String::from_utf8(apply.stderr)?;
        ensure!(
            text.contains("the change was not made, and the lab is as it was before"),
            "{text}"
        );
        ensure!(text.contains("add a route to 10.244.9.9/32"), "{text}");
        assert_eq!(lab.agrees()?, before);
    }
    // Pods of a roll that cannot go on are there again, and their policies hold.
    lab.done("stop", &["shop/web-1"])?;
    let fewer = lab.agrees()?;
    let other = lab.file(
        "other.yaml",
        &(pod.to_owned()
            + "{kind: StatefulSet, apiVersion: apps/v1, metadata: {name: db, namespace: shop}, spec: {selector: \
               {matchLabels: {app: db}}, template: {metadata: {labels: {app: db, more: x}}, spec: {containers: \
               [{name: db, ports: [{containerPort: 5432, name: sql}]}]}}}}"),
    )?;
    ensure!(!lab.run("apply", &[&other])?.status.success(), "it was rolled");
    assert_eq!(lab.agrees()?, fewer);
    lab.done("start", &["shop/web-1"])?;
    assert_eq!(lab.agrees()?, before);
    lab.exec("node-1", "ip route del 10.244.9.9/32 dev lo")?;
    lab.done("apply", &[&more])?;
    ensure!(lab.agrees()? < before);
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

/// The agent of this node.
fn agent(lab: &TestLab, node: &str) -> Result<u32> {
    let address = lab.exec(node, "readlink /proc/self/ns/net")?;
    for process in processes(&lab.dir)? {
        let number = process.split(' ').next().context("no number")?;
        let network = fs::read_link(format!("/proc/{number}/ns/net"));
        let is_there = network.is_ok_and(|of| of.display().to_string() == address.trim());
        if is_there && process.contains(" lab agent ") {
            return Ok(number.parse()?);
        }
    }
    anyhow::bail!("no agent of {node}")
}

#[test]
fn an_agent_that_does_not_answer_holds_nothing_up_and_is_named() -> Result<()> {
    let lab = TestLab::new("silent")?;
    lab.up(&["--nodes", "2"])?;
    let before = lab.agrees()?;
    let closed = "{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, metadata: {name: closed, \
                  namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress]}}";
    let closed = lab.file("closed.yaml", closed)?;
    let process = agent(&lab, "node-2")?;
    ensure!(Command::new("kill").args(["-STOP", &process.to_string()]).status()?.success());
    let begin = Instant::now();
    let apply = lab.run("apply", &[&closed])?;
    assert_eq!(apply.status.code(), Some(2));
    ensure!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
    let text = String::from_utf8(apply.stderr)?;
    ensure!(
        text.contains("the lab is as it was before: the agent of node-2 does not answer"),
        "{text}"
    );
    ensure!(text.contains("`weir lab kill-agent node-2`"), "{text}");
    let status = lab.done("status", &[])?;
    ensure!(status.contains("node-1: agent runs"), "{status}");
    ensure!(status.contains("node-2: agent does not answer"), "{status}");
    let flows = lab.run("flows", &[])?;
    ensure!(
        String::from_utf8(flows.stderr)?.contains("newer flows of node-2 are missing"),
        "not said"
    );
    let killed = lab.done("kill-agent", &["node-2"])?;
    ensure!(killed.contains("a new agent enforces the policies"), "{killed}");
    assert_eq!(lab.agrees()?, before);
    lab.done("apply", &[&closed])?;
    ensure!(lab.agrees()? < before);
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn a_node_that_was_detached_is_told_and_not_put_back() -> Result<()> {
    let lab = TestLab::new("unpinned")?;
    let closed = "{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, metadata: {name: closed, \
                  namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress]}}";
    let closed = lab.file("closed.yaml", closed)?;
    lab.up(&[&closed])?;
    let before = lab.agrees()?;
    let process = agent(&lab, "node-1")?.to_string();
    let mut detach = Command::new("nsenter");
    detach.args(["--mount", "--net", "--target", &process, WEIR, "dataplane", "detach"]);
    let detached = detach.args(["--pins", "/sys/fs/bpf/weir/node-1"]).output()?;
    ensure!(detached.status.success(), "{}", String::from_utf8_lossy(&detached.stderr));
    let apply = lab.run("apply", &[&closed])?;
    assert_eq!(apply.status.code(), Some(2));
    let text = String::from_utf8(apply.stderr)?;
    ensure!(text.contains("nothing is enforced on node-1"), "{text}");
    ensure!(text.contains("`weir lab kill-agent node-1`"), "{text}");
    let status = lab.done("status", &[])?;
    ensure!(status.contains("NOTHING IS ENFORCED"), "{status}");
    let killed = lab.done("kill-agent", &["node-1"])?;
    ensure!(killed.contains("a new agent enforces the policies"), "{killed}");
    assert_eq!(lab.agrees()?, before, "it is as it says");
    ensure!(!lab.done("status", &[])?.contains("NOTHING IS ENFORCED"));
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}

#[test]
fn what_is_too_much_for_a_node_is_told_by_the_command() -> Result<()> {
    let lab = TestLab::new("toomuch")?;
    let rule = |n: u32| {
        format!(
            "  - {{from: [{{ipBlock: {{cidr: 10.{}.{}.0/25}}}}], ports: [{{port: {}}}]}}\n",
            n / 250,
            n % 250,
            1000 + n
        )
    };
    let rules: String = (0..1100).map(rule).collect();
    let many = lab.file("many.yaml", &format!("kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: \
        {{name: many, namespace: shop}}\nspec:\n  podSelector: {{matchLabels: {{app: web}}}}\n  ingress:\n{rules}"))?;
    lab.up(&[])?;
    let apply = lab.run("apply", &[&many])?;
    let said = String::from_utf8(apply.stderr)?;
    ensure!(said.contains("warning: node-1: "), "{said}");
    let done = String::from_utf8(apply.stdout)?;
    ensure!(done.contains("applied, but not all as the policies say"), "{done}");
    lab.done("down", &[])?;
    let up = lab.command("up").arg(&lab.manifests).arg(&many).output()?;
    let said = String::from_utf8(up.stderr)?;
    ensure!(up.status.success() && said.contains("warning: node-1: "), "{said}");
    lab.done("down", &[])?;
    lab.is_clean_in_the_end()
}
