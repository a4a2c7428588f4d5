//! `weir sessions play` in a terminal, which `script` makes.

use crate::world::{SHELL, World, data, opening, told, world_with_shell};
use session_record::{Ending, Stream};
use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
fn without_a_terminal_nothing_is_played() {
    let world = world_with_shell();
    let said = told(&world.command(&["play", SHELL, "--identity", "auditor"]).output().unwrap());
    let expected = "2> error: playing needs a terminal: `weir sessions export --format text` writes what was shown\n[exit Some(2)]\n";
    assert_eq!(said, expected);
}

/// What a terminal gets while a session is played to its end.
fn played(world: &World, arguments: &str, keys: &[u8]) -> String {
    let weir = env!("CARGO_BIN_EXE_weir");
    let play = format!("stty rows 24 cols 80; {weir} sessions play {arguments}");
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &play, "/dev/null"]).current_dir(world.path("."));
    script.env("WEIR_RECORDINGS", "recordings").env("TERM", "xterm");
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut script = script.spawn().unwrap();
    // Its end waits until the keys are taken.
    script.stdin.as_mut().unwrap().write_all(keys).unwrap();
    let output = script.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_session_is_played_and_ends_with_a_key() {
    let world = world_with_shell();
    let painted =
        played(&world, &format!("{SHELL} --identity auditor --speed 1000 --command 4"), b"..npq");
    assert!(painted.contains("welcome home"), "{painted:?}");
    assert!(painted.contains("4/5 cat /etc/motd") || painted.contains("5/5 exit"), "{painted:?}");
    assert!(painted.ends_with("\u{1b}[0m\u{1b}[?25h\u{1b}[?1049l"), "{painted:?}");
}

#[test]
fn a_hostile_session_does_nothing_to_a_terminal() {
    let mut world = World::new();
    let hostile = b"\x1b]52;c;eA==\x07\x1b]0;title\x07\x1bPq#0\x1b\\\x1b[6n\x1b[c\x1b[8;9;9t\x1b[?1000h\x1b[?2004h\xc2\x9b6nseen\xe2\x80\xae";
    let name = "sh\u{1b}]0;argv\u{7}";
    let steps = [data(1, Stream::Stdout, hostile), data(2, Stream::Stderr, hostile)];
    world.record(&opening(5, &[name], true), &steps, Ending::ClientLeft);
    let painted = played(&world, "0 --identity auditor --speed 1000", b".q");
    let mut rest = painted.as_str();
    while let Some((_, after)) = rest.split_once('\u{1b}') {
        let end = after.find(|letter: char| letter.is_ascii_alphabetic()).unwrap();
        let (sequence, after) = after.split_at(end + 1);
        let is_known =
            matches!(sequence, "[?25h" | "[?25l" | "[2J" | "[2K" | "[?1049h" | "[?1049l")
                || sequence.starts_with('[') && sequence.ends_with(['m', 'H']);
        assert!(is_known, "{sequence:?}");
        rest = after;
    }
    assert!(painted.contains("seen\u{fffd}") && !painted.contains('\u{9b}'), "{painted:?}");
}
