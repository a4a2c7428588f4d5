//! Rows as people want to read them: peers with the same connections share a line.
//!
//! Destinations of one namespace with the same traffic are one entry (`pay/{api,db}`, or `pay/*` for
//! all of it), and sources of one namespace with the same entries are one block. Nothing is lost: the
//! lines say exactly what the rows say. Only one namespace of sources is held at a time.

use super::summary::shown;
use super::{MapReport, addresses};
use crate::visible;
use policy_engine::{MapPeer, MapRow, PairTraffic};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::io;

/// One line of a readable map. Names are fit to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Empty where it is that of the line before.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) traffic: PairTraffic,
    /// Something was left out that could have changed it.
    pub(crate) has_caveat: bool,
}

/// What one source reaches, or one set of addresses: equal blocks are shown once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Block(Vec<Entry>);

/// Ordered as lines are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    place: Place,
    /// An index into the traffic that was seen.
    traffic: usize,
    has_caveat: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Every peer of the cluster.
    Everywhere,
    /// Every peer of the namespace.
    Namespace(usize),
    /// Ascending peers of one namespace.
    Peers(Vec<usize>),
    /// As text.
    Outside(String),
}

/// Collects rows in their order and gives lines.
pub(crate) struct Grouping<'r, F> {
    report: &'r MapReport<'r>,
    /// The peers of each namespace, and the namespace of each peer.
    namespaces: Vec<Vec<usize>>,
    namespace_of: Vec<usize>,
    traffic: Vec<PairTraffic>,
    traffic_ids: FxHashMap<PairTraffic, usize>,
    /// The source whose rows arrive, and those of its namespace before it.
    source: Option<usize>,
    reached: Vec<(usize, usize, bool)>,
    reached_outside: Vec<Entry>,
    blocks: Vec<(usize, Block)>,
    /// From outside, by addresses.
    entering: BTreeMap<String, Vec<(usize, usize, bool)>>,
    write: F,
}

impl<'r, F: FnMut(Line) -> io::Result<()>> Grouping<'r, F> {
    pub(crate) fn new(report: &'r MapReport<'_>, write: F) -> Self {
        let mut namespaces: Vec<Vec<usize>> = Vec::new();
        let mut namespace_of = Vec::new();
        let mut last = None;
        for (index, peer) in report.peers.iter().enumerate() {
            // Namespaces are peers of the whole cluster and share lines as such.
            let namespace = if peer.is_namespace() { "" } else { peer.namespace };
            if last != Some(namespace) {
                namespaces.push(Vec::new());
                last = Some(namespace);
            }
            namespace_of.push(namespaces.len() - 1);
            if let Some(peers) = namespaces.last_mut() {
                peers.push(index);
            }
        }
        Self {
            report,
            namespaces,
            namespace_of,
            traffic: Vec::new(),
            traffic_ids: FxHashMap::default(),
            source: None,
            reached: Vec::new(),
            reached_outside: Vec::new(),
            blocks: Vec::new(),
            entering: BTreeMap::new(),
            write,
        }
    }

