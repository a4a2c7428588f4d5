//! Names that are nearly the one that was written.

/// At most this many are worth reading.
const MOST: usize = 3;

/// The candidates within a third of the word's length in edits, nearest first.
pub fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = candidates
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit * 4)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(MOST).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// `: did you mean a, b or c?`, or nothing.
pub fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => String::new(),
        [only] => format!(": did you mean {only}?"),
        [first @ .., last] => format!(": did you mean {} or {last}?", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_first_and_never_far() {
        let names = ["shop/web", "shop/wbe", "shop/api", "store/web", "shop/webs"];
        assert_eq!(near("shop/wep", names.into_iter()), ["shop/web", "shop/wbe", "shop/webs"]);
        assert_eq!(near("zzz", names.into_iter()), Vec::<String>::new());
    }

    #[test]
    fn reads_as_a_question() {
        let list = |names: &[&str]| {
            did_you_mean(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["a"]), ": did you mean a?");
        assert_eq!(list(&["a", "b", "c"]), ": did you mean a, b or c?");
    }
}
