//! What is said over the lab's socket and between `up` and the lab process: one JSON value in a line.

use crate::plan::PlanOptions;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::net::IpAddr;

/// Both sides are the same program, of the same version or not.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `up` hands over: the manifests' text, so that both read the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    pub name: String,
    /// Names and texts of the files.
    pub files: Vec<(String, String)>,
    pub keep_going: bool,
    pub nodes: Option<usize>,
    pub replicas: usize,
    pub external: Vec<IpAddr>,
}

impl Setup {
    pub(crate) fn plan_options(&self) -> PlanOptions {
        let Self { nodes, replicas, external, name: _, files: _, keep_going: _ } = self;
        PlanOptions { nodes: *nodes, replicas: *replicas, external: external.clone() }
    }
}

/// What the lab process says before it is up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    Ready(Status),
    Failed(String),
}

/// A number for each thing that there is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub name: String,
    pub version: String,
    pub nodes: usize,
    pub pods: usize,
    pub services: usize,
    pub external: Vec<IpAddr>,
    /// What enforces policies on packets, if anything.
    pub enforcement: Option<String>,
    /// What is not as the manifests say.
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub version: String,
    pub request: Request,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Status,
    /// The namespace of a PEER, and what a process in it should see.
    Enter {
        peer: String,
    },
    Stop,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Status(Status),
    /// The namespace's descriptor travels beside it.
    Entered {
        host: String,
        resolv_conf: Option<String>,
        hosts: String,
    },
    Stopping,
    Refused(String),
}

pub(crate) fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// `None` at the end. What is no such value is an error that shows it.
pub(crate) fn read_line<T: for<'de> Deserialize<'de>>(
    input: &mut impl BufRead,
) -> io::Result<Option<T>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    serde_json::from_str(&line)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}: {line}")))
}
