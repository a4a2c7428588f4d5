//! Bytes of a manifest: read, compiled under every profile, and asked for the start of its map.

use crate::places_exist;
use kube_import::{Input, Options, import};
use policy_engine::{Assumptions, Granularity, Program, Semantics};

/// Enough to meet every kind of peer; a map may have more rows than the time of one run allows.
const ROWS: usize = 64;

pub fn manifest(bytes: &[u8]) {
    let input = Input::Bytes { name: "fuzzed.yaml".to_owned(), bytes: bytes.to_vec() };
    let Ok(imported) = import(&[input], &Options::default()) else {
        unreachable!("bytes need nothing of the world");
    };
    places_exist(&imported.findings, &imported.files);
    for semantics in [Semantics::Upstream, Semantics::Cilium] {
        let program = Program::compile(imported.snapshot.clone(), Assumptions::new(semantics));
        for granularity in [Granularity::Pod, Granularity::Workload, Granularity::Namespace] {
            let mut n_rows = 0;
            program.map(granularity).visit(|row| {
                assert!(!row.traffic.is_empty(), "a row where nothing is allowed: {row:?}");
                assert!(row.from != row.to, "a row from a peer to itself: {row:?}");
                n_rows += 1;
                n_rows < ROWS
            });
        }
    }
}
