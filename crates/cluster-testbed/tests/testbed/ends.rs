//! Users of a testbed, and its supervisor, are killed.

use crate::machine::{Machine, left};
use cluster_testbed::{Options, Testbed};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// In a process of its own, so that it can be killed.
struct User {
    process: Child,
    id: String,
    init: u32,
}

const ROLE: &str = "TESTBED_USER";
/// How the line of such a process begins; the test runner writes others.
const USES: &str = "uses the testbed";

impl User {
    fn start(name: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ends::a_user_in_a_process_of_its_own", "--nocapture"])
            .env(ROLE, name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.into_iter().find(|line| line.contains(USES)).expect("the user ended");
        let words: Vec<&str> = line.split_whitespace().rev().take(2).collect();
        Self { process, id: words[1].to_owned(), init: words[0].parse().unwrap() }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Does nothing unless the other tests start it.
#[test]
fn a_user_in_a_process_of_its_own() {
    let Some(name) = std::env::var_os(ROLE) else { return };
    let options = Options { nodes: 1, ..Options::default() };
    let testbed = Testbed::attach_or_up(name.to_str().unwrap(), &options).unwrap();
    println!("{USES} {} {}", testbed.id(), testbed.init());
    loop {
        std::thread::park();
    }
}

/// The lock of a testbed's folder, which its supervisor and its first process have until they end.
fn alive(id: &str) -> File {
    File::open(std::env::temp_dir().join(format!("weir-cluster-{id}/alive"))).unwrap()
}

#[test]
fn a_testbed_outlives_its_first_user_and_ends_with_the_last() {
    let before = Machine::now();
    let name = format!("users-{}", std::process::id());
    let first = User::start(&name);
    let second = User::start(&name);
    assert_eq!((&first.id, first.init), (&second.id, second.init));
    let (id, init) = (first.id.clone(), first.init);
    first.kill();

    let parent = std::env::temp_dir();
    let third = Testbed::attach(&name, &parent).unwrap();
    assert_eq!((third.id(), third.init()), (id.as_str(), init));
    assert_eq!(third.kubectl_fine(&["get", "nodes", "-o", "name"]).unwrap(), "node/node1\n");
    let pair = third.client_certificate("ada", &["system:masters"]).unwrap();
    let kubeconfig = third.folder().join("ada.kubeconfig");
    third.write_kubeconfig(&kubeconfig, third.server(), &pair).unwrap();
    let mut kubectl = third.kubectl_command().unwrap();
    let status = kubectl.env("KUBECONFIG", kubeconfig).args(["get", "ns"]).stdout(Stdio::null());
    assert!(status.status().unwrap().success(), "who joins cannot sign certificates");
    third.down().unwrap();
    assert!(fs::exists(format!("/proc/{init}/ns/pid")).unwrap(), "one of two users took it down");

    let alive = alive(&id);
    second.kill();
    alive.lock().unwrap();
    assert_eq!(left(&id), Vec::<String>::new());
    assert_eq!(Machine::now(), before);
    assert!(Testbed::attach(&name, &parent).is_err());
}

#[test]
fn a_killed_supervisor_takes_all_with_it() {
    let before = Machine::now();
    let testbed = Testbed::up(&Options { nodes: 1, ..Options::default() }).unwrap();
    let parent = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
        line.trim().parse::<u32>().unwrap()
    };
    let supervisor = parent(parent(testbed.init()));
    let alive = alive(testbed.id());
    let killed = Command::new("kill").args(["-9", &supervisor.to_string()]).status().unwrap();
    assert!(killed.success());
    // The testbed is held still, so this waits for ever unless the first process ends because of that.
    alive.lock().unwrap();
    alive.unlock().unwrap();
    let id = testbed.id().to_owned();
    testbed.down().unwrap();
    assert_eq!(left(&id), Vec::<String>::new());
    assert_eq!(Machine::now(), before);
}
