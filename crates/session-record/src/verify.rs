//! Verifies a recording, with whatever keys and ledger entries are at hand.

use crate::beginning::{Beginning, read_seal};
use crate::block::BlockPlace;
use crate::chunk::{Chunk, Head, Progress};
use crate::error::{Break, ReadError};
use crate::event::Compartment;
use crate::header::Digest;
use crate::index::{Index, IndexBlock};
use crate::keys::{Keys, Purpose};
use crate::plain::{Ciphers, PlainChunk};
use crate::raw::{Found, Place};
use crate::reader::read_index;
use crate::record_code::Step;
use crate::report::{Contradiction, Fault, Proven, Report, Unproven};
use crate::seal::{End, Seal, State, Totals};
use crate::source::Source;
use crate::window::Window;
use std::collections::VecDeque;

/// What the ledger says of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors {
    /// Of the raw recording's header, from the entry of the session's opening.
    pub header: Option<Digest>,
    pub heads: Vec<Head>,
    /// The seal's digest, from the entry of its sealing.
    pub seal: Option<Digest>,
}

/// Reads all of a recording. Fails only where there is no header, or where the source does.
pub fn verify<S: Source>(source: S, keys: &Keys, anchors: &Anchors) -> Result<Report, ReadError> {
    let mut window = Window::new(source);
    let beginning = Beginning::read(&mut window)?;
    beginning.header.check_keys(keys)?;
    let seal = read_seal(&mut window)?.map(|(seal, _)| seal);
    let raw = Ciphers::new(keys, &beginning.digest(), Purpose::Raw)?;
    let mut walk = Walk::new(&beginning, anchors);
    let walked = match (&beginning.packed, &seal) {
        (None, _) => walk.raw(&mut window, beginning.first, raw.as_ref()),
        (Some(packed), Some(seal)) => match packed.first(&beginning.first, seal) {
            Some(first) => {
                let ciphers = Ciphers::new(keys, &packed.header, Purpose::Packed)?;
                let ciphers = raw.as_ref().zip(ciphers.as_ref());
                walk.packed(&mut window, first, ciphers)
                    .and_then(|()| walk.index(&mut window, seal))
            }
            None => Err(ReadError::NoSeal),
        },
        (Some(_), None) => Err(ReadError::NoSeal),
    };
    match walked {
        Ok(()) => {}
        Err(ReadError::Source(error)) => return Err(ReadError::Source(error)),
        Err(error) => walk.faults.push(Fault::Read(error)),
    }
    let seal = seal.or(walk.seal.take());
    Ok(walk.report(beginning, seal, keys, anchors))
}

/// What is found on the way from the header to the seal.
#[derive(Debug)]
struct Walk {
    progress: Progress,
    blocks: Vec<IndexBlock>,
    block_chain: Digest,
    end: Option<End>,
    has_end: bool,
    /// Where the chunks end, which is not where every seal says.
    seal: Option<Seal>,
    totals: Totals,
    /// Heads of the ledger that were not passed yet, and how many were.
    heads: VecDeque<Head>,
    heads_seen: usize,
    /// Heads inside of blocks, whose chunks cannot be seen without the key.
    hidden: Vec<Head>,
    index_is_proven: bool,
    raw_is_made_again: bool,
    decrypted: bool,
    proven: Vec<Proven>,
    unproven: Vec<Unproven>,
    faults: Vec<Fault>,
}

impl Walk {
    fn new(beginning: &Beginning, anchors: &Anchors) -> Self {
        let mut heads = anchors.heads.clone();
        heads.sort_by_key(|head| head.chunks);
        heads.dedup();
        let mut walk = Self {
            progress: beginning.first.progress,
            blocks: Vec::new(),
            block_chain: beginning.packed.map_or([0; 32], |packed| packed.header),
            end: None,
            has_end: false,
            seal: None,
            totals: Totals::default(),
            heads: heads.into(),
            heads_seen: 0,
            hidden: Vec::new(),
            index_is_proven: false,
            raw_is_made_again: false,
            decrypted: false,
            proven: Vec::new(),
            unproven: Vec::new(),
            faults: Vec::new(),
        };
        walk.pass_heads(beginning.first.progress.head);
        walk
    }

    fn raw<S: Source>(
        &mut self,
        window: &mut Window<S>,
        mut place: Place,
        ciphers: Option<&Ciphers>,
    ) -> Result<(), ReadError> {
        self.decrypted = ciphers.is_some();
        loop {
            let at = place;
            match place.read(window)? {
                Found::Seal(seal) => {
                    self.seal = Some(*seal);
                    return Ok(());
                }
                Found::Nothing => {
                    let rest = window.length()?.saturating_sub(place.progress.bytes);
                    // A chunk that is being written is no fault, and no part of the recording yet.
                    let is_possible = rest == 0 || !place.ended;
                    return if is_possible { Ok(()) } else { Err(place.broken(Break::Order)) };
                }
                Found::Chunk(chunk) => {
                    self.progress = place.progress;
                    self.has_end = place.ended;
                    self.pass_heads(place.progress.head);
                    if let Some(ciphers) = ciphers {
                        let plain = chunk.decrypt(ciphers, &at)?;
                        self.take(plain).map_err(|what| at.broken(what))?;
                    }
                }
            }
        }
    }

