//! Where everything of the matrix stands.

use super::super::collected::{Collected, EndIx};
use super::{class_of, is_peer, text_of, text_width};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub(super) const MARGIN: usize = 20;
pub(super) const NOTE_HEIGHT: usize = 17;
const LEGEND_HEIGHT: usize = 20;
/// Of a letter, in hundredths of its size.
pub(super) const LETTER_WIDTH: usize = 61;
/// Marks cells whose rows differ.
const MIXED: &str = "+";
/// Longer names are clipped; pointing at them shows them whole.
const LONGEST_LABEL: usize = 34;
/// Sets of outside addresses that get a column each; more share one.
const MOST_OUTSIDE: usize = 12;
/// Kinds of traffic that get a letter.
const MOST_LETTERS: usize = 52;

pub(super) struct Item {
    pub(super) label: String,
    ends: Vec<EndIx>,
}

pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) range: Range<usize>,
}

/// The rows or the columns.
pub(super) struct Axis<'a> {
    pub(super) items: Vec<Item>,
    pub(super) groups: Vec<Group<'a>>,
    pub(super) name_letters: usize,
    pub(super) namespace_letters: usize,
}

/// What one cell shows.
pub(super) struct CellEntry {
    /// Indices into the rows of the map.
    pub(super) rows: Vec<usize>,
    traffic: BTreeSet<usize>,
    classes: BTreeSet<&'static str>,
}

pub(super) struct LegendEntry {
    pub(super) class: &'static str,
    pub(super) letter: String,
    pub(super) text: String,
}

pub(super) struct Layout<'a> {
    pub(super) rows: Axis<'a>,
    pub(super) columns: Axis<'a>,
    pub(super) cells: BTreeMap<(usize, usize), CellEntry>,
    /// By traffic, in the order of the legend.
    pub(super) letters: Vec<(usize, String)>,
    pub(super) cell: usize,
    pub(super) font_size: usize,
    pub(super) left: usize,
    pub(super) top: usize,
    /// Where the notes end.
    pub(super) head: usize,
    legend_top: usize,
    legend_columns: usize,
    legend_width: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl CellEntry {
    pub(super) fn class(&self) -> &'static str {
        let mut classes = self.classes.iter().copied();
        match (classes.next(), classes.next()) {
            (Some(only), None) => only,
            _ => "some",
        }
    }
}

impl<'a> Axis<'a> {
    fn new(map: &Collected<'a>, ends: &BTreeSet<EndIx>) -> Self {
        let mut items = Vec::new();
        let mut groups: Vec<Group<'a>> = Vec::new();
        for (namespace, peers) in map.namespaces() {
            let start = items.len();
            for peer in peers.filter(|peer| ends.contains(&EndIx(*peer))) {
                let label = map.report.peers.name(peer).map(super::super::peers::PeerName::short);
                items.push(Item { label: label.unwrap_or_default(), ends: vec![EndIx(peer)] });
            }
            if items.len() > start {
                groups.push(Group { name: namespace, range: start..items.len() });
            }
        }
        let outside: Vec<EndIx> = ends.iter().copied().filter(|end| !is_peer(map, *end)).collect();
        let start = items.len();
        if outside.len() > MOST_OUTSIDE {
            items.push(Item {
                label: format!("{} sets of addresses", outside.len()),
                ends: outside,
            });
        } else {
            items.extend(outside.into_iter().map(|end| {
                let label = map.label(end);
                let label = label.strip_prefix("outside").unwrap_or(&label);
                let label = label.trim_start_matches([',', ' ']);
                let label = if label.is_empty() { "everything" } else { label };
                Item { label: label.to_owned(), ends: vec![end] }
            }));
        }
        if items.len() > start {
            groups.push(Group { name: "outside", range: start..items.len() });
        }
        let longest = |lengths: &mut dyn Iterator<Item = usize>| {
            lengths.max().unwrap_or(0).min(LONGEST_LABEL)
        };
        let name_letters = longest(&mut items.iter().map(|item| item.label.chars().count()));
        let namespace_letters = longest(&mut groups.iter().map(|g| g.name.chars().count()));
        Self { items, groups, name_letters, namespace_letters }
    }

