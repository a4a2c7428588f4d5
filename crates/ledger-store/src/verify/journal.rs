//! What the journal has beyond the checkpoint: acknowledged, and in no tile yet.

use super::walk::Walk;
use super::{Found, VerifyOptions, codes};
use crate::journal::{End, Record, scan, segment_number, segment_path};
use crate::layout::Layout;
use crate::place::{Place, ReadError};
use finding_model::Severity;
use ledger_model::{SignedCheckpoint, split_entries};
use std::io;

const KEEP: &str =
    "keep a copy as it is; restore the file, or remove it to go on without those entries";

/// Goes on with what is in the journal; how many entries that are.
pub(super) async fn verify(
    layout: &Layout,
    walk: &mut Walk<'_>,
    options: &VerifyOptions,
    found: &mut Found,
) -> Result<u64, ReadError> {
    let place = Place::Folder(layout.own());
    let segments = segments(layout).map_err(|source| place.io_error("the journal", source))?;
    let published = walk.head().size;
    for (at, &segment) in segments.iter().enumerate() {
        let path = segment_path(&layout.own(), segment);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A writer may have removed it by now.
        let Some(bytes) = place.read(&name).await? else { continue };
        let scan = scan(segment, &bytes);
        for record in &scan.records {
            if walk.is_whole() && !record_is_next(record, &name, walk, options, found) {
                return Ok(walk.head().size - published);
            }
        }
        let last = at + 1 == segments.len();
        match scan.end {
            End::Clean => {}
            End::Unfinished { at } if last => found.add(
                codes::JOURNAL_UNFINISHED,
                Severity::Info,
                format!("{name} ends at byte {at} with a commit that was not finished"),
                "nobody was told that it was: it is left out when the ledger is opened again",
            ),
            End::Unfinished { at } | End::Damaged { at } => found.error(
                codes::JOURNAL_DAMAGED,
                format!("{name} is damaged at byte {at}, which no crash does"),
                KEEP,
            ),
        }
    }
    let more = walk.head().size - published;
    if more > 0 {
        found.add(
            codes::NOT_PUBLISHED,
            Severity::Info,
            format!("{more} entries are in the journal and not in tiles yet"),
            "nothing, if the ledger is being written; otherwise open it once, which publishes them",
        );
    }
    Ok(more)
}

/// Takes the entries of a record; `false` when it is not the next one.
fn record_is_next(
    record: &Record<'_>,
    name: &str,
    walk: &mut Walk<'_>,
    options: &VerifyOptions,
    found: &mut Found,
) -> bool {
    let size = walk.head().size;
    let end = record.first.saturating_add(u64::from(record.count));
    if end <= size {
        return true;
    }
    let mut differs = |why: String| {
        found.error(codes::JOURNAL_DIFFERS, format!("{name}: {why}"), KEEP);
        false
    };
    if record.first > size {
        return differs(format!(
            "it goes on at entry {}, and entry {size} is nowhere",
            record.first
        ));
    }
    let entries = match split_entries(record.bundle, record.count as usize) {
        Ok(entries) => entries,
        Err(error) => return differs(error.to_string()),
    };
    let known = usize::try_from(size - record.first).unwrap_or(usize::MAX);
    let mut quiet = Found::default();
    for entry in entries.into_iter().skip(known) {
        walk.entry(entry, &mut quiet);
    }
    let head = walk.head();
    let signed = SignedCheckpoint::parse(record.checkpoint).and_then(|signed| {
        let believed = walk.history().believed(head.size, &options.keys);
        signed.signed_by_one(believed).map(|_key| signed.head())
    });
    let next = match signed {
        Ok(signed) if signed == head => true,
        Ok(_) => differs("a record's checkpoint is not that of its entries".to_owned()),
        Err(error) => differs(error.to_string()),
    };
    found.findings.append(&mut quiet.findings);
    next
}

fn segments(layout: &Layout) -> io::Result<Vec<u64>> {
    let files = match std::fs::read_dir(layout.own()) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for file in files {
        numbers.extend(file?.file_name().to_str().and_then(segment_number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