    fn packed<S: Source>(
        &mut self,
        window: &mut Window<S>,
        mut place: BlockPlace,
        ciphers: Option<(&Ciphers, &Ciphers)>,
    ) -> Result<(), ReadError> {
        self.decrypted = ciphers.is_some();
        loop {
            let at = place;
            let Some(block) = place.read(window)? else { break };
            let header = block.block;
            self.blocks.push(IndexBlock {
                offset: at.offset,
                first_chunk: header.first_chunk,
                first_record: header.first_record,
                last_us: header.last_us,
            });
            self.block_chain = place.chain;
            if let Some((raw, packed)) = ciphers {
                for chunk in block.unpack(packed, &at)? {
                    let before = self.progress.head.chain;
                    let chain = chunk.raw_chain(&before, raw)?;
                    let number = chunk.plain.chunk.number;
                    let Some(chain) = chain else {
                        self.faults.push(Fault::RawChain { chunk: number });
                        return Ok(());
                    };
                    self.advance(&chunk.plain.chunk, chain);
                    self.take(chunk.plain).map_err(|what| at.broken(what))?;
                }
                if self.progress.head != place.raw.head {
                    self.faults.push(Fault::RawChain { chunk: header.first_chunk });
                    return Ok(());
                }
            }
            self.progress = Progress {
                bytes: self.progress.bytes,
                sent_bytes: self.progress.sent_bytes,
                ..place.raw
            };
            self.pass_heads(place.raw.head);
        }
        self.raw_is_made_again = ciphers.is_some();
        Ok(())
    }

    fn advance(&mut self, chunk: &Chunk, chain: Digest) {
        let Progress { head, bytes, records, last_us: _, sent_bytes } = self.progress;
        self.progress = Progress {
            head: Head { chunks: head.chunks + 1, chain },
            bytes: bytes + chunk.total_bytes(),
            records: records + u64::from(chunk.n_records),
            last_us: chunk.last_us,
            sent_bytes: sent_bytes + chunk.sent_bytes(),
        };
        self.pass_heads(self.progress.head);
    }

    fn take(&mut self, chunk: PlainChunk) -> Result<(), Break> {
        if let Some(end) = chunk.end() {
            self.has_end = true;
            self.end = Some(end.or(Err(Break::Records))?);
        }
        let Some(mut steps) = chunk.steps() else { return Ok(()) };
        while let Some(step) = steps.next().or(Err(Break::Records))? {
            match step {
                Step::Known(record) => self.totals.count(&record.event),
                Step::Withheld { at_us: _, stream, length } => {
                    self.totals.count_bytes(stream, length)
                }
            }
        }
        Ok(())
    }

    /// Compares heads of the ledger with the one that is reached.
    fn pass_heads(&mut self, reached: Head) {
        while let Some(head) = self.heads.pop_front_if(|head| head.chunks <= reached.chunks) {
            if head == reached {
                self.heads_seen += 1;
            } else if head.chunks == reached.chunks {
                self.faults.push(Fault::LedgerHead(head));
            } else {
                self.hidden.push(head);
            }
        }
    }

    fn index<S: Source>(&mut self, window: &mut Window<S>, seal: &Seal) -> Result<(), ReadError> {
        let Some(packed) = &seal.packed else { return Ok(()) };
        let Index { blocks, heads } = read_index(window, packed)?;
        let is_index = blocks == self.blocks && packed.blocks == blocks.len() as u64;
        if !is_index {
            self.faults.push(Fault::Seal(Contradiction::Length));
        } else if packed.chain != self.block_chain {
            self.faults.push(Fault::Seal(Contradiction::Chain));
        } else {
            self.index_is_proven = true;
        }
        for hidden in std::mem::take(&mut self.hidden) {
            match heads.iter().find(|head| head.chunks == hidden.chunks) {
                Some(head) if *head == hidden => self.heads_seen += 1,
                Some(_) => self.faults.push(Fault::LedgerHead(hidden)),
                None => self.hidden.push(hidden),
            }
        }
        Ok(())
    }

