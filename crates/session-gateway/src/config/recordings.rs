//! What the configuration says of recordings.

use super::lower::Reader;
use super::raw::{RawArchive, RawCommand, RawDurabilityWord, RawReader, RawRecordings};
use super::{ArchiveTo, Recordings, Upkeep};
use serde_saphyr::Spanned;
use session_record::Durability;
use session_store::{AgeRecipients, CommandKms, Readers, S3Access, S3Config, Watermarks, WrapKey};
use std::sync::Arc;
use std::time::Duration;

const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
const BALLAST: u64 = 16 << 20;
const UPKEEP: Duration = Duration::from_mins(5);

impl Reader<'_> {
    pub(super) fn recordings(&mut self, raw: &RawRecordings) -> Option<Recordings> {
        let output = self.readers(&raw.readers.output, "shown");
        let input = self.readers(&raw.readers.input, "typed");
        let commit_interval = self.duration(raw.commit_interval.as_ref(), COMMIT_INTERVAL);
        let watermarks = self.watermarks(raw);
        let ballast = self.bytes(raw.ballast.as_ref(), BALLAST);
        let upkeep = self.upkeep(raw);
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
            upkeep: upkeep?,
        })
    }

    fn upkeep(&mut self, raw: &RawRecordings) -> Option<Upkeep> {
        let archive = match &raw.archive {
            None => None,
            Some(raw) => Some(self.archive(raw)?),
        };
        let keep = match &raw.keep {
            None => None,
            Some(text) => Some(self.duration(Some(text), Duration::MAX)?),
        };
        Some(Upkeep { archive, keep, every: self.duration(raw.upkeep.as_ref(), UPKEEP)? })
    }

    fn archive(&mut self, raw: &RawArchive) -> Option<ArchiveTo> {
        let RawArchive { endpoint, bucket, region, prefix } = raw;
        let is_http = ["https://", "http://"].iter().any(|word| endpoint.value.starts_with(word));
        if !is_http {
            let message = format!("`{}` is no address of object storage", endpoint.value);
            let help = "write the URL at which it speaks S3, for instance https://s3.example";
            self.wrong_text(endpoint, message, help);
            return None;
        }
        let word = |text: &Option<super::raw::Text>, default: &str| {
            text.as_ref().map_or_else(|| default.to_owned(), |text| text.value.clone())
        };
        let storage = S3Config {
            endpoint: endpoint.value.clone(),
            bucket: bucket.value.clone(),
            region: word(region, "us-east-1"),
            access: S3Access::Environment,
        };
        Some(ArchiveTo { storage, prefix: word(prefix, "recordings") })
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
