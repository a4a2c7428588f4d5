//! What the configuration says of recordings.

use super::Recordings;
use super::lower::Reader;
use super::raw::{RawCommand, RawDurabilityWord, RawReader, RawRecordings};
use serde_saphyr::Spanned;
use session_record::Durability;
use session_store::{AgeRecipients, CommandKms, Readers, Watermarks, WrapKey};
use std::sync::Arc;
use std::time::Duration;

const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
const BALLAST: u64 = 16 << 20;

impl Reader<'_> {
    pub(super) fn recordings(&mut self, raw: &RawRecordings) -> Option<Recordings> {
        let output = self.readers(&raw.readers.output, "shown");
        let input = self.readers(&raw.readers.input, "typed");
        let commit_interval = self.duration(raw.commit_interval.as_ref(), COMMIT_INTERVAL);
        let watermarks = self.watermarks(raw);
        let ballast = self.bytes(raw.ballast.as_ref(), BALLAST);
        let durability = |word: Option<RawDurabilityWord>, default| match word {
            None => default,
            Some(RawDurabilityWord::Group) => Durability::Group,
            Some(RawDurabilityWord::Intent) => Durability::Intent,
            Some(RawDurabilityWord::Strict) => Durability::Strict,
        };
        Some(Recordings {
            folder: self.path(&raw.folder),
            readers: Readers { output: output?, input: input? },
            of_terminals: durability(raw.durability.terminals, Durability::Intent),
            of_others: durability(raw.durability.others, Durability::Group),
            commit_interval: commit_interval?,
            watermarks: watermarks?,
            ballast: ballast?,
        })
    }

    fn readers(
        &mut self,
        raw: &Spanned<Vec<RawReader>>,
        compartment: &str,
    ) -> Option<Vec<Arc<dyn WrapKey>>> {
        if raw.value.is_empty() {
            let message = format!("nobody could ever read what was {compartment}");
            let help = "name at least one reader, for instance `- age: age1…` with an auditor's public key";
            self.wrong(raw, 1, message, help);
            return None;
        }
        let read: Vec<_> = raw.value.iter().map(|reader| self.reader(raw, reader)).collect();
        read.into_iter().collect()
    }

    fn reader(
        &mut self,
        list: &Spanned<Vec<RawReader>>,
        raw: &RawReader,
    ) -> Option<Arc<dyn WrapKey>> {
        match (&raw.age, &raw.command) {
            (Some(key), None) => match AgeRecipients::parse([key.value.as_str()]) {
                Ok(recipients) => Some(Arc::new(recipients)),
                Err(_) => {
                    let message = format!("`{}` is no age recipient", key.value);
                    let help =
                        "write the public key that `age-keygen` prints; it begins with `age1`";
                    self.wrong_text(key, message, help);
                    None
                }
            },
            (None, Some(RawCommand { scheme, key, program, arguments })) => {
                Some(Arc::new(CommandKms {
                    scheme: scheme.value.clone(),
                    key_name: key.value.clone(),
                    program: program.value.clone(),
                    arguments: arguments.clone(),
                }))
            }
            (Some(_), Some(_)) | (None, None) => {
                let message = "a reader has one way to unwrap keys".to_owned();
                self.wrong(list, 1, message, "write either `age` or `command`");
                None
            }
        }
    }

    fn watermarks(&mut self, raw: &RawRecordings) -> Option<Watermarks> {
        let default = Watermarks::default();
        let space = &raw.free_space;
        let admission_bytes = self.bytes(space.admission.as_ref(), default.admission_bytes);
        let drain_bytes = self.bytes(space.drain.as_ref(), default.drain_bytes);
        let critical_bytes = self.bytes(space.critical.as_ref(), default.critical_bytes);
        let marks = Watermarks {
            admission_bytes: admission_bytes?,
            drain_bytes: drain_bytes?,
            critical_bytes: critical_bytes?,
        };
        let fall =
            marks.admission_bytes >= marks.drain_bytes && marks.drain_bytes >= marks.critical_bytes;
        if !fall {
            let message = "sessions would end before new ones are refused".to_owned();
            let help = "let `admission` be the largest and `critical` the smallest";
            self.wrong_text(&raw.folder, message, help);
        }
        fall.then_some(marks)
    }
}
