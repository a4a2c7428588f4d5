//! From what is written to what is meant. Goes on after an error, so that a person sees all of them.

use super::quantity;
use super::raw::{
    RawCalls, RawCluster, RawConfig, RawLimits, RawListen, RawUpstreamIdentity, Text,
};
use super::{Calls, Cluster, Config, Ledger, Limits, Listen, UpstreamIdentity};
use finding_model::{Code, FileId, Finding, Severity, SourceSpan};
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

const SYNTAX: Code = Code("gateway-config-syntax");
const VALUE: Code = Code("gateway-config-value");

pub(super) fn parse(text: &str, file: FileId, folder: &Path) -> Result<Config, Vec<Finding>> {
    let options = serde_saphyr::options! { with_snippet: false };
    let raw: RawConfig = match serde_saphyr::from_str_with_options(text, options) {
        Ok(raw) => raw,
        Err(error) => return Err(vec![of_syntax(&error, file)]),
    };
    let mut reader = Reader { file, folder, findings: Vec::new() };
    match reader.config(raw) {
        Some(config) if reader.findings.is_empty() => Ok(config),
        Some(_) | None => Err(reader.findings),
    }
}

fn of_syntax(error: &serde_saphyr::Error, file: FileId) -> Finding {
    let message = error.without_snippet().render();
    let help = "docs/gateway-config.md lists every key with the values that it takes";
    let finding = Finding::new(SYNTAX, Severity::Error, message, help);
    match error.location() {
        Some(location) => finding.at(span(file, location, 1)),
        None => finding,
    }
}

fn span(file: FileId, location: Location, length: usize) -> SourceSpan {
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    SourceSpan {
        file,
        line: count(location.line()),
        column: count(location.column()),
        length: u32::try_from(length).unwrap_or(u32::MAX).max(1),
    }
}

