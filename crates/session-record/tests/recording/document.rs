//! The example of docs/formats/recording.md is what a recorder writes.

use crate::fixture::{data, keys};
use bytes::Bytes;
use session_record::{
    Access, Anchors, Client, Durability, Ending, Header, Keys, Opening, Packing, Reader, SessionId,
    SourceError, State, Step, Stream, User, Verdict, Writer, pack, verify,
};
use std::fmt::Write as _;

const PAGE: &str = include_str!("../../../../docs/formats/recording.md");

/// The recording of the example: a shell that is shown a prompt, and is sent one line.
fn example() -> Bytes {
    let nobody = User {
        name: "ada".to_owned(),
        uid: None,
        groups: Vec::new(),
        proof: "certificate".to_owned(),
    };
    let client = Client {
        address: "192.0.2.1:40000".to_owned(),
        user_agent: None,
        kubectl_session: None,
        kubectl_command: None,
        protocol: "v5.channel.k8s.io".to_owned(),
    };
    let access = Access {
        verb: "exec".to_owned(),
        namespace: Some("shop".to_owned()),
        name: Some("web-0".to_owned()),
        uid: None,
        container: None,
        command: vec!["sh".to_owned()],
        terminal: true,
    };
    let opening = Opening {
        session: SessionId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        at_ms: 1_790_000_000_000,
        gateway: "gateway-0".to_owned(),
        cluster: "shop".to_owned(),
        user: nobody,
        client,
        access,
        reason: None,
        rule: "ops".to_owned(),
        durability: Durability::Intent,
    };
    let keys = keys(1);
    let (mut writer, header) =
        Writer::begin(&Header::new(opening, [9; 32], 100, &keys), &keys).expect("a header");
    let mut bytes = header.to_vec();
    writer.push(0, &data(Stream::Stdout, b"$ ")).expect("short");
    writer.push(1500, &data(Stream::Stdin, b"id\r")).expect("short");
    bytes.extend(writer.cut(Vec::new()).expect("a chunk"));
    let ended = writer
        .end(State::Sealed, Ending::Finished { exit_code: Some(0) }, 1_790_000_002_000)
        .expect("an end");
    bytes.extend(ended.bytes);
    bytes.extend(ended.seal.write());
    bytes.into()
}

fn packed_example() -> Bytes {
    let mut bytes = Vec::new();
    let packing = Packing { keys: &keys(1), salt: [5; 32], level: 3, heads: &[] };
    let mut sink = |part: &[u8]| -> Result<(), SourceError> {
        bytes.extend_from_slice(part);
        Ok(())
    };
    pack(example(), &packing, &mut sink).expect("packed");
    bytes.into()
}

/// Sixteen bytes a line, with their offset, as the page has them; what follows `|` there is for people.
fn lines(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (n, line) in bytes.chunks(16).enumerate() {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{:04x}  {}", n * 16, digits.join(" ")).expect("a string takes it");
    }
    text
}

fn on_the_page(heading: &str) -> String {
    let after = PAGE.split_once(heading).expect("the heading").1;
    let block = after
        .split_once("```hex\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .expect("a block")
        .0;
    block
        .lines()
        .map(|line| format!("{}\n", line.split('|').next().unwrap_or("").trim_end()))
        .collect()
}

#[test]
fn the_page_shows_what_is_written() {
    assert_eq!(on_the_page("### Raw"), lines(&example()));
    // What zstd makes of the same bytes is its own business, and differs between its versions.
    let page = on_the_page("### Packed");
    assert_eq!(
        page.lines().take(22).collect::<Vec<_>>(),
        lines(&packed_example()).lines().take(22).collect::<Vec<_>>()
    );
}

/// A reader of this version goes on reading what this version wrote: the page's bytes are the oldest there are.
#[test]
fn the_page_can_be_read_and_is_sound() {
    let keys: Keys = keys(1).into();
    for heading in ["### Raw", "### Packed"] {
        let block = on_the_page(heading);
        let digits = block.lines().flat_map(|line| line.split_whitespace().skip(1));
        let bytes: Bytes =
            digits.map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect();
        let report = verify(bytes.clone(), &keys, &Anchors::default()).expect("a recording");
        assert_eq!(report.verdict(), Verdict::Sound);
        let steps: Vec<Step> = Reader::open(bytes, &keys)
            .expect("a recording")
            .map(|step| step.expect("a step"))
            .collect();
        assert_eq!(steps.len(), 2);
    }
}
