//! A cluster comes up, works as clusters do, and leaves nothing.

use cluster_testbed::{Options, Part, Testbed};
use std::process::{Command, Output, Stdio};

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn pods_talk_across_nodes_and_by_names() {
    let testbed = Testbed::up(&Options::default()).unwrap();
    testbed.run_pod("default", "one", 1).unwrap();
    testbed.run_pod("default", "two", 2).unwrap();
    testbed
        .apply(
            "apiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec:\n  selector: {app: two}\n  ports: [{port: 80, targetPort: 8080}]\n",
        )
        .unwrap();
    let listening = "nohup nc -lk -p 8080 -e echo hello from two >/dev/null 2>&1 &";
    testbed.kubectl_fine(&["exec", "two", "--", "sh", "-c", listening]).unwrap();
    let address =
        testbed.kubectl_fine(&["get", "pod", "two", "-o", "jsonpath={.status.podIP}"]).unwrap();
    for place in [format!("{address} 8080"), "two.default.svc.cluster.local 80".to_owned()] {
        let command = format!("until nc -w 1 {place}; do :; done");
        let said = testbed
            .kubectl_fine(&["exec", "one", "--", "timeout", "20", "sh", "-c", &command])
            .unwrap();
        assert_eq!(said, "hello from two\n", "{place}");
    }
    for part in [("kubectl", Part::Kubernetes), ("kubectl-1.32", Part::OldKubectl)] {
        let (name, part) = part;
        let mut kubectl = testbed.command(part.program(name).unwrap());
        kubectl.env("KUBECONFIG", testbed.admin_kubeconfig());
        let output = kubectl
            .args(["exec", "one", "--", "sh", "-c", "echo out; exit 7"])
            .stdin(Stdio::null())
            .output();
        let output = output.unwrap();
        assert_eq!(
            (output.status.code(), text(&output).starts_with("out\n")),
            (Some(7), true),
            "{name}: {}",
            text(&output)
        );
    }
    let folder = testbed.folder().to_owned();
    let id = folder.file_name().unwrap().to_string_lossy().into_owned();
    testbed.down().unwrap();
    assert!(!folder.exists());
    let mut left = Command::new("sh");
    left.args(["-c", &format!("find /sys/fs/cgroup -name '{id}'; grep {id} /proc/mounts")]);
    assert_eq!(text(&left.output().unwrap()), "");
}
