//! Exposure for people: a block for each peer, a line for each thing that it is open to.

use super::{example, isolation, namespaces_of_port, reach_of_port, selectors};
use crate::map::summary::{reason_codes, reasons};
use crate::map::{MapReport, addresses};
use crate::{Palette, Role, visible};
use net_types::AddressSet;
use policy_engine::{Entrance, Exposure, PairTraffic, Reasons, SideExposure};
use policy_model::Direction;
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &MapReport<'_>, palette: Palette) -> io::Result<()> {
    writeln!(out, "{}", palette.paint(Role::Faint, &visible(&report.assumed())))?;
    if let Some(caveat) = report.caveat() {
        writeln!(out, "{}", palette.paint(Role::Warning, &visible(&caveat)))?;
    }
    let mut seen = Reasons::NONE;
    for exposure in report.exposures() {
        seen = seen.union(reasons_of(&exposure));
        write_peer(out, report, &exposure, palette)?;
    }
    if !seen.is_empty() {
        writeln!(out)?;
    }
    for reason in seen.iter() {
        writeln!(out, "{}: {}", palette.paint(Role::Undefined, reason.code()), reason.text())?;
    }
    Ok(())
}

fn reasons_of(exposure: &Exposure) -> Reasons {
    let sides = [&exposure.ingress, &exposure.egress];
    let traffic = sides.into_iter().flat_map(|side| {
        let outside = side.outside.iter().map(|(_, traffic)| traffic);
        let namespaces = side.namespaces.iter().map(|(_, traffic)| traffic.as_ref());
        outside.chain(namespaces).chain(side.possible.iter().map(|possible| &possible.traffic))
    });
    traffic.fold(Reasons::NONE, |all, traffic| all.union(reasons(traffic)))
}

fn write_peer(
    out: &mut dyn Write,
    report: &MapReport<'_>,
    exposure: &Exposure,
    palette: Palette,
) -> io::Result<()> {
    let Some(peer) = report.peers.name(exposure.peer) else { return Ok(()) };
    let name = palette.paint(Role::Strong, &visible(&peer.long()));
    let caveat = if peer.caveats.is_empty() { "" } else { " !" };
    writeln!(out, "\n{name} ({}){caveat}", peer.kind)?;
    for (direction, side) in
        [(Direction::Ingress, &exposure.ingress), (Direction::Egress, &exposure.egress)]
    {
        write_side(out, peer.namespace, direction, side, palette)?;
    }
    for entrance in &exposure.entrances {
        let text = entrance_text(&exposure.ingress, entrance);
        writeln!(out, "  {text}")?;
    }
    Ok(())
}

fn write_side(
    out: &mut dyn Write,
    own: &str,
    direction: Direction,
    side: &SideExposure,
    palette: Palette,
) -> io::Result<()> {
    let state = match isolation(side) {
        "all" => "isolated".to_owned(),
        "none" => palette.paint(Role::Warning, "not isolated"),
        _ => palette
            .paint(Role::Warning, &format!("{} of {} pods isolated", side.n_isolated, side.n_pods)),
    };
    writeln!(out, "  {direction:7}  {state}")?;
    let word = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let mut line = |what: &str, traffic: &PairTraffic| {
        writeln!(out, "    {word} {what}: {}", text(traffic, palette))
    };
    for (set, traffic) in &side.outside {
        line(&addresses::outside(set), traffic)?;
    }
    for (namespace, traffic) in side.namespaces.iter().filter(|(name, _)| name.as_ref() != own) {
        line(&visible(&format!("{namespace}/")), traffic)?;
    }
    for possible in &side.possible {
        let example = example(possible).map(|e| format!(", such as {e}")).unwrap_or_default();
        let none = if possible.selectors.is_some() { "(none now)" } else { "(also later)" };
        line(
            &format!("{} {none}{example}", selectors(possible.selectors.as_ref())),
            &possible.traffic,
        )?;
    }
    for unsettled in &side.unsettled {
        let what = selectors(Some(unsettled));
        let text = "not known: those that were tried are refused, and not all were tried";
        writeln!(out, "    {word} {what} (none now): {}", palette.paint(Role::Undefined, text))?;
    }
    Ok(())
}

fn text(traffic: &PairTraffic, palette: Palette) -> String {
    let mut parts = Vec::new();
    if !traffic.allowed.has_no_ports() {
        parts.push(palette.paint(Role::Allow, &traffic.allowed.to_string()));
    }
    if !traffic.undefined.has_no_ports() {
        let reasons = reason_codes(traffic).join(", ");
        let text = format!("undefined: {} ({reasons})", traffic.undefined);
        parts.push(palette.paint(Role::Undefined, &text));
    }
    parts.join(" ")
}

/// `entrance Ingress shop/web (Service web) to 8080/tcp: open to ingress/`.
fn entrance_text(side: &SideExposure, entrance: &Entrance) -> String {
    let Entrance { kind, namespace, name, service, protocol, port } = entrance;
    let open = |set: &AddressSet, namespaces: &[&str]| {
        let outside = (!set.is_empty()).then(|| addresses::outside(set));
        let namespaces = namespaces.iter().map(|name| format!("{name}/"));
        outside.into_iter().chain(namespaces).collect::<Vec<_>>().join(", ")
    };
    let [outside, outside_undefined] = reach_of_port(side, entrance);
    let [namespaces, namespaces_undefined] = namespaces_of_port(side, entrance);
    let allowed = open(&outside, &namespaces);
    let undefined = open(&outside_undefined, &namespaces_undefined);
    let reach = match (allowed.is_empty(), undefined.is_empty()) {
        (true, true) => "closed to all".to_owned(),
        (false, true) => format!("open to {allowed}"),
        (true, false) => format!("undefined for {undefined}"),
        (false, false) => format!("open to {allowed}; undefined for {undefined}"),
    };
    let protocol = protocol.to_string().to_ascii_lowercase();
    let via = if service == name { String::new() } else { format!(" by Service {service}") };
    visible(&format!(
        "entrance {} {namespace}/{name}{via} to {port}/{protocol}: {reach}",
        kind.name()
    ))
    .into_owned()
}
