//! Programs, maps and links that the kernel holds, and who has them.

use anyhow::Result;
use libbpf_rs::query::{LinkInfoIter, MapInfoIter, ProgInfoIter, ProgInfoQueryOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Numbers, which the kernel does not give twice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Objects {
    /// With its name, and the maps that it uses.
    programs: BTreeMap<u32, (String, Vec<u32>)>,
    maps: BTreeMap<u32, String>,
    /// With its program.
    links: BTreeMap<u32, u32>,
}

impl Objects {
    pub(crate) fn now() -> Result<Self> {
        let options = ProgInfoQueryOptions::default().include_map_ids(true);
        let programs = ProgInfoIter::with_query_opts(options)
            .map(|program| (program.id, (program.name.to_string_lossy().into(), program.map_ids)));
        let maps = MapInfoIter::default();
        Ok(Self {
            programs: programs.collect(),
            maps: maps.map(|map| (map.id, map.name.to_string_lossy().into())).collect(),
            links: LinkInfoIter::default().map(|link| (link.id, link.prog_id)).collect(),
        })
    }
}

/// What is new since `before`, and no process has. A pin has no process, but whoever pins a program has it
/// too, and so the maps and links of that program.
pub(crate) fn unheld(before: &Objects) -> Result<Vec<String>> {
    let now = Objects::now()?;
    let held = held()?;
    let has = |kind: &str, id: u32| held.contains(&(kind.to_owned(), id));
    let is_held_program = |id: u32| has("prog_id", id);
    let mut of_programs = BTreeSet::new();
    for (id, (_, maps)) in &now.programs {
        if is_held_program(*id) || before.programs.contains_key(id) {
            of_programs.extend(maps.iter().copied());
        }
    }
    let programs = now.programs.iter().filter(|(id, _)| !before.programs.contains_key(id));
    let programs = programs.filter(|(id, _)| !is_held_program(**id));
    let maps = now.maps.iter().filter(|(id, _)| !before.maps.contains_key(id));
    let maps = maps.filter(|(id, _)| !has("map_id", **id) && !of_programs.contains(id));
    let links = now.links.iter().filter(|(id, _)| !before.links.contains_key(id));
    let links = links.filter(|(id, of)| !has("link_id", **id) && !is_held_program(**of));
    Ok(programs
        .map(|(id, (name, _))| format!("program {id} {name}"))
        .chain(maps.map(|(id, name)| format!("map {id} {name}")))
        .chain(links.map(|(id, of)| format!("link {id} of program {of}")))
        .collect())
}

/// What processes have open: `prog_id`, `map_id` and `link_id`.
fn held() -> Result<BTreeSet<(String, u32)>> {
    let mut held = BTreeSet::new();
    for process in fs::read_dir("/proc")? {
        // Processes and their files come and go.
        let Ok(files) = fs::read_dir(process?.path().join("fdinfo")) else { continue };
        for file in files.flatten() {
            let Ok(text) = fs::read_to_string(file.path()) else { continue };
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            let ids = lines.filter_map(|(key, id)| Some((key.to_owned(), id.trim().parse().ok()?)));
            held.extend(ids.filter(|(key, _)| key.ends_with("_id")));
        }
    }
    Ok(held)
}
