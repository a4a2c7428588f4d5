//! Watches a recording while it is written.
//!
//! Whoever watches reads the file, at its own pace, with keys that the recorder still holds: nobody who watches can
//! slow a session down, and nobody who is slow misses anything.

use crate::files::Files;
use crate::layout::Layout;
use crate::session::Session;
use session_record::{Compartment, Keys, Opening, ReadError, Reader, Source, Step, payload_bytes};
use std::pin::pin;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// A recording that is being written.
#[derive(Debug, Clone)]
pub struct Live {
    session: Arc<Session>,
    layout: Layout,
}

/// Gives what is recorded as soon as it is in the file.
#[derive(Debug)]
pub struct Follow {
    session: Arc<Session>,
    layout: Layout,
    keys: Keys,
    reader: Option<Reader<Box<dyn Source + Send>>>,
    n_given: u64,
}

/// How many steps are given at once at most, and of how many bytes; the last may be larger.
const MAX_STEPS: usize = 1024;
const MAX_BYTES: usize = 1 << 20;

impl Live {
    pub(crate) const fn new(session: Arc<Session>, layout: Layout) -> Self {
        Self { session, layout }
    }

    /// Follows from the beginning. With [`Compartment::Input`], what the person sends is seen too.
    #[must_use]
    pub fn follow(&self, up_to: Compartment) -> Follow {
        let input = match up_to {
            Compartment::Output => None,
            Compartment::Input => Some(self.session.keys.input.clone()),
        };
        let keys = Keys { output: Some(self.session.keys.output.clone()), input };
        let (session, layout) = (Arc::clone(&self.session), self.layout.clone());
        Follow { session, layout, keys, reader: None, n_given: 0 }
    }
}

impl Follow {
    /// Waits for more steps; none are given once the recording is over.
    pub async fn next(&mut self) -> Result<Vec<Step>, ReadError> {
        loop {
            let session = Arc::clone(&self.session);
            let mut changed = pin!(session.changed.notified());
            changed.as_mut().enable();
            let was_sealed = session.is_sealed();
            let steps = self.read().await?;
            if !steps.is_empty() {
                self.n_given += steps.len() as u64;
                return Ok(steps);
            }
            if was_sealed {
                return Ok(steps);
            }
            changed.await;
        }
    }

    /// None before the first call of [`Self::next`].
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        self.reader.as_ref().map(Reader::opening)
    }

    async fn read(&mut self) -> Result<Vec<Step>, ReadError> {
        let reader = self.reader.take();
        let (keys, skip) = (self.keys.clone(), self.n_given);
        let files = Files::of_day(&self.layout, self.session.id, self.session.at_ms);
        let is_sealed = self.session.is_sealed();
        let read = spawn_blocking(move || {
            // The end may be in a second file, or the whole in another.
            let (mut reader, mut skip) = match reader {
                Some(reader) if !is_sealed => (reader, 0),
                Some(_) | None => {
                    let source = files.source()?.ok_or(ReadError::NotARecording)?;
                    (Reader::open(source, &keys)?, skip)
                }
            };
            let (mut steps, mut bytes) = (Vec::new(), 0);
            while steps.len() < MAX_STEPS && bytes < MAX_BYTES {
                let Some(step) = reader.next_step()? else { break };
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if let Step::Known(record) = &step {
                    bytes += payload_bytes(&record.event);
                }
                steps.push(step);
            }
            Ok::<_, ReadError>((reader, steps))
        });
        let (reader, steps) = read.await.or(Err(ReadError::NotARecording))??;
        self.reader = Some(reader);
        Ok(steps)
    }
}
