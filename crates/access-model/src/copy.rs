//! What `kubectl cp` did, as far as a command line shows it. A description for people, never a decision: anyone
//! may run the same `tar` for another reason.

/// Files that a command line copies between a person's machine and a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCopy {
    pub direction: Direction,
    /// In the container: the folder that is filled, or what is read.
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    IntoContainer,
    OutOfContainer,
}

impl FileCopy {
    /// The copy that this command line, of an exec, is; `None` for any other.
    #[must_use]
    pub fn of_command(command: &[String]) -> Option<Self> {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let (direction, path) = match words.as_slice() {
            ["tar", "-xmf", "-"]
            | ["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"] => {
                (Direction::IntoContainer, ".".to_owned())
            }
            ["tar", "-xmf", "-", "-C", folder]
            | ["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-", "-C", folder] => {
                (Direction::IntoContainer, (*folder).to_owned())
            }
            ["tar", "cf", "-", path] => (Direction::OutOfContainer, (*path).to_owned()),
            ["sh", "-c", script] => (Direction::OutOfContainer, resumed(script)?),
            _ => return None,
        };
        Some(Self { direction, path })
    }
}

/// `kubectl cp --retries` goes on with `tar cf - 'PATH' | tail -c+BYTE`.
fn resumed(script: &str) -> Option<String> {
    let rest = script.strip_prefix("tar cf - ")?;
    let (path, byte) = rest.rsplit_once(" | tail -c+")?;
    if byte.is_empty() || !byte.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let unquoted = path.strip_prefix('\'').and_then(|path| path.strip_suffix('\''));
    let path = unquoted.unwrap_or(path);
    // A quote inside, or an operator outside, means that somebody wrote more than kubectl does.
    let is_plain = !path.contains('\'')
        && (unquoted.is_some() || !path.contains([' ', ';', '&', '|', '$', '`']));
    is_plain.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Direction, FileCopy};

    type Case = (&'static [&'static str], Option<(Direction, &'static str)>);

    #[test]
    fn what_kubectl_runs_is_recognised_and_nothing_else() {
        use Direction::{IntoContainer, OutOfContainer};
        let cases: [Case; 10] = [
            (&["tar", "-xmf", "-", "-C", "/tmp"], Some((IntoContainer, "/tmp"))),
            (&["tar", "-xmf", "-"], Some((IntoContainer, "."))),
            (
                &["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-", "-C", "/a b"],
                Some((IntoContainer, "/a b")),
            ),
            (&["tar", "cf", "-", "/var/log"], Some((OutOfContainer, "/var/log"))),
            (&["sh", "-c", "tar cf - '/a b' | tail -c+513"], Some((OutOfContainer, "/a b"))),
            (&["sh", "-c", "tar cf - /a | tail -c+1"], Some((OutOfContainer, "/a"))),
            (&["sh", "-c", "tar cf - /a; rm -r / | tail -c+1"], None),
            (&["sh", "-c", "tar cf - 'a'; rm -r '/' | tail -c+1"], None),
            (&["tar", "xf", "-"], None),
            (&[], None),
        ];
        for (command, expected) in cases {
            let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
            let expected =
                expected.map(|(direction, path)| FileCopy { direction, path: path.to_owned() });
            assert_eq!(FileCopy::of_command(&command), expected, "{command:?}");
        }
    }
}