    fn report(
        mut self,
        beginning: Beginning,
        seal: Option<Seal>,
        keys: &Keys,
        anchors: &Anchors,
    ) -> Report {
        let header = beginning.digest();
        self.judge_seal(header, seal.as_ref());
        self.judge_keys(keys);
        if beginning.packed.is_some() {
            let chunks = self.progress.head.chunks;
            match (self.index_is_proven, self.raw_is_made_again) {
                (true, true) => self.proven.extend([Proven::Index, Proven::RawChain { chunks }]),
                (true, false) => {
                    self.proven.push(Proven::Index);
                    self.unproven.push(Unproven::RawChain);
                }
                (false, _) => {}
            }
        }
        self.judge_ledger(header, seal.as_ref(), anchors);
        if !self.faults.is_empty() {
            // What was looked at after a fault proves nothing, and what before is not worth a claim of its own.
            self.proven.clear();
        }
        let Self { progress, proven, unproven, faults, .. } = self;
        let opening = beginning.header.opening;
        Report { opening, header, seal, head: progress.head, proven, unproven, faults }
    }

    fn judge_seal(&mut self, header: Digest, seal: Option<&Seal>) {
        let chunks = self.progress.head.chunks;
        let Some(seal) = seal else {
            self.proven.push(Proven::ChainSoFar { chunks });
            self.unproven.push(Unproven::NothingFollows);
            return;
        };
        if !self.faults.is_empty() {
            return;
        }
        self.faults.extend(self.contradictions(header, seal).map(Fault::Seal));
        self.proven.push(Proven::Chain { chunks });
        let knows_end = self.decrypted || seal.packed.is_none();
        match (seal.state, self.has_end) {
            (State::Sealed, false) if knows_end => self.faults.push(Fault::NoEnd),
            (State::Recovered | State::Damaged, false) => {
                self.unproven.push(Unproven::RecordedToTheEnd { state: seal.state });
            }
            (State::Sealed, false) | (State::Sealed | State::Recovered | State::Damaged, true) => {}
        }
        if let Some(end) = &self.end {
            match end_contradiction(end, seal, &self.totals) {
                Some(what) => self.faults.push(Fault::End(what)),
                None => self.proven.push(Proven::Complete),
            }
        }
    }

    /// The first thing that the seal says wrong.
    fn contradictions(&self, header: Digest, seal: &Seal) -> Option<Contradiction> {
        let Progress { head, bytes, records, last_us, sent_bytes } = self.progress;
        // Blocks do not say how long their raw chunks were; that takes the key.
        let knows_lengths = seal.packed.is_none() || self.decrypted;
        let claims = [
            (seal.header == header, Contradiction::Header),
            (seal.head == head, Contradiction::Chain),
            (!knows_lengths || seal.raw_bytes == bytes, Contradiction::Length),
            (seal.records == records, Contradiction::Records),
            (seal.last_us == last_us, Contradiction::Times),
            (!knows_lengths || seal.sent_bytes == sent_bytes, Contradiction::Sums),
        ];
        claims.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }

    fn judge_keys(&mut self, keys: &Keys) {
        let chunks = self.progress.head.chunks;
        let Keys { output, input } = keys;
        for (compartment, key) in [(Compartment::Output, output), (Compartment::Input, input)] {
            if key.is_some() {
                self.proven.push(Proven::Key(compartment));
            }
            // Without the output's key the input's is not used.
            if key.is_some() && self.decrypted {
                self.proven.push(Proven::Authentic { compartment, chunks });
            } else {
                self.unproven.push(Unproven::Authentic(compartment));
            }
        }
    }

    fn judge_ledger(&mut self, header: Digest, seal: Option<&Seal>, anchors: &Anchors) {
        match anchors.header {
            Some(known) if known == header => self.proven.push(Proven::LedgerHeader),
            Some(_) => self.faults.push(Fault::LedgerHeader),
            None => self.unproven.push(Unproven::InLedger),
        }
        // The recording ends before these.
        self.faults.extend(self.heads.drain(..).map(Fault::LedgerHead));
        self.unproven.extend(self.hidden.drain(..).map(Unproven::LedgerHead));
        if self.heads_seen > 0 {
            self.proven.push(Proven::LedgerHeads { heads: self.heads_seen });
        }
        match (anchors.seal, seal) {
            (Some(known), Some(seal)) if known == seal.digest() => {
                self.proven.push(Proven::LedgerSeal)
            }
            (Some(_), _) => self.faults.push(Fault::LedgerSeal),
            (None, _) => {}
        }
    }
}

/// What the recorder's own end says otherwise.
fn end_contradiction(end: &End, seal: &Seal, counted: &Totals) -> Option<Contradiction> {
    let End { ending, at_ms, totals } = end;
    let is_recorders = match seal.state {
        State::Sealed | State::Damaged => true,
        // The recorder wrote its end and not its seal; then the seal is somebody else's, and says less.
        State::Recovered => false,
    };
    let claims = [
        (totals == counted, Contradiction::Sums),
        (!is_recorders || seal.totals.is_none_or(|said| said == *totals), Contradiction::Sums),
        (!is_recorders || *ending == seal.ending, Contradiction::Ending),
        (!is_recorders || *at_ms == seal.at_ms, Contradiction::Times),
    ];
    claims.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
}
