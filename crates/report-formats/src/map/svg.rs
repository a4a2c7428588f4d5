//! A connection map as a picture: a matrix, sources down and destinations across.
//!
//! A matrix never has crossing lines, so it stays readable where a graph does not. Each cell is a
//! colour and, where there is room, a letter that the legend explains. Nothing moves and nothing is
//! loaded, so the picture can stand in a wiki or on a pull request.

mod layout;

use super::MapReport;
use super::collected::{Collected, EndIx};
use super::summary::{RowCounts, reason_codes};
use crate::visible;
use layout::{Axis, LETTER_WIDTH, Layout, clipped};
use policy_engine::PairTraffic;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Beyond, labels would be too small to read.
pub const MOST_IN_SVG: usize = 400;

const STYLE: &str = "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1b2733}\
.t{font-size:15px;font-weight:600}.n{font-size:12px;fill:#4c5b68}.ns{font-weight:600}\
.g{stroke:#dde4ea;stroke-width:1}.s{stroke:#8796a3;stroke-width:1}\
.all{fill:#004c7d}.some{fill:#3d8fc4}.und{fill:#f0a830}.self{fill:#eef2f5}\
.c{fill:#fff;text-anchor:middle}.d{fill:#1b2733;text-anchor:middle}";

pub fn write(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    let map = Collected::new(report)?;
    let mut counts = RowCounts::default();
    map.rows.iter().filter_map(|row| map.traffic.get(row.traffic)).for_each(|t| counts.add(t));
    let mut notes = vec![report.assumed()];
    notes.extend(report.focus_text().map(|focus| format!("only connections of {focus}")));
    notes.extend(report.caveat());
    notes.extend(counts.legend().map(|(reason, text)| format!("{reason}: {text}")));
    let layout = Layout::new(&map, &report.counts(&counts), &notes);
    let mut svg = String::new();
    let (width, height) = (layout.width, layout.height);
    push(
        &mut svg,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
            escaped("Connection map")
        ),
    );
    push_head(&mut svg, &layout, &notes, &report.counts(&counts));
    push_axis(&mut svg, &layout, &layout.rows, Side::Left);
    push_axis(&mut svg, &layout, &layout.columns, Side::Top);
    push_cells(&mut svg, &map, &layout);
    push_grid(&mut svg, &layout);
    push_legend(&mut svg, &map, &layout);
    svg.push_str("</svg>\n");
    out.write_all(svg.as_bytes())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Top,
}

#[expect(clippy::let_underscore_must_use, reason = "a String takes every write")]
fn push(svg: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(text);
}

fn push_head(svg: &mut String, layout: &Layout<'_>, notes: &[String], title: &str) {
    let x = layout::MARGIN;
    push(svg, format_args!("<text class=\"t\" x=\"{x}\" y=\"30\">{}</text>\n", escaped(title)));
    let mut y = 50;
    for note in notes {
        for line in layout.wrapped(note) {
            push(
                svg,
                format_args!("<text class=\"n\" x=\"{x}\" y=\"{y}\">{}</text>\n", escaped(&line)),
            );
            y += layout::NOTE_HEIGHT;
        }
    }
}

/// Names along one side, and beyond them the namespaces that they share.
fn push_axis(svg: &mut String, layout: &Layout<'_>, axis: &Axis<'_>, side: Side) {
    let cell = layout.cell;
    let size = layout.font_size;
    for (place, item) in axis.items.iter().enumerate() {
        let along = place * cell + cell / 2 + size / 3;
        let (text, anchor, turn) = match side {
            Side::Left => (layout.left - 6, "end", None),
            Side::Top => (layout.top - 6, "start", Some(-90)),
        };
        let (x, y) = match side {
            Side::Left => (text, layout.top + along),
            Side::Top => (layout.left + along, text),
        };
        let turn =
            turn.map(|by| format!(" transform=\"rotate({by} {x} {y})\"")).unwrap_or_default();
        push(
            svg,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\"{turn}>{}<title>{}</title></text>\n",
                escaped(&clipped(&item.label, axis.name_letters)),
                escaped(&item.label)
            ),
        );
    }
    for group in &axis.groups {
        let middle = group.range.start * cell + group.range.len() * cell / 2 + size / 3;
        let room = axis.namespace_letters;
        let label = clipped(group.name, room);
        let beyond = axis.name_width(size) + 12;
        let (x, y, anchor, turn) = match side {
            Side::Left => (layout.left - beyond, layout.top + middle, "end", String::new()),
            Side::Top => {
                let (x, y) = (layout.left + middle, layout.top - beyond);
                (x, y, "start", format!(" transform=\"rotate(-90 {x} {y})\""))
            }
        };
        push(
            svg,
            format_args!(
                "<text class=\"ns\" x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\"{turn}>{}</text>\n",
                escaped(&label)
            ),
        );
    }
}

