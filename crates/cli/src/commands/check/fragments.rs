//! Parts of answers that were rendered before: a batch repeats the same few rules.

use super::CheckWorld;
use policy_engine::{Cause, Reasons, Side, Verdict};
use report_formats::check::line;
use rustc_hash::FxHashMap;

/// At most a few for each rule of the program, and one for each set of reasons.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    sides: FxHashMap<(Verdict, Cause, Reasons), Box<[u8]>>,
}

impl Fragments {
    pub(crate) fn write_side(&mut self, world: CheckWorld<'_>, side: Side, out: &mut Vec<u8>) {
        let Side { verdict, cause, reasons } = side;
        let rendered = self
            .sides
            .entry((verdict, cause, reasons))
            .or_insert_with(|| line::side(world.program, world.files, side).into());
        out.extend_from_slice(rendered);
    }
}
