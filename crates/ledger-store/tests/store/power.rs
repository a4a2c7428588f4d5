//! Loss of power, at random moments: of what was written and not synced, any sectors are there or not, and of
//! names in folders that were not synced, any. What was acknowledged is there all the same.

mod volatile;

use crate::support::{Acknowledged, Random, options, viewed};
use ledger_store::{Disk, Ledger};
use std::path::Path;
use std::sync::{Arc, Mutex};
use test_folder::TestFolder;
use volatile::{Owned, Volatile};

/// All changes that writing a ledger makes, and how many there were when each entry was acknowledged.
async fn write(folder: &Path) -> (Vec<Owned>, Vec<(usize, Acknowledged)>) {
    let changes = Arc::new(Mutex::new(Vec::new()));
    let (noted, root) = (Arc::clone(&changes), folder.to_owned());
    let mut options = options(folder);
    options.segment_bytes = 64 << 10;
    options.disk = Disk::watched(Arc::new(move |change| {
        noted.lock().unwrap().push(Owned::of(change, &root));
        None
    }));
    let ledger = Ledger::open(options).unwrap();
    let mut acknowledged = Vec::new();
    for session in 0..40 {
        let facts = (0..if session % 10 == 5 { 700 } else { 1 }).map(|_| viewed(session)).collect();
        let committed = ledger.append_all(facts).await.unwrap();
        let mut one = Acknowledged::default();
        one.note(session, &committed);
        acknowledged.push((changes.lock().unwrap().len(), one));
        if session % 7 == 3 {
            ledger.flush().await.unwrap();
        }
    }
    ledger.close().await.unwrap();
    let changes = changes.lock().unwrap().clone();
    (changes, acknowledged)
}

/// How many moments are tried; set the variable for more.
fn moments() -> usize {
    std::env::var("WEIR_LEDGER_POWER_LOSSES").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_loss_of_power() {
    let written = TestFolder::new();
    let (changes, acknowledged) = write(written.path()).await;
    let seed = 0x1e_d6_e5;
    let mut random = Random(seed);
    for moment in 0..moments() {
        let until = random.below(changes.len() + 1);
        let mut disk = Volatile::default();
        changes.iter().take(until).for_each(|change| disk.apply(change));
        let after = TestFolder::new();
        disk.lose_power(&mut random, after.path());
        let ledger = Ledger::open(options(after.path())).unwrap_or_else(|error| {
            panic!("seed {seed:x}, moment {moment}, after {until} changes: {error:?}");
        });
        ledger.close().await.unwrap();
        let mut before = Acknowledged::default();
        for (_, one) in acknowledged.iter().filter(|(at, _)| *at <= until) {
            before.entries.extend(&one.entries);
            before.checkpoints.extend(&one.checkpoints);
        }
        before.check(after.path()).await;
    }
}