    pub(super) fn name_width(&self, size: usize) -> usize {
        text_width(self.name_letters, size)
    }

    fn label_width(&self, size: usize) -> usize {
        self.name_width(size) + 24 + text_width(self.namespace_letters, size)
    }

    /// Where groups begin and end.
    pub(super) fn edges(&self) -> impl Iterator<Item = usize> + '_ {
        let starts = self.groups.iter().map(|group| group.range.start);
        starts.chain(std::iter::once(self.items.len()))
    }

    fn places(&self) -> BTreeMap<EndIx, usize> {
        let items = self.items.iter().enumerate();
        items.flat_map(|(place, item)| item.ends.iter().map(move |end| (*end, place))).collect()
    }
}

impl<'a> Layout<'a> {
    pub(super) fn new(map: &Collected<'a>, title: &str, notes: &[String]) -> Self {
        let is_focused = map.report.focus_text().is_some();
        let everyone = (0..map.n_peers()).filter(|_| !is_focused).map(EndIx);
        let froms = map.rows.iter().map(|row| row.from).chain(everyone.clone()).collect();
        let tos = map.rows.iter().map(|row| row.to).chain(everyone).collect();
        let (rows, columns) = (Axis::new(map, &froms), Axis::new(map, &tos));
        let (cell, font_size) = match rows.items.len().max(columns.items.len()) {
            0..=60 => (20, 12),
            61..=130 => (14, 10),
            131..=250 => (10, 8),
            _ => (7, 6),
        };
        let cells = cells(map, &rows, &columns);
        let left = MARGIN + rows.label_width(font_size);
        let matrix = columns.items.len() * cell;
        let width =
            (left + matrix).max(MARGIN + text_width(title.chars().count(), 15)).max(720) + MARGIN;
        let mut layout = Self {
            letters: letters(map, &cells, cell),
            rows,
            columns,
            cells,
            cell,
            font_size,
            left,
            top: 0,
            head: 0,
            legend_top: 0,
            legend_columns: 1,
            legend_width: 0,
            width,
            height: 0,
        };
        let n_notes: usize = notes.iter().map(|note| layout.wrapped(note).len()).sum();
        layout.head = 50 + n_notes * NOTE_HEIGHT;
        layout.top = layout.head + layout.columns.label_width(font_size);
        layout.legend_top = layout.top + layout.rows.items.len() * cell + 34;
        let legend = layout.legend(map);
        let longest = legend.iter().map(|entry| entry.text.chars().count()).max().unwrap_or(0);
        layout.legend_width = 56 + text_width(longest, 12);
        layout.width = layout.width.max(layout.legend_width + 2 * MARGIN);
        layout.legend_columns = ((layout.width - 2 * MARGIN) / layout.legend_width).max(1);
        let lines = legend.len().div_ceil(layout.legend_columns);
        layout.height = layout.legend_top + (lines + 1) * LEGEND_HEIGHT;
        layout
    }

    /// What the cells mean.
    pub(super) fn legend(&self, map: &Collected<'_>) -> Vec<LegendEntry> {
        let entry = |class, letter: &str, text: &str| LegendEntry {
            class,
            letter: letter.to_owned(),
            text: text.to_owned(),
        };
        if self.letters.is_empty() {
            let classes = [("all", "all ports"), ("some", "some ports"), ("und", "undefined")];
            let used = |class| self.cells.values().any(|cell| cell.class() == class);
            let classes = classes.into_iter().filter(|(class, _)| used(*class));
            return classes.map(|(class, text)| entry(class, "", text)).collect();
        }
        let letters = self.letters.iter().filter_map(|(traffic, letter)| {
            let traffic = map.traffic.get(*traffic)?;
            Some(entry(class_of(traffic), letter, &text_of(traffic)))
        });
        let mixed = self.cells.values().any(|entry| entry.traffic.len() > 1);
        let mixed = mixed.then(|| entry("some", MIXED, "differs by address"));
        letters.chain(mixed).collect()
    }

