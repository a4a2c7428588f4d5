//! How much room the disk has, and what follows from it.

use crate::disk::Disk;
use std::io;
use std::path::Path;
use tokio::sync::watch;

/// Free bytes below which something happens. Each is smaller than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// No new session.
    pub admission_bytes: u64,
    /// The gateway should slow sessions down and tell people.
    pub drain_bytes: u64,
    /// Every session ends.
    pub critical_bytes: u64,
}

/// What there is, for metrics and for whoever slows sessions down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free_bytes: u64,
    pub level: SpaceLevel,
    pub watermarks: Watermarks,
}

/// From best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpaceLevel {
    Enough,
    NoAdmission,
    Drain,
    Critical,
}

impl Default for Watermarks {
    fn default() -> Self {
        Self { admission_bytes: 2 << 30, drain_bytes: 1 << 30, critical_bytes: 256 << 20 }
    }
}

impl Watermarks {
    pub(crate) const fn level(&self, free_bytes: u64) -> SpaceLevel {
        if free_bytes < self.critical_bytes {
            SpaceLevel::Critical
        } else if free_bytes < self.drain_bytes {
            SpaceLevel::Drain
        } else if free_bytes < self.admission_bytes {
            SpaceLevel::NoAdmission
        } else {
            SpaceLevel::Enough
        }
    }
}

/// Looks at the disk and tells.
#[derive(Debug)]
pub(crate) struct SpaceWatch {
    watermarks: Watermarks,
    told: watch::Sender<Space>,
}

impl SpaceWatch {
    pub(crate) fn new(watermarks: Watermarks) -> Self {
        let space = Space { free_bytes: u64::MAX, level: SpaceLevel::Enough, watermarks };
        Self { watermarks, told: watch::Sender::new(space) }
    }

    pub(crate) fn look(&self, disk: &dyn Disk, folder: &Path) -> io::Result<Space> {
        let free_bytes = disk.free_bytes(folder)?;
        let level = self.watermarks.level(free_bytes);
        let space = Space { free_bytes, level, watermarks: self.watermarks };
        self.told.send_if_modified(|told| std::mem::replace(told, space).level != level);
        Ok(space)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Space> {
        self.told.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_mark_that_is_passed_counts() {
        let marks = Watermarks { admission_bytes: 30, drain_bytes: 20, critical_bytes: 10 };
        let levels = [30, 29, 20, 19, 10, 9, 0].map(|free| marks.level(free));
        let expected = [
            SpaceLevel::Enough,
            SpaceLevel::NoAdmission,
            SpaceLevel::NoAdmission,
            SpaceLevel::Drain,
            SpaceLevel::Drain,
            SpaceLevel::Critical,
            SpaceLevel::Critical,
        ];
        assert_eq!(levels, expected);
    }
}