    pub(crate) fn add(&mut self, row: &MapRow<'_>) -> io::Result<()> {
        let has_caveat = !self.report.program.left_out().is_empty()
            && !self.report.peers.caveats_of(row.places).is_empty();
        let traffic = self.traffic_id(row.traffic);
        let [from_place, to_place] = row.places;
        match (row.from, row.to) {
            (MapPeer::Outside(set), _) => {
                let to = to_place.map(|to| (to, traffic, has_caveat));
                self.entering.entry(addresses::outside(set)).or_default().extend(to);
            }
            (_, to) => {
                self.begin(from_place)?;
                match to {
                    MapPeer::Outside(set) => {
                        let place = Place::Outside(addresses::outside(set));
                        self.reached_outside.push(Entry { place, traffic, has_caveat });
                    }
                    MapPeer::Namespace(_) | MapPeer::Workload(_) | MapPeer::Pod { .. } => {
                        let to = to_place.map(|to| (to, traffic, has_caveat));
                        self.reached.extend(to);
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.begin(None)?;
        self.flush()?;
        for (from, reached) in std::mem::take(&mut self.entering) {
            let block = Block(self.entries(None, &reached));
            self.write_block(&from, &block)?;
        }
        Ok(())
    }

    fn traffic_id(&mut self, traffic: &PairTraffic) -> usize {
        if let Some(id) = self.traffic_ids.get(traffic) {
            return *id;
        }
        let shown = shown(traffic);
        let known = self.traffic.iter().position(|other| *other == shown);
        let id = known.unwrap_or_else(|| {
            self.traffic.push(shown);
            self.traffic.len() - 1
        });
        self.traffic_ids.insert(traffic.clone(), id);
        id
    }

    /// Rows of `source` follow.
    fn begin(&mut self, source: Option<usize>) -> io::Result<()> {
        if self.source == source {
            return Ok(());
        }
        if let Some(previous) = self.source {
            let reached = std::mem::take(&mut self.reached);
            let mut entries = self.entries(Some(previous), &reached);
            entries.append(&mut self.reached_outside);
            self.blocks.push((previous, Block(entries)));
            let of = |peer: usize| self.namespace_of.get(peer);
            if source.is_none_or(|source| of(source) != of(previous)) {
                self.flush()?;
            }
        }
        self.source = source;
        Ok(())
    }

    /// Peers with the same traffic, by namespace. A namespace is whole without the source itself.
    fn entries(&self, source: Option<usize>, reached: &[(usize, usize, bool)]) -> Vec<Entry> {
        let mut groups: BTreeMap<(usize, usize, bool), Vec<usize>> = BTreeMap::new();
        for (peer, traffic, caveat) in reached {
            let namespace = self.namespace_of.get(*peer).copied().unwrap_or_default();
            groups.entry((namespace, *traffic, *caveat)).or_default().push(*peer);
        }
        let others = |peers: usize, contains_source: bool| peers - usize::from(contains_source);
        let everyone = others(self.namespace_of.len(), source.is_some());
        let same = groups.keys().next().is_none_or(|(_, traffic, caveat)| {
            groups.keys().all(|(_, other, of_other)| (other, of_other) == (traffic, caveat))
        });
        if let (true, Some((_, traffic, has_caveat))) = (same, groups.keys().next().copied())
            && reached.len() == everyone
            && everyone > 1
        {
            return vec![Entry { place: Place::Everywhere, traffic, has_caveat }];
        }
        let of_source = source.and_then(|source| self.namespace_of.get(source)).copied();
        let entry =
            |((namespace, traffic, has_caveat), peers): ((usize, usize, bool), Vec<usize>)| {
                let whole = self.namespaces.get(namespace).map_or(0, Vec::len);
                let is_whole =
                    peers.len() > 1 && peers.len() == others(whole, of_source == Some(namespace));
                let place =
                    if is_whole { Place::Namespace(namespace) } else { Place::Peers(peers) };
                Entry { place, traffic, has_caveat }
            };
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by(|(_, a), (_, b)| a.first().cmp(&b.first()));
        groups.into_iter().map(entry).collect()
    }

    /// Writes the blocks of one namespace, equal ones together, in the order of their first source.
    fn flush(&mut self) -> io::Result<()> {
        let mut together: Vec<(Vec<usize>, Block)> = Vec::new();
        let mut seen: BTreeMap<Block, usize> = BTreeMap::new();
        for (source, block) in std::mem::take(&mut self.blocks) {
            let at = *seen.entry(block.clone()).or_insert_with(|| {
                together.push((Vec::new(), block));
                together.len() - 1
            });
            if let Some((sources, _)) = together.get_mut(at) {
                sources.push(source);
            }
        }
        for (sources, block) in together {
            let namespace = sources.first().and_then(|source| self.namespace_of.get(*source));
            let whole = namespace.and_then(|namespace| self.namespaces.get(*namespace));
            let is_whole = sources.len() > 1 && whole.is_some_and(|all| all.len() == sources.len());
            let from = if is_whole { self.whole(&sources) } else { self.listed(&sources) };
            self.write_block(&from, &block)?;
        }
        Ok(())
    }

    fn write_block(&mut self, from: &str, block: &Block) -> io::Result<()> {
        for (index, entry) in block.0.iter().enumerate() {
            let Some(traffic) = self.traffic.get(entry.traffic).cloned() else { continue };
            let to = match &entry.place {
                Place::Everywhere => "everything in the cluster".to_owned(),
                Place::Namespace(namespace) => {
                    self.namespaces.get(*namespace).map_or_else(String::new, |all| self.whole(all))
                }
                Place::Peers(peers) => self.listed(peers),
                Place::Outside(text) => text.clone(),
            };
            let from = if index == 0 { from.to_owned() } else { String::new() };
            (self.write)(Line { from, to, traffic, has_caveat: entry.has_caveat })?;
        }
        Ok(())
    }

    /// `shop/*`.
    fn whole(&self, peers: &[usize]) -> String {
        match peers.first().and_then(|peer| self.report.peers.name(*peer)) {
            Some(peer) if peer.is_namespace() => "every namespace".to_owned(),
            Some(peer) => format!("{}/*", visible(peer.namespace)),
            None => String::new(),
        }
    }

    /// `shop/web`, `shop/{api,web}`, `pay/, shop/`.
    fn listed(&self, peers: &[usize]) -> String {
        let names: Vec<_> = peers.iter().filter_map(|peer| self.report.peers.name(*peer)).collect();
        match names.as_slice() {
            [] => String::new(),
            [only] => visible(&only.long()).into_owned(),
            [first, ..] if first.is_namespace() => {
                let names: Vec<_> = names.iter().map(|name| name.long()).collect();
                visible(&names.join(", ")).into_owned()
            }
            [first, ..] => {
                let short: Vec<_> = names.iter().map(|name| name.short()).collect();
                visible(&format!("{}/{{{}}}", first.namespace, short.join(","))).into_owned()
            }
        }
    }
}
