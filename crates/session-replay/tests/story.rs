//! What sessions look like when they are told again.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use bytes::Bytes;
use proptest::prelude::*;
use session_record::{
    Access, Client, Durability, Event, Opening, Record, SessionId, Step, Stream, User,
};
use session_replay::{Direction, FileList, FileWarning, Source, Story, Transcript};

fn opening(command: &[&str], terminal: bool) -> Opening {
    Opening {
        session: SessionId(7),
        at_ms: 0,
        gateway: "g".to_owned(),
        cluster: "c".to_owned(),
        user: User { name: "ann".to_owned(), uid: None, groups: vec![], proof: String::new() },
        client: Client {
            address: String::new(),
            user_agent: None,
            kubectl_session: None,
            kubectl_command: None,
            protocol: String::new(),
        },
        access: Access {
            verb: "exec".to_owned(),
            namespace: None,
            name: None,
            uid: None,
            container: None,
            command: command.iter().map(|argument| (*argument).to_owned()).collect(),
            terminal,
        },
        reason: None,
        rule: "r".to_owned(),
        durability: Durability::Intent,
    }
}

fn data(at_us: u64, stream: Stream, bytes: &[u8]) -> Step {
    Step::Known(Record {
        at_us,
        event: Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) },
    })
}

/// A shell as `sh -i` shows it: what is typed comes back letter by letter, and a password does not.
fn shell() -> Vec<Step> {
    let mut steps = vec![data(1, Stream::Stdout, b"/ # ")];
    let mut at = 10;
    let mut typed = |steps: &mut Vec<Step>, text: &str, echo: bool| {
        for letter in text.chars() {
            at += 1;
            let mut bytes = [0; 4];
            let bytes = letter.encode_utf8(&mut bytes).as_bytes();
            steps.push(data(at, Stream::Stdin, bytes));
            if echo {
                let shown: &[u8] = match letter {
                    '\r' => b"\r\n",
                    '\u{7f}' => b"\x08\x1b[J",
                    _ => bytes,
                };
                steps.push(data(at, Stream::Stdout, shown));
            }
        }
    };
    typed(&mut steps, "lss\u{7f} -l\r", true);
    steps.push(data(30, Stream::Stdout, b"total 0\r\n/ # "));
    typed(&mut steps, "\r", true);
    steps.push(data(40, Stream::Stdout, b"/ # "));
    typed(&mut steps, "su\r", true);
    steps.push(data(50, Stream::Stdout, b"Password: "));
    typed(&mut steps, "s3cret\r", false);
    steps.push(data(60, Stream::Stdout, b"\r\n# "));
    // History: an arrow key, and the shell shows the line.
    steps.push(data(70, Stream::Stdin, b"\x1b[A"));
    steps.push(data(71, Stream::Stdout, b"id -u"));
    typed(&mut steps, "\r", true);
    steps.push(data(80, Stream::Stdout, b"0\r\n# "));
    steps.push(data(90, Stream::Stdin, b"\x04"));
    steps
}

fn told(opening: &Opening, steps: &[Step]) -> Vec<(String, Source)> {
    let mut story = Story::new(opening);
    steps.iter().for_each(|step| story.step(step));
    story.commands().iter().map(|command| (command.text.clone(), command.source)).collect()
}

#[test]
fn commands_are_what_the_screen_showed() {
    let expected = [
        ("sh -i", Source::Arguments),
        ("ls -l", Source::Screen),
        ("su", Source::Screen),
        ("", Source::Hidden),
        ("id -u", Source::Screen),
    ]
    .map(|(text, source)| (text.to_owned(), source));
    assert_eq!(told(&opening(&["sh", "-i"], true), &shell()), expected);
}

