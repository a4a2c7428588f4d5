//! Whoever opens a session chooses every name and every byte; nothing of it does anything to a reader.

use crate::world::{World, data, event, opening};
use session_record::{Ending, Event, Record, Stream};

/// Sets the clipboard, a title, a link, colours, clears the screen, turns text around, and asks the terminal.
const HOSTILE: &str = "\u{1b}]52;c;eA==\u{7}\u{1b}]0;t\u{7}\u{1b}]8;;http://x\u{7}l\u{1b}]8;;\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\r\n=cmd|'/c calc'!A1,\u{1b}[6n";

fn world() -> World {
    let mut world = World::new();
    let mut opening = opening(5, &["sh", HOSTILE], true);
    opening.user.name = HOSTILE.to_owned();
    opening.user.groups = vec![HOSTILE.to_owned()];
    opening.user.proof = HOSTILE.to_owned();
    opening.client.user_agent = Some(HOSTILE.to_owned());
    opening.client.kubectl_command = Some(HOSTILE.to_owned());
    opening.client.address = HOSTILE.to_owned();
    opening.access.namespace = Some(HOSTILE.to_owned());
    opening.access.name = Some(HOSTILE.to_owned());
    opening.access.container = Some(HOSTILE.to_owned());
    opening.access.verb = HOSTILE.to_owned();
    opening.reason = Some(HOSTILE.to_owned());
    opening.rule = HOSTILE.to_owned();
    opening.cluster = HOSTILE.to_owned();
    opening.gateway = HOSTILE.to_owned();
    let steps = vec![
        data(1, Stream::Stdout, HOSTILE.as_bytes()),
        data(2, Stream::Stdin, HOSTILE.as_bytes()),
        data(3, Stream::Stdout, HOSTILE.as_bytes()),
        event(4, Event::Marker { by: HOSTILE.to_owned(), text: HOSTILE.to_owned() }),
        event(5, Event::Notice { text: HOSTILE.to_owned() }),
        event(6, Event::ConnectionError { connection: 1, text: HOSTILE.into() }),
        event(7, Event::Status { text: HOSTILE.into() }),
        data(8, Stream::Stdin, b"x\r"),
        data(9, Stream::Stdout, b"\r\nx\r\n"),
    ];
    let why = || HOSTILE.to_owned();
    world.record(&opening, &steps, Ending::Killed { by: why(), why: why() });
    let mut copy = crate::world::opening(6, &["tar", "cf", "-", HOSTILE], false);
    copy.client.kubectl_session = None;
    world.record(&copy, &archive(), Ending::ClientLeft);
    world
}

fn archive() -> Vec<Record> {
    let mut archive = tar::Builder::new(Vec::new());
    for kind in [tar::EntryType::Regular, tar::EntryType::Symlink] {
        let mut header = tar::Header::new_gnu();
        let name = HOSTILE.get(..80).unwrap_or(HOSTILE).as_bytes();
        header.as_gnu_mut().unwrap().name.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        header
            .as_gnu_mut()
            .unwrap()
            .linkname
            .iter_mut()
            .zip(name)
            .for_each(|(to, from)| *to = *from);
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, &[][..]).unwrap();
    }
    vec![data(1, Stream::Stdout, &archive.into_inner().unwrap())]
}

/// What a person or a spreadsheet gets has no character that does something.
fn assert_harmless(what: &str, text: &str) {
    let does = |letter: char| {
        letter.is_control() && letter != '\n' && letter != '\r'
            || matches!(letter, '\u{202e}' | '\u{200b}' | '\u{9b}')
    };
    assert!(!text.contains(does), "{what}: {text:?}");
}

#[test]
fn nothing_that_is_printed_does_anything() {
    let world = world();
    let one = "00000000-0000-0000-0000-000000000005";
    let other = "00000000-0000-0000-0000-000000000006";
    let key = world.ledger();
    let ledger = ["--ledger", "ledger", "--ledger-key", &key];
    let all = ["--identity", "investigator"];
    let calls: Vec<Vec<&str>> = vec![
        vec!["ls"],
        vec!["ls", "-o", "json"],
        vec!["ls", "-o", "csv"],
        [&["ls"][..], &ledger].concat(),
        [&["show", one][..], &all].concat(),
        [&["show", one, "-o", "json"][..], &all].concat(),
        [&["show", other][..], &all].concat(),
        [&["show", other, "-o", "json"][..], &all].concat(),
        [&["tail", one][..], &all].concat(),
        [&["tail", one, "--raw"][..], &all].concat(),
        [&["grep", ".", "-C", "2"][..], &all].concat(),
        [&["grep", ".", "--raw"][..], &all].concat(),
        [&["grep", ".", "-o", "json"][..], &all].concat(),
        [&["export", one, "--format", "text"][..], &all].concat(),
        [&["export", one, "--format", "raw-text", "--with-input"][..], &all].concat(),
        [&["export", one, "--format", "json", "--with-input"][..], &all].concat(),
        [&["export", one, "--format", "cast", "--with-input"][..], &all].concat(),
        [&["export", other, "--format", "files", "-o", "out"][..], &all].concat(),
        [&["verify"][..], &ledger, &all].concat(),
        [&["verify", "-o", "json"][..], &ledger].concat(),
    ];
    for call in calls {
        let text = world.weir(&call);
        assert!(!text.is_empty(), "{call:?}");
        assert_harmless(&call.join(" "), &text);
    }
    // A cell never begins with a sign that a spreadsheet takes for a formula.
    let csv = world.weir(&["ls", "-o", "csv"]);
    assert!(
        !csv.split([',', '\n']).any(|cell| cell.trim_matches('"').starts_with(['=', '+', '@'])),
        "{csv}"
    );
    // A cast does nothing to a terminal either once its strings are read.
    let cast = world.weir(&["export", one, "--identity", "auditor"]);
    for line in cast.lines().skip(1) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = event.get(2).and_then(|text| text.as_str()).unwrap();
        assert!(!text.contains("\u{1b}]") && !text.contains("\u{1b}[6n"), "{text:?}");
    }
    for name in std::fs::read_dir(world.path("out")).unwrap() {
        let name = name.unwrap().file_name().into_string().unwrap();
        assert!(name == "files.json" || name.starts_with("sha256-"), "{name:?}");
    }
}