fn push_cells(svg: &mut String, map: &Collected<'_>, layout: &Layout<'_>) {
    let cell = layout.cell;
    for (row, column) in layout.same_peer(map) {
        let (x, y) = layout.corner(row, column);
        push(
            svg,
            format_args!(
                "<rect class=\"self\" x=\"{x}\" y=\"{y}\" width=\"{cell}\" height=\"{cell}\"/>\n"
            ),
        );
    }
    for ((row, column), entry) in &layout.cells {
        let (x, y) = layout.corner(*row, *column);
        let titles: Vec<String> = entry
            .rows
            .iter()
            .filter_map(|index| map.rows.get(*index))
            .filter_map(|row| Some((row, map.traffic.get(row.traffic)?)))
            .map(|(row, traffic)| {
                format!("{} → {}: {}", map.label(row.from), map.label(row.to), text_of(traffic))
            })
            .collect();
        let class = entry.class();
        push(
            svg,
            format_args!(
                "<g><title>{}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{cell}\" height=\"{cell}\"/>",
                escaped(&titles.join("\n"))
            ),
        );
        if let Some(letter) = layout.letter(entry) {
            let ink = if class == "und" { "d" } else { "c" };
            let (x, y) = (x + cell / 2, y + cell / 2 + layout.font_size * 3 / 8);
            let size = layout.font_size;
            push(
                svg,
                format_args!(
                    "<text class=\"{ink}\" x=\"{x}\" y=\"{y}\" font-size=\"{size}\">{letter}</text>"
                ),
            );
        }
        svg.push_str("</g>\n");
    }
}

/// Thin lines between peers where cells are large, thick ones between namespaces.
fn push_grid(svg: &mut String, layout: &Layout<'_>) {
    let (left, top, cell) = (layout.left, layout.top, layout.cell);
    let right = left + layout.columns.items.len() * cell;
    let bottom = top + layout.rows.items.len() * cell;
    let line = |svg: &mut String, class: &str, [x1, y1, x2, y2]: [usize; 4]| {
        push(svg, format_args!("<path class=\"{class}\" d=\"M{x1} {y1}L{x2} {y2}\"/>\n"));
    };
    for row in 0..=layout.rows.items.len() {
        let y = top + row * cell;
        line(svg, "g", [left, y, right, y]);
    }
    for column in 0..=layout.columns.items.len() {
        let x = left + column * cell;
        line(svg, "g", [x, top, x, bottom]);
    }
    for edge in layout.rows.edges() {
        let y = top + edge * cell;
        line(svg, "s", [layout::MARGIN, y, right, y]);
    }
    for edge in layout.columns.edges() {
        let x = left + edge * cell;
        line(svg, "s", [x, layout.head, x, bottom]);
    }
}

fn push_legend(svg: &mut String, map: &Collected<'_>, layout: &Layout<'_>) {
    for (place, entry) in layout.legend(map).iter().enumerate() {
        let (x, y) = layout.legend_place(place);
        let ink = if entry.class == "und" { "d" } else { "c" };
        push(
            svg,
            format_args!(
                "<rect class=\"{}\" x=\"{x}\" y=\"{}\" width=\"22\" height=\"16\"/>\
                 <text class=\"{ink}\" x=\"{}\" y=\"{y}\" font-size=\"11\">{}</text>\
                 <text class=\"n\" x=\"{}\" y=\"{y}\">{}</text>\n",
                entry.class,
                y - 12,
                x + 11,
                entry.letter,
                x + 32,
                escaped(&entry.text)
            ),
        );
    }
}

fn class_of(traffic: &PairTraffic) -> &'static str {
    if traffic.allowed.has_no_ports() {
        "und"
    } else if traffic.allowed.has_all_ports() {
        "all"
    } else {
        "some"
    }
}

fn text_of(traffic: &PairTraffic) -> String {
    let mut parts = Vec::new();
    if !traffic.allowed.has_no_ports() {
        parts.push(traffic.allowed.to_string());
    }
    if !traffic.undefined.has_no_ports() {
        parts.push(format!(
            "undefined: {} ({})",
            traffic.undefined,
            reason_codes(traffic).join(", ")
        ));
    }
    parts.join("; ")
}

/// Text of an element or attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        for character in visible(line).chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                plain => escaped.push(plain),
            }
        }
        escaped.push_str(end);
    }
    escaped
}

/// How wide text of a size is: monospaced, six tenths of its size each.
fn text_width(letters: usize, size: usize) -> usize {
    letters * size * LETTER_WIDTH / 100 + 1
}

fn is_peer(map: &Collected<'_>, end: EndIx) -> bool {
    end.0 < map.n_peers()
}