#[test]
fn commands_are_found_without_the_key_of_what_was_typed() {
    let withheld: Vec<Step> = shell()
        .into_iter()
        .map(|step| match step {
            Step::Known(Record { at_us, event: Event::Data { stream: Stream::Stdin, bytes } }) => {
                Step::Withheld { at_us, stream: Stream::Stdin, length: bytes.len() as u64 }
            }
            step @ (Step::Known(_) | Step::Withheld { .. }) => step,
        })
        .collect();
    let expected: Vec<&str> = vec!["sh -i", "ls -l", "su", "", "id -u"];
    let found = told(&opening(&["sh", "-i"], true), &withheld);
    assert_eq!(found.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_script_on_standard_input_is_read_line_by_line() {
    let steps = [data(1, Stream::Stdin, b"id\nwho"), data(2, Stream::Stdin, b"ami\n")];
    let found = told(&opening(&["bash"], false), &steps);
    let expected = [("bash", Source::Arguments), ("id", Source::Input), ("whoami", Source::Input)];
    assert_eq!(found, expected.map(|(text, source)| (text.to_owned(), source)));
}

#[test]
fn lines_are_searched_as_they_were_shown() {
    let opening = opening(&["sh"], true);
    let mut transcript = Transcript::new(&opening);
    let mut lines: Vec<String> = Vec::new();
    for step in
        shell().iter().chain(&[data(95, Stream::Stdout, b"\x1b[?1049h\x1b[Hin vi\x1b[?1049l")])
    {
        lines.extend(transcript.step(step).into_iter().map(|line| line.text));
    }
    lines.extend(transcript.finish(100).into_iter().map(|line| line.text));
    assert!(lines.iter().any(|line| line == "/ # ls -l"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("s3cret")), "{lines:?}");
}

fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(kind);
        if path.starts_with('/') || path.contains("..") {
            let name = header.as_gnu_mut().unwrap();
            name.name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, content).unwrap();
        } else if kind == tar::EntryType::Symlink {
            builder.append_link(&mut header, path, "/etc/shadow").unwrap();
        } else {
            builder.append_data(&mut header, path, content).unwrap();
        }
    };
    add("a.txt", tar::EntryType::Regular, b"hello");
    add(&format!("{}/b.bin", "d".repeat(150)), tar::EntryType::Regular, &[7; 1000]);
    add("../../etc/passwd", tar::EntryType::Regular, b"x");
    add("/etc/cron.d/x", tar::EntryType::Regular, b"");
    add("link", tar::EntryType::Symlink, b"");
    add("a.txt", tar::EntryType::Regular, b"again");
    builder.into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn files_are_listed_however_the_stream_is_cut(cuts in prop::collection::vec(1_usize..3000, 1..20)) {
        let mut list = FileList::new(&opening(&["tar", "-xmf", "-", "-C", "/tmp"], false));
        let archive = archive();
        let mut rest = archive.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            rest = later;
            list.step(&data(5, Stream::Stdin, now));
            if rest.is_empty() {
                break;
            }
        }
        let found: Vec<(&str, u64, bool, &[FileWarning])> =
            list.found.iter().map(|file| (file.path.as_str(), file.size, file.sha256.is_some(), file.warnings.as_slice())).collect();
        let long = format!("{}/b.bin", "d".repeat(150));
        prop_assert_eq!(found, vec![
            ("a.txt", 5, true, &[][..]),
            (long.as_str(), 1000, true, &[][..]),
            ("../../etc/passwd", 1, true, &[FileWarning::ParentInPath][..]),
            ("/etc/cron.d/x", 0, true, &[FileWarning::AbsolutePath][..]),
            ("link", 0, false, &[FileWarning::Link][..]),
            ("a.txt", 5, true, &[FileWarning::Again][..]),
        ]);
        prop_assert!(list.found.iter().all(|file| file.direction == Direction::Upload));
    }

    #[test]
    fn noise_is_told_without_harm(bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..12), terminal in any::<bool>()) {
        let opening = opening(&["tar", "cf", "-", "x"], terminal);
        let mut story = Story::new(&opening);
        let mut transcript = Transcript::new(&opening);
        for (at, bytes) in bytes.iter().enumerate() {
            for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr] {
                let step = data(at as u64, stream, bytes);
                story.step(&step);
                transcript.step(&step);
            }
            let size = u16::try_from(bytes.len()).unwrap();
            story.step(&Step::Known(Record { at_us: 0, event: Event::Resize { columns: size, rows: size / 7 } }));
        }
        session_replay::Painter::default().paint(story.screen(), 80, 24);
    }
}