    /// Across, then down.
    pub(super) fn legend_place(&self, entry: usize) -> (usize, usize) {
        let (line, column) = (entry / self.legend_columns, entry % self.legend_columns);
        (MARGIN + column * self.legend_width, self.legend_top + line * LEGEND_HEIGHT)
    }

    pub(super) fn corner(&self, row: usize, column: usize) -> (usize, usize) {
        (self.left + column * self.cell, self.top + row * self.cell)
    }

    /// The cells of a peer with itself, about which a map says nothing.
    pub(super) fn same_peer(&self, map: &Collected<'_>) -> Vec<(usize, usize)> {
        let columns = self.columns.places();
        let rows = self.rows.items.iter().enumerate();
        rows.filter_map(|(row, item)| match item.ends.as_slice() {
            [end] if is_peer(map, *end) && !self.cells.contains_key(&(row, *columns.get(end)?)) => {
                Some((row, *columns.get(end)?))
            }
            _ => None,
        })
        .collect()
    }

    pub(super) fn letter(&self, entry: &CellEntry) -> Option<&str> {
        if self.letters.is_empty() {
            return None;
        }
        let mut traffic = entry.traffic.iter();
        match (traffic.next(), traffic.next()) {
            (Some(only), None) => {
                let found = self.letters.iter().find(|(known, _)| known == only);
                found.map(|(_, letter)| letter.as_str())
            }
            _ => Some(MIXED),
        }
    }

    /// Lines that fit the picture.
    pub(super) fn wrapped(&self, text: &str) -> Vec<String> {
        let room = (self.width - 2 * MARGIN - 32) * 100 / (12 * LETTER_WIDTH);
        let mut lines = vec![String::new()];
        for word in text.split_inclusive(' ') {
            let length = word.chars().count();
            let used = lines.last().map_or(0, |line| line.chars().count());
            if used > 0 && used + length > room {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(word);
            }
        }
        lines
    }
}

fn cells(
    map: &Collected<'_>,
    rows: &Axis<'_>,
    columns: &Axis<'_>,
) -> BTreeMap<(usize, usize), CellEntry> {
    let (row_of, column_of) = (rows.places(), columns.places());
    let mut cells: BTreeMap<(usize, usize), CellEntry> = BTreeMap::new();
    for (index, row) in map.rows.iter().enumerate() {
        let (Some(place), Some(column)) = (row_of.get(&row.from), column_of.get(&row.to)) else {
            continue;
        };
        let entry = cells.entry((*place, *column)).or_insert_with(|| CellEntry {
            rows: Vec::new(),
            traffic: BTreeSet::new(),
            classes: BTreeSet::new(),
        });
        entry.rows.push(index);
        entry.traffic.insert(row.traffic);
        entry.classes.extend(map.traffic.get(row.traffic).map(class_of));
    }
    cells
}

/// The most frequent traffic first. None where cells are too small, or there are too many kinds.
fn letters(
    map: &Collected<'_>,
    cells: &BTreeMap<(usize, usize), CellEntry>,
    cell: usize,
) -> Vec<(usize, String)> {
    if cell < 14 || map.traffic.len() > MOST_LETTERS {
        return Vec::new();
    }
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for traffic in cells.values().flat_map(|entry| &entry.traffic) {
        *counts.entry(*traffic).or_default() += 1;
    }
    let mut ordered: Vec<(usize, usize)> = counts.into_iter().collect();
    ordered.sort_by_key(|(traffic, count)| (std::cmp::Reverse(*count), *traffic));
    let alphabet = ('A'..='Z').chain('a'..='z');
    ordered.into_iter().zip(alphabet).map(|((traffic, _), l)| (traffic, l.to_string())).collect()
}

/// At most this many letters, with an ellipsis where some are missing.
pub(super) fn clipped(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(std::iter::once('…')).collect()
}
