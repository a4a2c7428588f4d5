//! Compresses a recording after its session, beside the raw file, and then removes that.

use crate::disk::{Disk, DiskFile, write_all};
use crate::files::FileSource;
use crate::layout::Part;
use session_record::{Head, KeyPair, PackError, Packing, Seal, SourceError, pack};
use std::io;
use std::path::Path;

/// Written at once.
const PIECE_BYTES: usize = 256 << 10;

/// Which recording is packed, and with what.
#[derive(Debug)]
pub(crate) struct Packed<'a> {
    pub(crate) raw: &'a Path,
    pub(crate) keys: &'a KeyPair,
    pub(crate) heads: &'a [Head],
    pub(crate) salt: [u8; 32],
    pub(crate) level: i32,
}

/// Until the packed file has its name, the raw one is the recording. What fails leaves that.
pub(crate) fn pack_file(disk: &dyn Disk, packed: &Packed<'_>) -> Result<Seal, PackError> {
    let Packed { raw, keys, heads, salt, level } = packed;
    let unfinished = raw.with_extension(format!("{}.new", Part::Packed.extension()));
    let written = |error: io::Error| PackError::Write(SourceError(error.into()));
    let source =
        FileSource::open(raw).map_err(|error| PackError::Read(SourceError(error.into()).into()))?;
    let file = disk.create(&unfinished).map_err(written)?;
    let mut pieces = Pieces { file, pending: Vec::with_capacity(PIECE_BYTES) };
    let packing = Packing { keys, salt: *salt, level: *level, heads };
    let sealed = pack(source, &packing, &mut |bytes| {
        pieces.take(bytes).map_err(|error| SourceError(error.into()))
    });
    let sealed = sealed.and_then(|seal| pieces.finish().map(|()| seal).map_err(written));
    let sealed = sealed.and_then(|seal| {
        let folder = raw.parent().unwrap_or(Path::new("."));
        let named = disk.rename(&unfinished, &raw.with_extension(Part::Packed.extension()));
        named.and_then(|()| disk.sync_folder(folder)).map(|()| seal).map_err(written)
    });
    match &sealed {
        // A raw file that cannot be removed is removed by the next start.
        Ok(_) => drop(disk.remove(raw)),
        Err(_) => drop(disk.remove(&unfinished)),
    }
    sealed
}

struct Pieces {
    file: Box<dyn DiskFile>,
    pending: Vec<u8>,
}

impl Pieces {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < PIECE_BYTES {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        write_all(self.file.as_mut(), &self.pending)?;
        self.pending.clear();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync()
    }
}
