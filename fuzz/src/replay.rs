//! Bytes as what was sent to a terminal and typed at it: told, painted, passed on and searched.
//!
//! The first byte says whether there is a terminal, whether keys can be read, and what the session runs. Then come
//! events: a byte for the kind, a byte for the length, and so many bytes.

use bytes::Bytes;
use session_record::{
    Access, Client, Durability, Event, Opening, Record, SessionId, Step, Stream, User,
};
use session_replay::{
    FilePart, MomentKind, Oddity, Painter, SafeStream, Screen, Story, Transcript, is_hidden,
};

pub fn replay(bytes: &[u8]) {
    commands_found(bytes);
}

/// How many command lines were found, those of the arguments included.
pub fn commands_found(bytes: &[u8]) -> usize {
    let Some((flags, events)) = bytes.split_first() else { return 0 };
    let opening = opening(*flags);
    let steps = steps(*flags, events);
    let mut story = Story::new(&opening);
    let mut transcript = Transcript::new(&opening);
    let mut raw = Transcript::raw();
    let (mut painter, mut safe) = (Painter::default(), SafeStream::default());
    for step in &steps {
        story.step(step);
        for line in transcript.step(step).into_iter().chain(raw.step(step)) {
            assert!(!line.text.is_empty() && line.text.len() <= MAX_LINE_BYTES);
        }
        is_harmless(&painter.paint(story.screen(), 60, 20));
        if let Step::Known(Record {
            event: Event::Data { stream: Stream::Stdout, bytes }, ..
        }) = step
        {
            is_passed_on_once(&safe.feed(bytes));
        }
    }
    story.finish();
    drop(transcript.finish(story.last_us));
    files(&opening, &steps);
    for command in story.commands() {
        assert!(command.begun_us <= command.at_us && command.at_us <= story.last_us);
        assert!(command.text.len() <= 2 * MAX_LINE_BYTES);
    }
    let n_commands = story.commands().len();
    begins_anywhere(&opening, &steps, story);
    n_commands
}

const MAX_LINE_BYTES: usize = (64 << 10) + 4;

/// A person's terminal gets positions, colours and letters.
fn is_harmless(painted: &str) {
    let mut parts = painted.split('\u{1b}');
    assert!(parts.next().is_some_and(str::is_empty));
    for part in parts {
        let end = part.find(|letter: char| letter.is_ascii_alphabetic());
        let (sequence, text) = part.split_at(end.map_or(0, |end| end + 1));
        let is_known = matches!(sequence, "[?25h" | "[?25l" | "[2J" | "[2K")
            || sequence.starts_with('[') && sequence.ends_with(['m', 'H']);
        assert!(is_known && !text.contains(is_hidden), "{part:?}");
    }
}

/// What is passed on is what would be passed on of it.
fn is_passed_on_once(passed: &str) {
    assert_eq!(SafeStream::default().feed(passed.as_bytes()), passed);
}

fn files(opening: &Opening, steps: &[Step]) {
    let mut list = session_replay::FileList::new(opening);
    let mut is_open = false;
    for step in steps {
        list.step_into(step, &mut |part| match part {
            FilePart::Begin(_) => assert!(!std::mem::replace(&mut is_open, true)),
            FilePart::Bytes(bytes) => assert!(is_open && !bytes.is_empty()),
            FilePart::End(entry) => {
                assert!(std::mem::replace(&mut is_open, false) && entry.sha256.is_some());
            }
        });
    }
}

/// A player that begins at a keyframe shows what one shows that began at the beginning.
fn begins_anywhere(opening: &Opening, steps: &[Step], story: Story) {
    let too_much = Oddity::TooMuchWork.text();
    let is_odd =
        |moment: &session_replay::Moment| moment.kind == MomentKind::Odd && moment.text == too_much;
    if story.moments.iter().any(is_odd) {
        return;
    }
    let last_us = story.last_us;
    let keyframes = story.into_keyframes();
    let mut from_start = Screen::of(opening);
    let (mut from_keyframe, from_us) = keyframes.before(last_us);
    for step in steps {
        show(&mut from_start, step);
        if step.at_us() >= from_us {
            show(&mut from_keyframe, step);
        }
    }
    assert_eq!(from_start.text(), from_keyframe.text());
    assert_eq!(from_start.cursor(), from_keyframe.cursor());
}

fn show(screen: &mut Screen, step: &Step) {
    let Step::Known(record) = step else { return };
    if let Event::Data { stream: Stream::Stdout | Stream::Stderr, bytes } = &record.event {
        screen.feed(bytes);
    }
    if let Event::Resize { columns, rows } = &record.event {
        screen.resize(*columns, *rows);
    }
}

fn steps(flags: u8, mut events: &[u8]) -> Vec<Step> {
    let (mut steps, mut at_us) = (Vec::new(), 0);
    while let [kind, length, rest @ ..] = events {
        let (bytes, after) = rest.split_at(rest.len().min(usize::from(*length)));
        events = after;
        // As often as not in the same moment as the one before.
        at_us += if kind & 8 == 0 { 0 } else { u64::from(*kind) * 100_000 };
        let data = |stream| Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) };
        let event = match (kind % 8, bytes) {
            (_, []) => continue,
            (0..=3, _) => data(Stream::Stdout),
            (4, _) if flags & 2 == 0 => {
                let length = bytes.len() as u64;
                steps.push(Step::Withheld { at_us, stream: Stream::Stdin, length });
                continue;
            }
            (4 | 5, _) => data(Stream::Stdin),
            (6, _) => data(Stream::Stderr),
            (_, [columns, rows, ..]) => {
                Event::Resize { columns: u16::from(*columns), rows: u16::from(*rows) }
            }
            (_, _) => continue,
        };
        steps.push(Step::Known(Record { at_us, event }));
    }
    steps
}

fn opening(flags: u8) -> Opening {
    let command: &[&str] = match flags >> 2 & 3 {
        0 => &["bash", "-i"],
        1 => &["tar", "xmf", "-"],
        2 => &["tar", "cf", "-", "x"],
        _ => &["sh", "-c", "tar cf - 'x' | tail -c+9"],
    };
    Opening {
        session: SessionId(1),
        at_ms: 0,
        gateway: String::new(),
        cluster: String::new(),
        user: User { name: String::new(), uid: None, groups: Vec::new(), proof: String::new() },
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
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            terminal: flags & 1 != 0,
        },
        reason: None,
        rule: String::new(),
        durability: Durability::Intent,
    }
}
