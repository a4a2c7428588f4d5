//! `weir sessions export --format files`: what a copy carried.
//!
//! A download that broke off is several sessions of one `kubectl`; the ones before are looked for in the same folder.

use super::ExportArgs;
use crate::commands::sessions::folder::{failed, fetch};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use report_formats::visible;
use session_formats::Extraction;
use session_record::{Opening, SessionId};
use session_replay::FileList;
use session_store::Recordings;
use std::io::Write as _;

/// Sessions that one download was put together from at most.
const MAX_PARTS: usize = 64;

pub(super) fn run(args: &ExportArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    let listed = recordings.look(session).map_err(fetch)?;
    let opening = listed.opening().ok_or_else(|| nothing("the recording cannot be read"))?;
    if !FileList::new(opening).is_of_files() {
        return Err(nothing("the session's command line is no copy: `tar` with x or c"));
    }
    let parts = parts(args, &recordings, opening)?;
    let Some(folder) = &args.output else { return Err(nothing("there is no folder to write to")) };
    let sessions: Vec<SessionId> = parts.iter().map(|opening| opening.session).collect();
    args.audit.viewed_all(&sessions, "export-files")?;
    let mut extraction = Extraction::begin(folder, args.max_bytes).map_err(failed)?;
    let list = carried(args, &recordings, &parts, &mut extraction)?;
    extraction.end(opening, &list).map_err(failed)?;
    let n_files = list.found.iter().filter(|file| file.sha256.is_some()).count();
    let shown = folder.display().to_string();
    writeln!(
        console.out,
        "{n_files} files of {} members are in {}, from {} sessions",
        list.found.len() as u64 + list.n_more,
        visible(&shown),
        parts.len()
    )?;
    if list.withheld_bytes > 0 {
        let message = "what was uploaded is input: none of the identities opens it";
        return Err(ExpectedError::Usage(message.to_owned()));
    }
    if let Some(byte) = list.unreadable_from {
        writeln!(console.err, "from byte {byte} on the stream is no archive that can be read")?;
    }
    let is_whole = list.unreadable_from.is_none() && list.n_more == 0;
    Ok(if is_whole && !list.found.is_empty() { Outcome::Yes } else { Outcome::No })
}

fn nothing(why: &str) -> ExpectedError {
    ExpectedError::Usage(format!("there are no files to export: {why}"))
}

/// The sessions of the download, the first one first.
fn parts(
    args: &ExportArgs,
    recordings: &Recordings,
    last: &Opening,
) -> Result<Vec<Opening>, ExpectedError> {
    let mut parts = vec![last.clone()];
    while let Some(first) = parts.first()
        && FileList::new(first).begins_at() > 0
        && parts.len() < MAX_PARTS
    {
        let all = recordings.list().map_err(failed)?;
        let before = all.iter().filter_map(session_store::Listed::opening);
        let before = before.filter(|opening| is_before(opening, first));
        let Some(before) = before.max_by_key(|opening| (opening.at_ms, opening.session)) else {
            let message = format!(
                "session {} carries a download from byte {} on, and there is no session with what is before",
                args.id,
                FileList::new(first).begins_at()
            );
            return Err(ExpectedError::Usage(message));
        };
        parts.insert(0, before.clone());
    }
    Ok(parts)
}

/// Whether a session may carry what comes before: of the same `kubectl`, on the same pod, a download that began earlier.
fn is_before(opening: &Opening, later: &Opening) -> bool {
    let (one, other) = (&opening.access, &later.access);
    opening.session != later.session
        && opening.client.kubectl_session.is_some()
        && opening.client.kubectl_session == later.client.kubectl_session
        && opening.user == later.user
        && (&one.namespace, &one.name, &one.container)
            == (&other.namespace, &other.name, &other.container)
        && opening.at_ms <= later.at_ms
        && FileList::new(opening).is_of_files()
        && FileList::new(opening).begins_at() < FileList::new(later).begins_at()
}

fn carried(
    args: &ExportArgs,
    recordings: &Recordings,
    parts: &[Opening],
    extraction: &mut Extraction,
) -> Result<FileList, ExpectedError> {
    let begins_at: Vec<u64> = parts.iter().map(|part| FileList::new(part).begins_at()).collect();
    let mut list: Option<FileList> = None;
    for (number, part) in parts.iter().enumerate() {
        let until = begins_at.get(number + 1).copied().unwrap_or(u64::MAX);
        let mut now = match list.take() {
            None => FileList::new(part),
            Some(mut list) => {
                if !list.go_on(part) {
                    let message = format!(
                        "session {} does not go on where the one before ended",
                        part.session
                    );
                    return Err(ExpectedError::Usage(message));
                }
                list
            }
        };
        now = now.until(until);
        let mut reader = args.keys.reader(recordings, part.session)?;
        while let Some(step) = reader.next_step().map_err(failed)? {
            now.step_into(&step, &mut |part| extraction.part(&part));
        }
        list = Some(now);
    }
    list.ok_or_else(|| nothing("there is no session"))
}
