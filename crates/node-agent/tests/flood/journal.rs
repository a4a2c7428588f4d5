//! Which policy held when: written by agents that may die in the middle, read when all is over.

use crate::traffic::{Arrival, Sender};
use crate::world::{ALWAYS, NEVER, Variant};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::write;
use std::fs::File;
use std::io::{Read as _, Seek as _};

/// Nanoseconds of the monotonic clock, which all processes share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    u64::try_from(time.tv_sec()).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// From here on nobody can say which policy holds.
    Changes,
    Holds(Variant),
    /// Guests came, were served, and went.
    Round,
}

impl Entry {
    const ALL: [Self; 4] =
        [Self::Changes, Self::Holds(Variant::First), Self::Holds(Variant::Second), Self::Round];
}

/// A file without a name, which processes share.
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    pub(crate) fn create() -> Self {
        Self { file: File::from(memfd_create(c"journal", MFdFlags::MFD_CLOEXEC).unwrap()) }
    }

    /// One write, so that a killed process leaves none in part.
    pub(crate) fn write(&self, entry: Entry) {
        let kind = Entry::ALL.iter().position(|other| *other == entry).unwrap();
        let mut bytes = now().to_ne_bytes().to_vec();
        bytes.extend(u64::try_from(kind).unwrap().to_ne_bytes());
        assert_eq!(write(&self.file, &bytes).unwrap(), bytes.len());
    }

    pub(crate) fn history(&mut self) -> History {
        let end = self.file.stream_position().unwrap();
        self.file.rewind().unwrap();
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).unwrap();
        assert_eq!(self.file.stream_position().unwrap(), end.max(bytes.len() as u64));
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| u64::from_ne_bytes(words[at]);
        let entries = (0..words.len() / 2).map(|number| {
            (word(2 * number), Entry::ALL[usize::try_from(word(2 * number + 1)).unwrap()])
        });
        History { entries: entries.collect() }
    }
}

/// In the order of time.
pub(crate) struct History {
    entries: Vec<(u64, Entry)>,
}

impl History {
    pub(crate) fn rounds(&self) -> usize {
        self.entries.iter().filter(|(_, entry)| *entry == Entry::Round).count()
    }

    pub(crate) fn changes(&self) -> usize {
        let holds = |entry: &Entry| matches!(entry, Entry::Holds(_));
        self.entries.iter().filter(|(_, entry)| holds(entry)).count()
    }

    /// Whether a policy that denies it held from when it was sent until it was there.
    pub(crate) fn denies(&self, arrival: &Arrival) -> bool {
        if arrival.port == NEVER || (arrival.sender == Sender::Stranger) {
            return true;
        }
        if arrival.port == ALWAYS {
            return false;
        }
        let held = self.entries.iter().rfind(|(time, _)| *time <= arrival.sent);
        let Some((since, Entry::Holds(variant))) = held else { return false };
        let next =
            self.entries.iter().find(|(time, entry)| time > since && *entry == Entry::Changes);
        variant.port() != arrival.port && next.is_none_or(|(time, _)| arrival.received < *time)
    }
}
