//! Which side of a connection lets something pass, for the cells in which nothing does.
//!
//! Only whether a side lets any port pass: which rules it has for that is for `weir explain` to say.

use policy_engine::{End, PodId, Program, TrafficCache};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All pairs of more peers take too long. The page says that it does not know then.
const MOST_PEERS: usize = 1_000;

/// `{"egress": […], "ingress": […], "sets": […]}`: by peer, the set of destinations that its egress lets
/// something pass to, and the set of sources that its ingress lets something in from. Many peers have
/// the same set, so they are in a table, as `0-5,9`.
pub(super) fn passing_sides(program: &Program, pods: &[Vec<PodId>]) -> Option<Value> {
    if pods.len() > MOST_PEERS {
        return None;
    }
    let mut cache = TrafficCache::default();
    let nobody = || vec![Vec::new(); pods.len()];
    let (mut egress, mut ingress) = (nobody(), nobody());
    for (from, sources) in pods.iter().enumerate() {
        for (to, destinations) in pods.iter().enumerate().filter(|(to, _)| *to != from) {
            let pairs =
                sources.iter().flat_map(|from| destinations.iter().map(move |to| (from, to)));
            let passing = pairs
                .map(|(from, to)| {
                    program.passing_sides(&End::Pod(*from), &End::Pod(*to), &mut cache)
                })
                .reduce(|[a, b], [c, d]| [a || c, b || d]);
            let [out, into] = passing.unwrap_or_default();
            if let Some(known) = egress.get_mut(from).filter(|_| out) {
                known.push(to);
            }
            if let Some(known) = ingress.get_mut(to).filter(|_| into) {
                known.push(from);
            }
        }
    }
    let mut sets: Vec<String> = Vec::new();
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut table = |by_peer: Vec<Vec<usize>>| -> Vec<usize> {
        let place = |peers: Vec<usize>| {
            let text = ranges(&peers);
            *ids.entry(text).or_insert_with_key(|text| {
                sets.push(text.clone());
                sets.len() - 1
            })
        };
        by_peer.into_iter().map(place).collect()
    };
    let [egress, ingress] = [table(egress), table(ingress)];
    Some(json!({"egress": egress, "ingress": ingress, "sets": sets}))
}

/// Ascending numbers as `0-5,9`.
fn ranges(numbers: &[usize]) -> String {
    let chunks = numbers.chunk_by(|a, b| a + 1 == *b);
    let text = |chunk: &[usize]| match chunk {
        [] => String::new(),
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
    };
    chunks.map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_a_range() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[]), "");
    }
}