/// Collects what is wrong; a `None` of its methods has its finding already.
pub(super) struct Reader<'a> {
    file: FileId,
    folder: &'a Path,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    pub(super) fn wrong<T>(&mut self, at: &Spanned<T>, length: usize, message: String, help: &str) {
        let finding = Finding::new(VALUE, Severity::Error, message, help);
        self.findings.push(finding.at(span(self.file, at.referenced, length)));
    }

    pub(super) fn wrong_text(&mut self, text: &Text, message: String, help: &str) {
        self.wrong(text, text.value.chars().count(), message, help);
    }

    fn config(&mut self, raw: RawConfig) -> Option<Config> {
        let RawConfig {
            name,
            listen,
            admin,
            console,
            clients,
            clusters,
            rules,
            activity,
            recordings,
            ledger,
            limits,
        } = raw;
        let name = self.name(&name);
        let listen = self.listen(&listen);
        let admin = admin.map(|admin| self.admin(&admin.address));
        let console = console.map(|console| self.console(&console, listen.as_ref()));
        let clients = self.clients(&clients);
        let clusters = self.clusters(&clusters);
        let rules = self.rules(&rules);
        let calls = match activity.calls {
            Some(RawCalls::None) | None => Calls::None,
            Some(RawCalls::Mutations) => Calls::Mutations,
            Some(RawCalls::All) => Calls::All,
        };
        let recordings = self.recordings(&recordings);
        let ledger = Ledger { folder: self.path(&ledger.folder), key: self.path(&ledger.key) };
        let limits = self.limits(&limits);
        Some(Config {
            name: name?,
            listen: listen?,
            admin: match admin {
                Some(address) => Some(address?),
                None => None,
            },
            console: match console {
                Some(console) => Some(console?),
                None => None,
            },
            clients: clients?,
            clusters: clusters?,
            rules: rules?,
            calls,
            recordings: recordings?,
            ledger,
            limits: limits?,
        })
    }

    /// Names go into paths, ledgers and metrics.
    fn name(&mut self, name: &Text) -> Option<String> {
        let text = name.value.as_str();
        let fine = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let starts = text.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        if starts && text.len() <= 63 && text.chars().all(fine) {
            return Some(text.to_owned());
        }
        let help =
            "use up to 63 letters, digits, `.`, `_` and `-`, and begin with a letter or digit";
        self.wrong_text(name, format!("`{text}` cannot be a name"), help);
        None
    }

    fn listen(&mut self, raw: &RawListen) -> Option<Listen> {
        let certificate = self.path(&raw.certificate);
        let key = self.path(&raw.key);
        Some(Listen { address: self.address(&raw.address)?, certificate, key })
    }

    pub(super) fn address(&mut self, text: &Text) -> Option<SocketAddr> {
        let parsed = text.value.parse().ok();
        if parsed.is_none() {
            let help = "write an address and a port, for instance `0.0.0.0:8443` or `[::]:8443`";
            self.wrong_text(text, format!("`{}` is not an address to listen on", text.value), help);
        }
        parsed
    }

    /// What it serves is not authenticated.
    fn admin(&mut self, text: &Text) -> Option<SocketAddr> {
        let address = self.address(text)?;
        if address.ip().is_loopback() {
            return Some(address);
        }
        let help = "write a loopback address, for instance `127.0.0.1:9464`: whoever reaches it is not asked \
                    who it is";
        self.wrong_text(text, format!("`{address}` can be reached from elsewhere"), help);
        None
    }

    pub(super) fn path(&self, text: &Text) -> PathBuf {
        self.folder.join(&text.value)
    }

    fn clusters(&mut self, raw: &Spanned<Vec<RawCluster>>) -> Option<Vec<Cluster>> {
        if raw.value.is_empty() {
            let help = "name at least one cluster, with its server, authority and identity";
            self.wrong(raw, 1, "there is no cluster to go to".to_owned(), help);
            return None;
        }
        let mut seen = BTreeSet::new();
        for text in raw.value.iter().flat_map(|raw| std::iter::once(&raw.name).chain(&raw.hosts)) {
            if !seen.insert(text.value.to_ascii_lowercase()) {
                let message = format!("`{}` stands for two clusters", text.value);
                self.wrong_text(text, message, "give each cluster names and hosts of its own");
            }
        }
        let read: Vec<Option<Cluster>> = raw.value.iter().map(|raw| self.cluster(raw)).collect();
        read.into_iter().collect()
    }

    fn cluster(&mut self, raw: &RawCluster) -> Option<Cluster> {
        let name = self.name(&raw.name);
        let server = self.server(&raw.server);
        let identity = self.identity(&raw.identity);
        Some(Cluster {
            name: name?,
            server: server?,
            authority: self.path(&raw.authority),
            identity: identity?,
            hosts: raw.hosts.iter().map(|host| host.value.to_ascii_lowercase()).collect(),
        })
    }

    fn server(&mut self, text: &Text) -> Option<Url> {
        let parsed = Url::parse(&text.value).ok();
        let fine = parsed.filter(|url| {
            url.scheme() == "https"
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if fine.is_none() {
            let message = format!("`{}` is not the address of an API server", text.value);
            let help = "write `https://HOST:PORT`, with the path before `/api` where there is one";
            self.wrong_text(text, message, help);
        }
        fine
    }

    fn identity(&mut self, raw: &Spanned<RawUpstreamIdentity>) -> Option<UpstreamIdentity> {
        let RawUpstreamIdentity { certificate, key, token_file } = &raw.value;
        match (certificate, key, token_file) {
            (Some(certificate), Some(key), None) => Some(UpstreamIdentity::Certificate {
                certificate: self.path(certificate),
                key: self.path(key),
            }),
            (None, None, Some(file)) => Some(UpstreamIdentity::TokenFile(self.path(file))),
            _ => {
                let message = "the gateway cannot prove to the API server who it is".to_owned();
                let help = "write either `certificate` and `key`, or `tokenFile`";
                self.wrong(raw, 1, message, help);
                None
            }
        }
    }

    fn limits(&mut self, raw: &RawLimits) -> Option<Limits> {
        let default = Limits::default();
        let connections = self.count(raw.connections.as_ref(), default.connections);
        let requests = self.count(raw.requests.as_ref(), default.requests);
        let sessions = self.count(raw.sessions.as_ref(), default.sessions);
        let duration = self.duration(raw.duration.as_ref(), default.duration);
        let idle = self.duration(raw.idle.as_ref(), default.idle);
        let recorder_stall = self.duration(raw.recorder_stall.as_ref(), default.recorder_stall);
        let ping = self.duration(raw.ping.as_ref(), default.ping);
        let message = self.size(raw.message.as_ref(), default.message);
        Some(Limits {
            connections: connections?,
            requests: requests?,
            sessions: sessions?,
            duration: duration?,
            idle: idle?,
            recorder_stall: recorder_stall?,
            ping: ping?,
            message: message?,
            outlast_proof: raw.outlast_proof.unwrap_or(default.outlast_proof),
        })
    }

    fn count(&mut self, raw: Option<&Spanned<usize>>, default: usize) -> Option<usize> {
        let Some(raw) = raw else { return Some(default) };
        if raw.value == 0 {
            self.wrong(raw, 1, "0 would let nobody in".to_owned(), "write at least 1");
            return None;
        }
        Some(raw.value)
    }

    pub(super) fn duration(&mut self, text: Option<&Text>, default: Duration) -> Option<Duration> {
        let Some(text) = text else { return Some(default) };
        let parsed = quantity::duration(&text.value).filter(|duration| !duration.is_zero());
        if parsed.is_none() {
            let help = "write a whole number and `ms`, `s`, `m`, `h` or `d`, for instance `90s`";
            self.wrong_text(text, format!("`{}` is not a duration", text.value), help);
        }
        parsed
    }

    fn size(&mut self, text: Option<&Text>, default: usize) -> Option<usize> {
        let read = self.bytes(text, u64::try_from(default).unwrap_or(u64::MAX));
        read.map(|size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    pub(super) fn bytes(&mut self, text: Option<&Text>, default: u64) -> Option<u64> {
        let Some(text) = text else { return Some(default) };
        let fine = quantity::size(&text.value).filter(|size| *size > 0);
        if fine.is_none() {
            let help = "write a whole number of bytes, or one with `KiB`, `MiB` or `GiB`";
            self.wrong_text(text, format!("`{}` is not a size", text.value), help);
        }
        fine
    }
}
