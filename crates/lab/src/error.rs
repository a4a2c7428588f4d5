//! What keeps a lab from being made, found or asked.

use net_fabric::{FabricError, Lack};
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("a lab needs {0}")]
    Privileges(Lack),
    #[error(
        "the lab `{name}` is up already: `weir lab down --name {name}` ends it, and another --name makes one beside it"
    )]
    Exists { name: String },
    #[error("there is no lab `{name}`: {}", which(others))]
    NoLab { name: String, others: Vec<String> },
    #[error("`{0}` is no name for a lab: letters, digits and dashes make one")]
    Name(String),
    #[error("could not use {path}")]
    Folder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Fabric(#[from] FabricError),
    #[error("could not listen on {port} of {host}")]
    Listen { host: String, port: String, source: io::Error },
    #[error("the lab could not be made: {0}")]
    Setup(String),
    #[error("the change was not made, and the lab is as it was before")]
    Undone(#[source] Box<LabError>),
    #[error(
        "the change could not be made ({error}), and neither could going back ({back}): the lab is incomplete; end \
         it with `weir lab down`"
    )]
    Incomplete { error: String, back: String },
    #[error("{}", silence(.0))]
    Silent(Vec<String>),
    #[error("policies are not enforced as they should be: {0}")]
    Enforcement(String),
    #[error("the lab's process ended before the lab was up{0}")]
    Ended(String),
    #[error("could not talk to the lab `{name}`")]
    Talk { name: String, source: io::Error },
    #[error("the lab `{name}` answered what this version does not understand: {answer}")]
    Answer { name: String, answer: String },
    /// The lab's own words.
    #[error("{0}")]
    Refused(String),
    #[error("could not {what}")]
    Process { what: &'static str, source: io::Error },
    #[error("the lab `{name}` does not end")]
    Stuck { name: String },
}

/// What to do about agents that do not answer.
fn silence(nodes: &[String]) -> String {
    let kill: Vec<String> =
        nodes.iter().map(|node| format!("`weir lab kill-agent {node}`")).collect();
    format!(
        "the agent of {} does not answer, so nobody can say what its pods enforce: {} starts another one",
        nodes.join(", "),
        kill.join(", ")
    )
}

/// Labs that there are instead.
fn which(others: &[String]) -> String {
    match others {
        [] => "`weir lab up` makes one".to_owned(),
        others => format!("--name says which, and there is {}", others.join(", ")),
    }
}
