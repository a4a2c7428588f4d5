//! Names with wildcards, as rules are written.

/// A name in which `*` stands for any characters, also none. Everything else is itself; case matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(pub String);

/// Which names a condition admits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Names {
    #[default]
    Any,
    /// Those that one of the patterns matches.
    Listed(Vec<Pattern>),
}

impl Pattern {
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(start) else { return false };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let end = parts.pop().unwrap_or_default();
        for part in parts {
            // The first place is as good as any: what follows may match anything in between.
            let Some((_, behind)) = name.split_once(part) else { return false };
            name = behind;
        }
        name.ends_with(end)
    }
}

impl Names {
    #[must_use]
    pub fn admit(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let cases = [
            ("web", "web", true),
            ("web", "web-1", false),
            ("*", "", true),
            ("web-*", "web-", true),
            ("web-*", "web", false),
            ("*@example.org", "eve@example.org.evil", false),
            ("*@example.org", "ada@example.org", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern(pattern.to_owned()).matches(name), expected, "{pattern} {name}");
        }
    }
}
