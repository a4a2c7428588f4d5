//! Reads logs and keeps what is privileged in them.

use super::call::{Calls, Line as EventLine, Person};
use super::event::{Creation, Event, Glance};
use super::lines::{self, Line};
use super::{BroughtPods, Call, Fault, Known, LogFile, LogFileError, Place, time};
use crate::privileged::verb_of;
use access_model::Verb;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;

/// What is read, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A longer line is skipped, and reported.
    pub line_bytes: usize,
    /// As many faults are kept; the rest is counted.
    pub faults: usize,
    /// For how long a log may have nothing and still be believed to have everything.
    pub silence_us: i64,
    /// Whether reading of logs (`pods/log`) counts as privileged.
    pub with_logs: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 64 << 20, faults: 1_000, silence_us: 600_000_000, with_logs: false }
    }
}

/// Who uses privileged requests as part of what a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    pub user: String,
}

/// Everything that logs say of privileged requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditLog {
    /// In the order in which they came to the API server, without those of components.
    pub calls: Vec<Call>,
    /// How many requests components made, by who and what.
    pub of_components: BTreeMap<(String, Verb), u64>,
    pub pods: BroughtPods,
    /// The times of which each server's log can speak.
    pub known: BTreeMap<PathBuf, Known>,
    pub faults: Vec<Fault>,
    /// Faults beyond the limit.
    pub n_more_faults: usize,
    pub n_events: u64,
}

/// Reads one file after the other.
#[derive(Debug)]
pub struct LogReader {
    limits: Limits,
    components: Vec<Component>,
    calls: Calls,
    log: AuditLog,
}

impl LogReader {
    #[must_use]
    pub fn new(limits: Limits, components: Vec<Component>) -> Self {
        Self { limits, components, calls: Calls::default(), log: AuditLog::default() }
    }

    /// Reads a file. What cannot be read of it is a fault.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn read_file(&mut self, file: &LogFile) -> Result<(), LogFileError> {
        let mut stream = file.open()?;
        self.read(&mut *stream, &file.series, &file.path.display().to_string());
        Ok(())
    }

    /// Reads a stream; `name` is what its places are called by.
    pub fn read(&mut self, stream: &mut dyn BufRead, series: &std::path::Path, name: &str) {
        let mut known =
            self.log.known.remove(series).unwrap_or_else(|| Known::new(self.limits.silence_us));
        let file: Arc<str> = name.into();
        let mut buffer = Vec::new();
        for number in 1.. {
            let place = Place { file: Arc::clone(&file), line: number };
            match lines::next(stream, &mut buffer, self.limits.line_bytes) {
                Ok(Line::End) => break,
                Ok(Line::TooLong) => {
                    self.fault(Fault::TooLong { place, limit: self.limits.line_bytes });
                }
                Ok(Line::Whole) if buffer.trim_ascii().is_empty() => {}
                Ok(Line::Whole) => {
                    if let Err(why) = self.line(&buffer, &place, &mut known) {
                        self.fault(Fault::NoEvent { place, why });
                    }
                }
                Ok(Line::CutOff) => {
                    if self.line(&buffer, &place, &mut known).is_err() {
                        self.fault(Fault::CutOff { place });
                    }
                }
                Err(error) => {
                    self.fault(Fault::Rest { place, why: error.to_string() });
                    break;
                }
            }
        }
        self.log.known.insert(series.to_owned(), known);
    }

    /// What was read.
    #[must_use]
    pub fn finish(self) -> AuditLog {
        AuditLog { calls: self.calls.finish(), ..self.log }
    }

    fn fault(&mut self, fault: Fault) {
        if self.log.faults.len() < self.limits.faults {
            self.log.faults.push(fault);
        } else {
            self.log.n_more_faults += 1;
        }
    }

    fn line(&mut self, text: &[u8], place: &Place, known: &mut Known) -> Result<(), String> {
        let read = |error: serde_json::Error| error.to_string();
        let glance: Glance<'_> = serde_json::from_slice(text).map_err(read)?;
        if glance.kind != "Event" {
            return Err("it is JSON without `kind: Event`".to_owned());
        }
        let at = time::parse(&glance.stage_timestamp)
            .ok_or_else(|| "it has no `stageTimestamp`".to_owned())?;
        known.add(at);
        self.log.n_events += 1;
        let Some(object) = &glance.object_ref else { return Ok(()) };
        if !object.api_group.is_empty() {
            return Ok(());
        }
        if object.subresource.is_empty() {
            return self.creation(&glance, text);
        }
        let verb = verb_of(&object.resource, &object.subresource, &glance.verb);
        let Some(verb) = verb.filter(|verb| *verb != Verb::Logs || self.limits.with_logs) else {
            return Ok(());
        };
        let event: Event = serde_json::from_slice(text).map_err(read)?;
        let is_last = glance.stage == "ResponseComplete";
        if self.is_component(verb, &event) {
            if is_last {
                let by = (event.user.username, verb);
                *self.log.of_components.entry(by).or_default() += 1;
            }
            return Ok(());
        }
        let line = EventLine {
            verb,
            action: &glance.verb,
            stage: &glance.stage,
            stage_timestamp: &glance.stage_timestamp,
            object,
            place: place.clone(),
        };
        self.calls.add(&line, event);
        Ok(())
    }

    fn creation(&mut self, glance: &Glance<'_>, text: &[u8]) -> Result<(), String> {
        let Some(object) = &glance.object_ref else { return Ok(()) };
        let is_one = object.resource == "pods" && glance.verb == "create";
        if !is_one || glance.stage != "ResponseComplete" {
            return Ok(());
        }
        let read = |error: serde_json::Error| error.to_string();
        let event: Event = serde_json::from_slice(text).map_err(read)?;
        if event.response_status.is_some_and(|status| status.code >= 400) {
            return Ok(());
        }
        let creation: Creation = serde_json::from_slice(text).map_err(read)?;
        let by = Person::of(event.impersonated_user.unwrap_or(event.user)).name;
        self.log.pods.add(&by, &object.namespace, creation.request_object.as_ref());
        Ok(())
    }

    /// Nodes and the controller manager ask for tokens of the pods and controllers that they run. What else components
    /// may do is what the policy lets them: proxies, and tokens.
    fn is_component(&self, verb: Verb, event: &Event) -> bool {
        if event.impersonated_user.is_some() {
            return false;
        }
        let user = &event.user;
        let is_named = self.components.iter().any(|component| component.user == user.username);
        let is_node = user.username.starts_with("system:node:")
            && user.groups.iter().any(|group| group == "system:nodes");
        match verb {
            Verb::TokenRequest => {
                is_named || is_node || user.username == "system:kube-controller-manager"
            }
            Verb::Proxy | Verb::NodeProxy => is_named,
            Verb::Exec
            | Verb::Attach
            | Verb::PortForward
            | Verb::Debug
            | Verb::Logs
            | Verb::ServerDebug
            | Verb::Api => false,
        }
    }
}
