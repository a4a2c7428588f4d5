//! An ordinary shell, through every command that reads.

use crate::world::{SHELL, World, data, event, opening, world_with_shell};
use expect_test::expect;
use session_record::{Ending, Event, Stream};

#[test]
fn ls() {
    let mut world = world_with_shell();
    let left = Ending::ClientLeft;
    world.record(&opening(0xb, &["sh", "-c", "id; whoami"], false), &[], left);
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  2026-11-18T11:06:40.133Z   0:00:10.3  sealed      ann  exec  prod  shop/web-0  bash -i
        00000000-0000-0000-0000-00000000000b  2026-11-18T11:06:40.134Z   0:00:00.0  sealed      ann  exec  prod  shop/web-0  sh -c 'id; whoami'
    "#]].assert_eq(&world.weir(&["ls"]));
    expect![[r#"
        00000000-0000-0000-0000-00000000000b  2026-11-18T11:06:40.134Z   0:00:00.0  sealed      ann  exec  prod  shop/web-0  sh -c 'id; whoami'
    "#]].assert_eq(&world.weir(&["ls", "--command", "whoami", "--verb", "exec"]));
    expect![[r#"
        [exit Some(1)]
    "#]]
    .assert_eq(&world.weir(&["ls", "--user", "bob"]));
    expect![[r#"
        session,started,duration,state,user,cluster,verb,namespace,name,container,command,reason,rule\r
        00000000-0000-0000-0000-00000000000b,2026-11-18T11:06:40.134Z,0:00:00.0,sealed,ann,prod,exec,shop,web-0,web,"sh -c 'id; whoami'",ticket 7,ops\r
    "#]].assert_eq(&world.weir(&[
        "ls",
        "--since",
        "2026-11-18T11:06:40.134Z",
        "-o",
        "csv",
    ]));
    let key = world.ledger();
    expect![[r#"
        00000000-0000-0000-0000-0000000000ff  2026-11-18T11:06:40.500Z              missing     ann  exec  prod  shop/web-0
    "#]].assert_eq(&world.weir(&[
        "ls",
        "--ledger",
        "ledger",
        "--ledger-key",
        &key,
        "--state",
        "missing",
    ]));
    let json = world.json(&["ls", "-o", "json", "--until", "2026-11-18T11:06:40.134Z"]);
    assert_eq!(
        (&json["kind"], &json["items"][0]["session"]),
        (&"SessionList".into(), &SHELL.into())
    );
}

#[test]
fn show() {
    let world = world_with_shell();
    expect![[r#"
        session      00000000-0000-0000-0000-00000000000a
        state        sealed
        began        2026-11-18T11:06:40.133Z
        user         ann
        groups       ops
        proven by    client certificate
        from         192.0.2.7:40000
        client       kubectl/v1.36.0
        kubectl      kubectl exec
        uid          b1
        container    web
        reason       ticket 7
        cluster      prod
        verb         exec
        where        shop/web-0
        command      bash -i
        allowed by   ops
        recorded by  edge
        took         0:00:10.3
        ended        finished with exit code 0
        bytes        33 typed or sent, 97 shown

        commands
            1  0:00:00.0  argv         bash -i
            2  0:00:01.7  screen       su ada
            3  0:00:04.4  hidden       Password: (typed, and not shown)
            4  0:00:07.8  screen       cat /etc/motd
            5  0:00:10.3  screen       exit

        moments
          0:00:00.0  resize            80×24
          0:00:07.8  marker            look (bob)

        verified: sound
          ✓ all bytes are those that the seal commits to, in their order, none left out (14 chunks)
          ✓ the recorder wrote that this is all, and its sums agree
          ✓ the key of the output compartment is this session's
          ✓ whoever had the keys wrote the output compartment (14 chunks)
          ? that the recorder wrote the input compartment: its key is not at hand
          ? that the ledger speaks of this recording: nothing from the ledger was given
    "#]]
    .assert_eq(&world.weir(&["show", "00000000", "--identity", "auditor"]));
    expect![[r#"
        session      00000000-0000-0000-0000-00000000000a
        state        sealed
        began        2026-11-18T11:06:40.133Z
        user         ann
        groups       ops
        proven by    client certificate
        from         192.0.2.7:40000
        client       kubectl/v1.36.0
        kubectl      kubectl exec
        uid          b1
        container    web
        reason       ticket 7
        cluster      prod
        verb         exec
        where        shop/web-0
        command      bash -i
        allowed by   ops
        recorded by  edge
        took         0:00:10.3
        ended        finished with exit code 0

        give --identity FILE with a key of this recording to see what was run

        verified: sound
          ✓ all bytes are those that the seal commits to, in their order, none left out (14 chunks)
          ? that the recorder wrote the output compartment: its key is not at hand
          ? that the recorder wrote the input compartment: its key is not at hand
          ? that the ledger speaks of this recording: nothing from the ledger was given
    "#]]
    .assert_eq(&world.weir(&["show", SHELL]));
}

#[test]
fn show_with_the_key_of_what_was_typed() {
    let world = world_with_shell();
    // It is known what was typed; a password is still not said.
    let shown = world.weir(&["show", SHELL, "--identity", "investigator", "-o", "json"]);
    assert!(!shown.contains("s3cret"), "{shown}");
    let shown = world.json(&["show", SHELL, "--identity", "investigator", "-o", "json"]);
    expect![[r#"[{"atUs":0,"begunUs":0,"keysSay":"nothing","prompt":"","source":"argv","text":"bash -i"},{"atUs":1700000,"begunUs":1100000,"keysSay":"same","prompt":"root@web:/# ","source":"screen","text":"su ada"},{"atUs":4400000,"begunUs":3800000,"keysSay":"nothing","prompt":"Password: ","source":"hidden","text":""},{"atUs":7800000,"begunUs":6500000,"keysSay":"same","prompt":"root@web:/# ","source":"screen","text":"cat /etc/motd"},{"atUs":10300000,"begunUs":9900000,"keysSay":"same","prompt":"root@web:/# ","source":"screen","text":"exit"}]"#]].assert_eq(&serde_json::to_string(&shown["commands"]).unwrap());
}

#[test]
fn tail_and_grep() {
    let world = world_with_shell();
    expect![[r#"
        root@web:/# su ada
        Password:
        root@web:/# cat /etc/motd
        welcome home
        root@web:/# exit
        exit
    "#]]
    .assert_eq(&world.weir(&["tail", "-f", SHELL, "--identity", "auditor"]));
    let grep = |more: &[&str]| world.weir(&[&["grep", "--identity", "auditor"][..], more].concat());
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  0:00:07.8  before  root@web:/# cat /etc/motd
        00000000-0000-0000-0000-00000000000a  0:00:07.8  screen  welcome home
        00000000-0000-0000-0000-00000000000a  0:00:10.3  after   root@web:/# exit
    "#]]
    .assert_eq(&grep(&["WELCOME", "-i", "-C", "1"]));
    expect![[r#"
        {"atUs":0,"session":"00000000-0000-0000-0000-00000000000a","text":"bash -i","where":"argv"}
    "#]]
    .assert_eq(&grep(&["bash", "-o", "json"]));
    expect![[r#"
        [exit Some(1)]
    "#]]
    .assert_eq(&grep(&["nothing of the sort"]));
    expect![[r#"
        2> error: this is no regular expression: unclosed group
        [exit Some(2)]
    "#]]
    .assert_eq(&grep(&["("]));
    expect![[r#"
        00000000-0000-0000-0000-00000000000a  0:00:00.0  argv    bash -i
        2> 1 recordings were searched by their command line alone: no identity opens them
    "#]]
    .assert_eq(&world.weir(&["grep", "bash"]));
}

#[test]
fn export() {
    let world = world_with_shell();
    let export = |more: &[&str]| world.weir(&[&["export", SHELL][..], more].concat());
    expect![[r#"
        root@web:/# su ada
        Password:
        root@web:/# cat /etc/motd
        welcome home
        root@web:/# exit
        exit
    "#]]
    .assert_eq(&export(&["--identity", "auditor", "--format", "text"]));
    let cast = export(&["--identity", "auditor", "--format", "cast2"]);
    expect![[r#"
        {"command":"bash -i","height":24,"timestamp":1795000000,"title":"session 00000000-0000-0000-0000-00000000000a","version":2,"width":80}
        [0.001000, "o", "root@web:/# "]
        [1.101000, "o", "s"]"#]].assert_eq(&cast.lines().take(3).collect::<Vec<_>>().join("\n"));
    expect![[r#"
        2> error: none of the identities opens what was typed: ask whoever keeps the input's key, or leave --with-input out
        [exit Some(2)]
    "#]].assert_eq(&export(&["--identity", "auditor", "--with-input"]));
    let json = export(&["--identity", "investigator", "--with-input", "--format", "json"]);
    assert_eq!(json.matches("\"stream\":\"stdin\"").count(), 33);
    expect![[r#"
        2> error: there are no files to export: the session's command line is no copy: `tar` with x or c
        [exit Some(2)]
    "#]].assert_eq(&export(&[
        "--identity",
        "auditor",
        "--format",
        "files",
        "-o",
        "out",
    ]));
    expect![[r#"
        2> error: recordings are encrypted: give a key with --identity FILE
        [exit Some(2)]
    "#]]
    .assert_eq(&export(&[]));
}

#[test]
fn files_that_were_copied_in_two_sessions() {
    let mut world = World::new();
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in [("d/one", vec![1; 3000]), ("d/two", vec![2; 10])] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    let (first, second) = archive.split_at(2000);
    let finished = || Ending::Finished { exit_code: Some(0) };
    let out = |bytes| [data(5, Stream::Stdout, bytes)];
    world.record(&opening(1, &["tar", "cf", "-", "/d"], false), &out(first), Ending::ClientLeft);
    let again = ["sh", "-c", "tar cf - '/d' | tail -c+2001"];
    world.record(&opening(2, &again, false), &out(second), finished());
    let arguments =
        ["export", "00000000-0000-0000-0000-000000000002", "--format", "files", "-o", "out"];
    expect![[r#"
        2 files of 2 members are in out, from 2 sessions
    "#]]
    .assert_eq(&world.weir(&[&arguments[..], &["--identity", "auditor"]].concat()));
    let digest = "d2cd38d5d3bb0d2b2e8bd9ab6f95c4e0d0dd0db8f0bb1f6dbd10e8a7ba1b2c3d";
    let names: Vec<String> = std::fs::read_dir(world.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "files.json" && name.len() == "sha256-".len() + digest.len())
        .collect();
    assert_eq!(names.len(), 2);
    expect![[r#"
                0 typed or sent, 3632 shown

        commands
            1  0:00:00.0  argv         sh -c 'tar cf - '\''/d'\'' | tail -c+2001'

        the download goes on from byte 2000 of one in an earlier session; `export --format files` puts both together

        verified: sound
          ✓ all bytes are those that the seal commits to, in their order, none left out (2 chunks)
          ✓ the recorder wrote that this is all, and its sums agree
          ✓ the key of the output compartment is this session's
          ✓ whoever had the keys wrote the output compartment (2 chunks)
          ? that the recorder wrote the input compartment: its key is not at hand
          ? that the ledger speaks of this recording: nothing from the ledger was given
    "#]].assert_eq(
        world
            .weir(&["show", arguments[1], "--identity", "auditor"])
            .split_once("bytes")
            .unwrap()
            .1,
    );
}

#[test]
fn ports() {
    let mut world = World::new();
    let steps = [
        event(1, Event::Connected { connection: 0, port: 5432 }),
        data(2, Stream::ToPort { connection: 0 }, b"select 1"),
        data(3, Stream::FromPort { connection: 0 }, b"1"),
        event(4, Event::Disconnected { connection: 0 }),
    ];
    world.record(&opening(3, &[], false), &steps, Ending::ClientLeft);
    let shown = world.weir(&["show", "0", "--identity", "auditor"]);
    expect![[r#"
                8 typed or sent, 1 shown

        connections
          0:00:00.0  port 5432   8 sent, 1 answered

        moments
          0:00:00.0  connected         connection 0 to port 5432
          0:00:00.0  disconnected      connection 0

    "#]]
    .assert_eq(shown.split_once("bytes").unwrap().1.split_once("verified").unwrap().0);
    let pcap = ["export", "0", "--format", "pcapng", "-o", "ports.pcapng", "--identity"];
    expect![[r#""#]].assert_eq(&world.weir(&[&pcap[..], &["investigator"]].concat()));
    assert!(world.path("ports.pcapng").metadata().unwrap().len() > 300);
}

#[test]
fn notes_and_holds() {
    let world = world_with_shell();
    expect![[r#"
        noted at session 00000000-0000-0000-0000-00000000000a
    "#]]
    .assert_eq(&world.weir(&["note", SHELL, "--at", "0:00:02.5", "why this?\u{1b}[2J"]));
    expect![[r#"
        session 00000000-0000-0000-0000-00000000000a is held
    "#]]
    .assert_eq(&world.weir(&["hold", SHELL, "--why", "case 12"]));
    let shown = world.weir(&["show", SHELL]);
    let shown: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("note") || line.starts_with("hold"))
        .map(|line| line.split_once(" (cass").unwrap().0)
        .collect();
    expect![[r#"
        hold         case 12
        note         0:00:02.5 why this?\u{1b}[2J"#]]
    .assert_eq(&shown.join("\n"));
    expect![[r#"
        2> error: `bob` does not hold the recording of session 00000000-0000-0000-0000-00000000000a
        [exit Some(2)]
    "#]]
    .assert_eq(&world.weir(&["release", SHELL, "--by", "bob"]));
    expect![[r#"
        session 00000000-0000-0000-0000-00000000000a is not held by cass any more
    "#]]
    .assert_eq(&world.weir(&["release", SHELL]));
}

/// What was read is in the ledger before anything is shown, and where it cannot be, nothing is shown.
#[test]
fn views_are_on_record() {
    let world = world_with_shell();
    let key = world.ledger();
    let audit = ["--audit-ledger", "audit", "--audit-key", "ledger.key"];
    let tail = ["tail", SHELL, "--identity", "auditor"];
    assert!(world.weir(&[&tail[..], &audit].concat()).contains("welcome home"));
    world.weir(&[&["grep", "x", "--identity", "auditor", "--by", "dan"][..], &audit].concat());
    let shown = world.weir(&["show", SHELL, "--ledger", "audit", "--ledger-key", &key]);
    let read: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("read by"))
        .map(|line| line.rsplit_once(',').unwrap().0)
        .collect();
    expect![[r#"
        read by      cass (tail
        read by      dan (grep"#]]
    .assert_eq(&read.join("\n"));
    // The ledger that a gateway writes has another name than this key, or is in use.
    std::fs::write(world.path("audit/checkpoint"), "no ledger").unwrap();
    let said = world.weir(&[&tail[..], &audit].concat());
    assert!(!said.contains("welcome") && said.ends_with("[exit Some(3)]\n"), "{said}");
}
