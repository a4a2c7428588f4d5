//! The class of every port: which of the ranges that rules name contain it.

use crate::numbers::{Classes, PortClass};
use crate::tables::PortTable;
use net_types::{PortRange, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// Ports that a rule names. The protocol is one that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PortKey {
    pub(crate) protocol: Protocol,
    pub(crate) range: PortRange,
}

#[derive(Clone, Debug)]
pub(crate) struct PortClasses {
    pub(crate) numbers: Classes<PortKey, PortClass>,
    pub(crate) table: PortTable,
}

/// From each start to the next one, the ranges that contain the port.
type Cells = Vec<(u16, Vec<PortKey>)>;

impl PortClasses {
    /// `Err` holds how many classes there would be.
    pub(crate) fn new(ranges: &BTreeSet<PortKey>, previous: Option<&Self>) -> Result<Self, usize> {
        let cells = Protocol::WITH_PORTS.map(|protocol| cut(ranges, protocol));
        let all = cells.iter().flatten().map(|(_, key)| key);
        let wanted: BTreeSet<Vec<PortKey>> = all.filter(|key| !key.is_empty()).cloned().collect();
        let n_classes = wanted.len();
        let previous = previous.map(|previous| &previous.numbers);
        let numbers = Classes::anew(previous, wanted).ok_or(n_classes)?;
        let [tcp, udp, sctp] = cells.map(|cells| {
            let class = |key: Vec<PortKey>| numbers.number(key.as_slice()).unwrap_or_default();
            cells.into_iter().map(|(start, key)| (start, class(key))).collect()
        });
        Ok(Self { numbers, table: PortTable { tcp, udp, sctp } })
    }
}

fn cut(ranges: &BTreeSet<PortKey>, protocol: Protocol) -> Cells {
    let mut edges: BTreeMap<u16, (Vec<PortKey>, Vec<PortKey>)> = BTreeMap::new();
    for key in ranges.iter().filter(|key| key.protocol == protocol) {
        edges.entry(key.range.first()).or_default().0.push(*key);
        if let Some(behind) = key.range.last().checked_add(1) {
            edges.entry(behind).or_default().1.push(*key);
        }
    }
    let mut inside: BTreeSet<PortKey> = BTreeSet::new();
    let mut cells = vec![(0, Vec::new())];
    for (start, (opening, closing)) in edges {
        for key in closing {
            inside.remove(&key);
        }
        inside.extend(opening);
        cells.push((start, inside.iter().copied().collect()));
    }
    cells
}
