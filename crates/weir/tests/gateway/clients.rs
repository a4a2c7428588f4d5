//! The clients that people have, through the gateway, and what is left of it for auditors.

use crate::world::{self, World, said};
use serde_json::Value;
use std::io::Read as _;
use std::process::Stdio;

/// What is typed into a terminal, and what that shows.
const TYPED: &str = "echo in-a-$((40+2))-terminal\n";
const SHOWN: &str = "in-a-42-terminal";

#[test]
fn what_is_run_through_the_gateway_is_recorded_and_proven() {
    let world = World::up();
    commands(&world);
    copies(&world);
    other_verbs(&world);
    crate::verbs::all(&world);
    crate::verbs::other_clients(&world);
    crate::verbs::kube_rs(&world);
    refusals(&world);
    console(&world);
    recordings(&world);
    crate::plain_text::is_nowhere(&world, &[TYPED.trim_end(), SHOWN]);
    // Last: what comes before reads every recording there is.
    crate::large::through_every_combination(&world);
    world.down();
}

/// With both versions of kubectl, over both protocols, with and without a terminal.
fn commands(world: &World) {
    for (client, web_sockets) in
        [("kubectl", true), ("kubectl", false), ("kubectl-1.32", true), ("kubectl-1.32", false)]
    {
        let run = |arguments: &[&str]| {
            let mut command = world.client(client, "ann");
            if !web_sockets {
                command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false");
            }
            command.args(arguments).stdin(Stdio::null()).output().unwrap()
        };
        let what = format!("{client}, web sockets {web_sockets}");
        let output = run(&["exec", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
        assert_eq!(output.status.code(), Some(7), "{what}: {}", said(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "out\n", "{what}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("err\n"),
            "{what}: {}",
            said(&output)
        );
        let mut command = world.client(client, "ann");
        if !web_sockets {
            command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false");
        }
        let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7 % 251) as u8).collect();
        let output = world::fed(command.args(["exec", "-i", "shell", "--", "cat"]), &sent);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(
            output.stdout == sent,
            "{what}: {} of {} bytes came back",
            output.stdout.len(),
            sent.len()
        );
    }
    let output = world.terminal("ann", "exec -it shell -- sh", &format!("{TYPED}exit 3\n"));
    assert!(output.contains(SHOWN), "{output}");
}

fn copies(world: &World) {
    let file = world.folder().join("sent.bin");
    let back = world.folder().join("back.bin");
    let bytes: Vec<u8> = (0..500_000_u32).map(|number| (number * 13 % 241) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    for (from, to) in [
        (file.display().to_string(), "shell:/var/copy.bin".to_owned()),
        ("shell:/var/copy.bin".to_owned(), back.display().to_string()),
    ] {
        let output = world
            .client("kubectl", "ann")
            .args(["cp", &from, &to])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    assert!(std::fs::read(back).unwrap() == bytes);
}

fn other_verbs(world: &World) {
    let run = |arguments: &[&str]| {
        world.client("kubectl", "ann").args(arguments).stdin(Stdio::null()).output().unwrap()
    };
    let output = run(&["get", "pods", "-o", "name"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "pod/shell\npod/web\n",
        "plain use: {}",
        said(&output)
    );
    let output = run(&["logs", "shell"]);
    assert!(output.status.success(), "logs: {}", said(&output));
    let output = run(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ann", "{}", said(&output));
    let forwarded = world.forward("ann", "web", 8080, "GET /hostname HTTP/1.0\r\n\r\n");
    assert!(forwarded.ends_with("web"), "{forwarded:?}");
}

fn refusals(world: &World) {
    let output = world
        .client("kubectl", "bob")
        .args(["exec", "shell", "--", "id"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success() && said(&output).contains("rule"), "{}", said(&output));
    let output = world
        .client("kubectl", "carl")
        .args(["exec", "shell", "--", "id"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        !output.status.success() && said(&output).contains("carl may not exec"),
        "{}",
        said(&output)
    );
}

/// Somebody who may watches a session on the gateway's console, stops it, notes what was seen, and ends it.
fn console(world: &World) {
    let mut command = world.client("kubectl", "ann");
    command.args(["exec", "shell", "--", "sh", "-c", "echo watched; sleep 1000"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut person = command.spawn().unwrap();
    let id = loop {
        let open = world.weir(&["sessions", "ls", "--state", "open", "-o", "json"]);
        let open: Value = serde_json::from_slice(&open.stdout).unwrap();
        if let Some(item) = open["items"].get(0) {
            break item["session"].as_str().unwrap().to_owned();
        }
        assert!(person.try_wait().unwrap().is_none(), "the session ended early");
    };
    let mut watching =
        world.asking("carol", &["tail", &id]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 8];
    watching.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(&line, b"watched\n");
    for (arguments, told) in [
        (vec!["freeze", &id], "is frozen"),
        (vec!["thaw", &id], "goes on"),
        (vec!["note", &id, "what is this?", "--at", "0.5"], "noted"),
        (vec!["hold", &id, "--why", "a case"], "is held"),
        (vec!["release", &id], "not held"),
        (vec!["kill", &id, "--why", "not at night"], "is ended"),
    ] {
        let output = world.asking("carol", &arguments).output().unwrap();
        assert!(output.status.success() && said(&output).contains(told), "{}", said(&output));
    }
    let ended = person.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(125));
    assert!(said(&ended).contains("carol ended the session: not at night"), "{}", said(&ended));
    assert_eq!(watching.wait().unwrap().code(), Some(0));
    let again = world.asking("carol", &["kill", &id, "--why", "again"]).output().unwrap();
    assert!(
        again.status.code() == Some(3) && said(&again).contains("not-live"),
        "{}",
        said(&again)
    );
    let owner = world.asking("ann", &["note", &id, "mine"]).output().unwrap();
    assert!(
        owner.status.code() == Some(3) && said(&owner).contains("not-allowed"),
        "{}",
        said(&owner)
    );
    let other = world.asking("bob", &["note", &id, "x"]).output().unwrap();
    assert!(said(&other).contains("unknown-session"), "{}", said(&other));
    let ledger = world.folder().join("ledger").display().to_string();
    let shown = world.weir(&[
        "sessions",
        "show",
        &id,
        "--ledger",
        &ledger,
        "--ledger-key",
        world.ledger_key(),
    ]);
    for part in ["ended by carol: not at night", "what is this?", "carol"] {
        assert!(said(&shown).contains(part), "{}", said(&shown));
    }
}

/// What auditors see, with their key and the ledger.
fn recordings(world: &World) {
    let listed = world.weir(&["sessions", "ls", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let items = listed["items"].as_array().unwrap();
    let verbs = |verb: &str| items.iter().filter(|item| item["verb"] == verb).count();
    assert!(verbs("exec") >= 11 && verbs("port-forward") >= 1 && verbs("logs") >= 1, "{listed:#}");
    assert!(
        items.iter().all(|item| item["state"] == "sealed" && item["user"]["name"] == "ann"),
        "{listed:#}"
    );
    let terminal = items.iter().find(|item| item["terminal"] == true).unwrap();
    let id = terminal["session"].as_str().unwrap();
    let shown =
        world.weir(&["sessions", "show", id, "-o", "json", "--identity", &world.key("shown.key")]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let commands: Vec<&str> = shown["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["text"].as_str().unwrap())
        .collect();
    assert_eq!(commands, ["sh", TYPED.trim_end(), "exit 3"], "{shown:#}");
    let copied = items.iter().find(|item| item["command"][1] == "-xmf").unwrap();
    let shown = world.weir(&[
        "sessions",
        "show",
        copied["session"].as_str().unwrap(),
        "--identity",
        &world.key("typed.key"),
        "--identity",
        &world.key("shown.key"),
    ]);
    assert!(said(&shown).contains("copy.bin"), "{}", said(&shown));
    let found = world.weir(&["sessions", "grep", "in-a-42", "--identity", &world.key("shown.key")]);
    assert!(found.status.success() && said(&found).contains(id), "{}", said(&found));
    let cast = world.weir(&["sessions", "export", id, "--identity", &world.key("shown.key")]);
    assert!(
        said(&cast).starts_with("{\"command\":\"sh\"") && said(&cast).contains(SHOWN),
        "{}",
        said(&cast)
    );
    let ledger = world.folder().join("ledger").display().to_string();
    let verify = [
        "sessions",
        "verify",
        "--ledger",
        &ledger,
        "--ledger-key",
        world.ledger_key(),
        "--identity",
        &world.key("shown.key"),
        "--identity",
        &world.key("typed.key"),
    ];
    let verified = world.weir(&verify);
    assert!(
        verified.status.success() && said(&verified).contains(" 0 not as they must be"),
        "{}",
        said(&verified)
    );
    bundle(world, id);
    let name = format!("{id}.rec");
    world.until("a recording is in the archive", || world.archived().contains(&name));
    world.alter(id);
    let altered = world.weir(&["sessions", "verify", id]);
    assert_eq!(altered.status.code(), Some(1), "{}", said(&altered));
}

/// What proves one session with nothing else at hand.
fn bundle(world: &World, id: &str) {
    let bundle = world.folder().join("bundle").display().to_string();
    let ledger = world.folder().join("ledger").display().to_string();
    let recording = world.recording(id).display().to_string();
    let prove = ["ledger", "prove", &ledger, "--session", id, "--recording", &recording];
    let proven = world.weir(&[prove.as_slice(), &["--out", &bundle]].concat());
    assert!(proven.status.success(), "{}", said(&proven));
    let verify = ["ledger", "verify", &bundle, "--key", world.ledger_key()];
    let verified = world.weir(&verify);
    assert!(!said(&verified).contains("error"), "{}", said(&verified));
    let mut bytes = std::fs::read(&bundle).unwrap();
    let near_the_end = bytes.len() - 200;
    bytes[near_the_end] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let verified = world.weir(&verify);
    assert!(said(&verified).contains("ledger-recording-differs"), "{}", said(&verified));
}
