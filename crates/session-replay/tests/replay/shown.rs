//! What the screen showed, and what it cost.

use crate::fixture::{data, opening, recorded};
use expect_test::expect;
use proptest::prelude::*;
use session_record::{Event, Record, Step, Stream};
use session_replay::{MomentKind, Painter, Screen, Story, Transcript};

fn lines(mut transcript: Transcript, steps: &[Step]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for step in steps {
        lines.extend(transcript.step(step).into_iter().map(|line| line.text));
    }
    lines.extend(transcript.finish(u64::MAX).into_iter().map(|line| line.text));
    lines.join("\n") + "\n"
}

fn out(at_us: u64, text: &str) -> Step {
    data(at_us, Stream::Stdout, text.as_bytes())
}

#[test]
fn lines_are_searched_as_they_were_shown() {
    let steps = recorded(include_str!("../fixtures/vi.session"));
    expect![[r#"
        root@web:~# vi -u NONE note
        ~
        "note" [New File]
        root@web:/tmp is a line
        second
        "note" [New File] 2 lines, 31 bytes written
        root@web:~# cat note
        root@web:/tmp is a line
        second
        root@web:~# less note
        ...skipping...
        (END)
        root@web:~# exit
        exit
    "#]]
    .assert_eq(&lines(Transcript::new(&opening(&["x"], true)), &steps));
    let steps = recorded(include_str!("../fixtures/busybox.session"));
    expect![[r#"
        BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) built-in shell (ash)
        Enter 'help' for a list of built-in commands.
        / # echo one
        one
        / # echo two
        two
        / # wc -l <<E
        > a
        > E
        1
        / # exit
    "#]]
    .assert_eq(&lines(Transcript::new(&opening(&["x"], true)), &steps));
}

#[test]
fn a_line_that_is_longer_than_the_screen_is_found_in_whole() {
    let long: String = (0..1000).map(|n| format!("{n},")).collect();
    let resize = Step::Known(Record { at_us: 0, event: Event::Resize { columns: 30, rows: 5 } });
    let steps = [resize, out(1, &long), out(2, "\r\nnext\r\n")];
    let found = lines(Transcript::new(&opening(&["x"], true)), &steps);
    assert_eq!(found.replace('\n', ""), format!("{long}next"));
}

#[test]
fn what_was_covered_at_once_stands_in_the_raw_lines() {
    let steps = [out(1, "\x1b]0;t\x07rm -rf /\rls      \r\n\x1b[8mhidden\x1b[0m\r\n")];
    let shown = lines(Transcript::new(&opening(&["x"], true)), &steps);
    assert_eq!(shown, "ls\nhidden\n");
    assert_eq!(lines(Transcript::raw(), &steps), "rm -rf /\rls      \nhidden\n");
}

#[test]
fn odd_things_are_told() {
    let mut story = Story::new(&opening(&["sh"], true));
    story.step(&out(5, "\x1b]52;c;eA==\x07\x1b]112\n\x1b]0;"));
    story.step(&out(6, &"x".repeat(5000)));
    let odd: Vec<(u64, &str)> = story
        .moments
        .iter()
        .filter(|moment| moment.kind == MomentKind::Odd)
        .map(|moment| (moment.at_us, moment.text.as_str()))
        .collect();
    let text = |odd: session_replay::Oddity| odd.text();
    use session_replay::Oddity::{Clipboard, LongString, UnendedString};
    assert_eq!(odd, [(5, text(Clipboard)), (5, text(UnendedString)), (6, text(LongString))]);
}

#[test]
fn a_player_begins_anywhere() {
    let session = recorded(include_str!("../fixtures/bash.session"));
    // The same again and again, later each time.
    let steps: Vec<Step> =
        (0..30).flat_map(|n| session.iter().map(move |step| later(step, n * 10_000_000))).collect();
    let opening = opening(&["bash"], true);
    let mut story = Story::new(&opening);
    steps.iter().for_each(|step| story.step(step));
    let keyframes = story.into_keyframes();
    for at_us in [0, 1_000_000, 15_000_000, 123_456_789, 250_000_000, u64::MAX] {
        let mut from_start = Screen::of(&opening);
        let (mut from_keyframe, from_us) = keyframes.before(at_us);
        assert!(at_us < 40_000_000 || from_us > 30_000_000, "{from_us}");
        for step in steps.iter().filter(|step| step.at_us() <= at_us) {
            show(&mut from_start, step);
            if step.at_us() >= from_us {
                show(&mut from_keyframe, step);
            }
        }
        assert_eq!(from_start.text(), from_keyframe.text(), "{at_us}");
        assert_eq!(from_start.cursor(), from_keyframe.cursor());
    }
}

fn show(screen: &mut Screen, step: &Step) {
    let Step::Known(record) = step else { return };
    if let Event::Data { stream: Stream::Stdout, bytes } = &record.event {
        screen.feed(bytes);
    }
}

fn later(step: &Step, us: u64) -> Step {
    let Step::Known(record) = step else { return step.clone() };
    Step::Known(Record { at_us: record.at_us + us, event: record.event.clone() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn noise_is_told_without_harm(bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..12), terminal in any::<bool>()) {
        let opening = opening(&["tar", "cf", "-", "x"], terminal);
        let mut story = Story::new(&opening);
        let mut transcript = Transcript::new(&opening);
        for (at, bytes) in bytes.iter().enumerate() {
            for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr] {
                let step = data(at as u64 * 400_000, stream, bytes);
                story.step(&step);
                transcript.step(&step);
            }
            let size = u16::try_from(bytes.len()).unwrap();
            story.step(&Step::Known(Record { at_us: at as u64, event: Event::Resize { columns: size, rows: size / 7 } }));
        }
        story.finish();
        Painter::default().paint(story.screen(), 80, 24);
        drop(transcript.finish(0));
    }

    /// What is typed at a prompt and shown is found, whatever it is, however it is cut.
    #[test]
    fn a_plain_line_is_found(lines in prop::collection::vec("[a-zA-Z0-9/.|;&><*_=-][a-zA-Z0-9 /.|;&><*_=-]{0,200}", 1..6), cut in 1_usize..40, with_keys in any::<bool>()) {
        let mut shown = b"root@web:/# ".to_vec();
        let mut steps = Vec::new();
        let mut at_us = 0;
        let flush = |shown: &mut Vec<u8>, steps: &mut Vec<Step>, at_us: u64| {
            for part in shown.chunks(cut) {
                steps.push(data(at_us, Stream::Stdout, part));
            }
            shown.clear();
        };
        flush(&mut shown, &mut steps, 0);
        for line in &lines {
            for letter in line.bytes().chain(*b"\r") {
                at_us += 50_000;
                steps.push(data(at_us, Stream::Stdin, &[letter]));
                shown.extend(if letter == b'\r' { &b"\r\nsome output\r\nroot@web:/# "[..] } else { std::slice::from_ref(&letter) });
                flush(&mut shown, &mut steps, at_us + 1000);
            }
        }
        let steps = if with_keys { steps } else { crate::fixture::without_keys(&steps) };
        let mut story = Story::new(&opening(&["sh"], true));
        steps.iter().for_each(|step| story.step(step));
        let found: Vec<&str> = story.commands().iter().skip(1).map(|command| command.text.as_str()).collect();
        let typed: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
        prop_assert_eq!(found, typed);
    }
}
