//! Command lines of real programs, with the key of what was typed and without.

use crate::fixture::{data, opening, recorded, without_keys};
use expect_test::{Expect, expect};
use session_record::{Step, Stream};
use session_replay::Story;

/// A line each: source, what keys say, what stood before it, and the command.
fn told(command: &[&str], terminal: bool, steps: &[Step]) -> String {
    let mut story = Story::new(&opening(command, terminal));
    steps.iter().for_each(|step| story.step(step));
    story.finish();
    let line = |command: &session_replay::CommandLine| {
        let (source, keys) = (command.source.word(), command.keys_say.word());
        format!("{source} {keys} {:?} {:?}\n", command.prompt, command.text)
    };
    story.commands().iter().skip(1).map(line).collect()
}

fn check(session: &str, with_keys: &Expect, without: &Expect) {
    let steps = recorded(session);
    with_keys.assert_eq(&told(&["x"], true, &steps));
    without.assert_eq(&told(&["x"], true, &without_keys(&steps)));
}

#[test]
fn bash() {
    check(
        include_str!("../fixtures/bash.session"),
        &expect![[r#"
        screen same "root@web:/tmp# " "ls -d /"
        screen nothing "root@web:/tmp# " "ls -d /etc/"
        screen nothing "root@web:/tmp# " "cd /usr/lib"
        screen same "root@web:/usr/lib# " "cd /"
        screen nothing "root@web:/# " "ls -d /etc/ /tmp"
        screen nothing "root@web:/# " "echo world"
        screen nothing "root@web:/# " "ls -d /etc/ /tmp"
        screen same "root@web:/# " "echo 012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        screen same "root@web:/# " "for i in 1 2\ndo echo n$i\ndone"
        screen same "root@web:/# " "true"
        screen same "root@web:/# " "read -r -s -p Password: x"
        hidden nothing "Password:" ""
        screen same "root@web:/# " "exit"
    "#]],
        &expect![[r#"
        screen nothing "root@web:/tmp# " "ls -d /"
        screen nothing "root@web:/tmp# " "ls -d /etc/"
        screen nothing "root@web:/tmp# " "cd /usr/lib"
        screen nothing "root@web:/usr/lib# " "cd /"
        screen nothing "root@web:/# " "ls -d /etc/ /tmp"
        screen nothing "root@web:/# " "echo world"
        screen nothing "root@web:/# " "ls -d /etc/ /tmp"
        screen nothing "root@web:/# " "rm -rf /never^C"
        screen nothing "root@web:/# " "echo 012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        screen nothing "root@web:/# " "for i in 1 2\ndo echo n$i\ndone"
        screen nothing "root@web:/# " "true"
        screen nothing "root@web:/# " "read -r -s -p Password: x"
        hidden nothing "Password:" ""
        screen nothing "root@web:/# " "exit"
    "#]],
    );
}
#[test]
fn paste() {
    check(
        include_str!("../fixtures/paste.session"),
        &expect![[r#"
        screen same "root@web:/tmp# " "echo one\necho two"
        screen same "root@web:/tmp# " "sleep 0.4"
        screen same "" "echo ahead"
        screen same "root@web:/tmp# " "echo a"
        screen same "root@web:/tmp# " "echo b"
        screen same "root@web:/tmp# " "cat"
        screen same "" "to a program"
        screen same "root@web:/tmp# " "exit"
    "#]],
        &expect![[r#"
        screen nothing "root@web:/tmp# " "echo one"
        screen nothing "root@web:/tmp# " "echo one"
        screen nothing "root@web:/tmp# " "sleep 0.4"
        screen nothing "root@web:/tmp# " "echo a"
        screen nothing "root@web:/tmp# " "cat"
        screen nothing "root@web:/tmp# " "exit"
    "#]],
    );
}
#[test]
fn dash() {
    check(
        include_str!("../fixtures/dash.session"),
        &expect![[r#"
        screen same "$ " "echo hi"
        screen same "$ " "stty -echo"
        hidden nothing "$ " ""
        hidden nothing "$ " ""
        screen same "$ " "echo seen"
        screen same "$ " "exit"
    "#]],
        &expect![[r#"
        screen nothing "$ " "echo hi"
        screen nothing "$ " "stty -echo"
        hidden nothing "$ " ""
        hidden nothing "$ " ""
        screen nothing "$ " "echo seen"
        screen nothing "$ " "exit"
    "#]],
    );
}
#[test]
fn busybox() {
    check(
        include_str!("../fixtures/busybox.session"),
        &expect![[r#"
        screen same "/ # " "echo one"
        screen nothing "/ # " "echo two"
        screen same "/ # " "wc -l <<E\na\nE"
        screen same "/ # " "exit"
    "#]],
        &expect![[r#"
        screen nothing "/ # " "echo one"
        screen nothing "/ # " "echo two"
        screen nothing "/ # " "wc -l <<E\na\nE"
        screen nothing "/ # " "exit"
    "#]],
    );
}
#[test]
fn vi() {
    check(
        include_str!("../fixtures/vi.session"),
        &expect![[r#"
        screen same "root@web:~# " "vi -u NONE note"
        screen same "root@web:~# " "cat note"
        screen same "root@web:~# " "less note"
        screen same "root@web:~# " "exit"
    "#]],
        &expect![[r#"
        screen nothing "root@web:~# " "vi -u NONE note"
        screen nothing "root@web:~# " "cat note"
        screen nothing "root@web:~# " "less note"
        screen nothing "root@web:~# " "exit"
    "#]],
    );
}
#[test]
fn tmux() {
    check(
        include_str!("../fixtures/tmux.session"),
        &expect![[r#"
        screen same "root@web:/tmp# " "tmux -L weir -f /dev/null new bash --norc --noprofile"
        full-screen same "root@web:/tmp# " "echo inside"
        full-screen same "root@web:/tmp# " "exit"
        screen same "root@web:/tmp# " "echo outside"
        screen same "root@web:/tmp# " "exit"
    "#]],
        &expect![[r#"
        screen nothing "root@web:/tmp# " "tmux -L weir -f /dev/null new bash --norc --noprofile"
        full-screen nothing "root@web:/tmp# " "echo inside"
        full-screen nothing "root@web:/tmp# " "exit"
        screen nothing "root@web:/tmp# " "echo outside"
        screen nothing "root@web:/tmp# " "exit"
    "#]],
    );
}
#[test]
fn top() {
    check(
        include_str!("../fixtures/top.session"),
        &expect![[r#"
        screen same "root@web:/tmp# " "top -d 9 -p $$"
        screen same "root@web:/tmp# " "echo after"
        screen same "root@web:/tmp# " "exit"
    "#]],
        &expect![[r#"
        screen nothing "root@web:/tmp# " "top -d 9 -p $$"
        screen nothing "root@web:/tmp# " "echo after"
        screen nothing "root@web:/tmp# " "exit"
    "#]],
    );
}

#[test]
fn a_script_on_standard_input_is_read_line_by_line() {
    let steps = [data(1, Stream::Stdin, b"id\nwho"), data(2, Stream::Stdin, b"ami\nlast")];
    expect![[r#"
        input nothing "" "id"
        input nothing "" "whoami"
        input nothing "" "last"
    "#]]
    .assert_eq(&told(&["bash"], false, &steps));
}

fn out(at_us: u64, text: &str) -> Step {
    data(at_us, Stream::Stdout, text.as_bytes())
}

fn keys(at_us: u64, text: &str) -> Step {
    data(at_us, Stream::Stdin, text.as_bytes())
}

#[test]
fn a_shell_that_marks_its_prompt_is_believed_where_something_was_typed() {
    let steps = [
        out(1, "\x1b]133;A\x07made up> really\x1b]133;B\x07"),
        keys(2, "i"),
        out(3, "i"),
        keys(4, "d"),
        out(5, "d"),
        keys(6, "\r"),
        out(7, "\r\n\x1b]133;C\x07uid=0\r\n\x1b]133;D;0\x07"),
        // Nobody typed that.
        out(8, "\x1b]133;A\x07$ \x1b]133;B\x07forged\r\n\x1b]133;C\x07"),
    ];
    expect![[r#"
        marked same "made up> really" "id"
    "#]]
    .assert_eq(&told(&["sh"], true, &steps));
    expect![[r#"
        marked nothing "made up> really" "id"
    "#]]
    .assert_eq(&told(&["sh"], true, &without_keys(&steps)));
}

#[test]
fn what_the_screen_covers_is_said_to_differ() {
    // The program shows another line than was typed, letter by letter.
    let steps = [
        out(1, "root@web:/# "),
        keys(2, "r"),
        out(3, "l"),
        keys(4, "m"),
        out(5, "s"),
        keys(6, " x\r"),
        out(7, "  \r\n"),
    ];
    expect![[r#"
        screen different "root@web:/# " "ls"
    "#]]
    .assert_eq(&told(&["sh"], true, &steps));
}

#[test]
fn stars_are_no_command() {
    let mut steps = vec![out(1, "Password: ")];
    for (n, letter) in (0..).zip(["s", "e", "c", "r", "e", "t"]) {
        steps.extend([keys(10 + 2 * n, letter), out(11 + 2 * n, "*")]);
    }
    steps.extend([keys(50, "\r"), out(51, "\r\n")]);
    expect![[r#"
        hidden nothing "Password: " ""
    "#]]
    .assert_eq(&told(&["sh"], true, &steps));
    expect![[r#"
        hidden nothing "Password: " ""
    "#]]
    .assert_eq(&told(&["sh"], true, &without_keys(&steps)));
}

#[test]
fn a_string_that_nobody_ends_does_not_hide_what_follows() {
    let steps = [
        out(1, "$ "),
        keys(2, "x"),
        out(3, "x"),
        keys(4, "\r"),
        out(5, "\r\n\x1b]112"),
        out(6, "\r\n$ "),
        keys(7, "i"),
        out(8, "i"),
        keys(9, "d"),
        out(10, "d"),
        keys(11, "\r"),
        out(12, "\r\n"),
    ];
    expect![[r#"
        screen same "$ " "x"
        screen same "$ " "id"
    "#]]
    .assert_eq(&told(&["sh"], true, &steps));
}

#[test]
fn what_was_typed_last_and_never_shown_is_told() {
    let steps = [out(1, "$ "), keys(2, "reboot\r")];
    expect![[r#"
        hidden nothing "$ " ""
    "#]]
    .assert_eq(&told(&["sh"], true, &steps));
}
