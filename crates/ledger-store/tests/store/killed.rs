//! A writer that is killed at random moments, and started again in the same folder.

use crate::support::{Acknowledged, options, viewed};
use ledger_model::{SignedCheckpoint, TreeHead};
use ledger_store::Ledger;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use test_folder::TestFolder;

/// Where the child writes; without it the test of the child is none.
const FOLDER: &str = "WEIR_LEDGER_KILLED_IN";

/// How often a writer is killed; set the variable for more.
fn kills() -> u64 {
    std::env::var("WEIR_LEDGER_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

/// The child: appends until it is killed, and prints what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let ledger = Ledger::open(options(&folder)).unwrap();
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for number in 0.. {
                    let session = writer * 1_000_000 + number;
                    let committed = ledger.append(viewed(session)).await.unwrap();
                    let checkpoint = SignedCheckpoint::parse(&committed.checkpoint).unwrap();
                    let root = checkpoint.head().root.map(|byte| byte.to_string()).join(".");
                    let (index, size) = (committed.index, checkpoint.head().size);
                    let line = format!("ack {index} {session} {size} {root} end\n");
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

fn acknowledged(line: &str, noted: &mut Acknowledged) -> bool {
    let mut words = line.split(' ');
    // What the harness prints comes before, on the same line.
    if words.find(|word| word.ends_with("ack")).is_none() {
        return false;
    }
    let words: Vec<&str> = words.collect();
    // The last line may be cut off.
    let [index, session, size, root, "end"] = words[..] else { return false };
    let root: Vec<u8> = root.split('.').map(|byte| byte.parse().unwrap()).collect();
    noted.entries.push((index.parse().unwrap(), session.parse().unwrap()));
    let head = TreeHead { size: size.parse().unwrap(), root: root.try_into().unwrap() };
    noted.checkpoints.push(head);
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_writers_lose_nothing_that_was_acknowledged() {
    let folder = TestFolder::new();
    let program = std::env::current_exe().unwrap();
    let mut noted = Acknowledged::default();
    for kill in 0..kills() {
        let mut child = Command::new(&program)
            .args(["--exact", "killed::writes_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A different number of acknowledgements each time; the kill itself comes at any point of the next.
        let enough = kill * 7919 % 400 + 1;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < enough {
            let line = lines.next().expect("the child goes on until it is killed").unwrap();
            seen += u64::from(acknowledged(&line, &mut noted));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            acknowledged(&line, &mut noted);
        }
    }
    let ledger = Ledger::open(options(folder.path())).unwrap();
    ledger.close().await.unwrap();
    assert!(noted.entries.len() as u64 > kills());
    noted.check(folder.path()).await;
}
