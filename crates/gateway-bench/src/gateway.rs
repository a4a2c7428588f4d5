//! A gateway as a process, configured for one way to record.

use crate::certificates::Certificates;
use crate::client::Target;
use crate::process::{Watched, free_address};
use anyhow::{Context as _, Result};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where recordings and ledger are, and when they have to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recording {
    /// In memory: what a gateway costs whose disk costs nothing.
    Memory,
    Group,
    Intent,
    Strict,
}

impl Recording {
    pub(crate) const ALL: [Self; 4] = [Self::Memory, Self::Group, Self::Intent, Self::Strict];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Group => "group",
            Self::Intent => "intent",
            Self::Strict => "strict",
        }
    }

    const fn durability(self) -> &'static str {
        match self {
            Self::Memory | Self::Group => "group",
            Self::Intent => "intent",
            Self::Strict => "strict",
        }
    }
}

pub(crate) struct Gateway {
    pub(crate) recording: Recording,
    pub(crate) target: Target,
    pub(crate) process: Watched,
    /// What is removed when it ends.
    evidence: PathBuf,
}

impl Gateway {
    pub(crate) fn start(
        weir: &Path,
        folder: &Path,
        certificates: &Certificates,
        upstream: SocketAddr,
        recording: Recording,
    ) -> Result<Self> {
        let name = format!("weir-gateway-bench-{}-{}", std::process::id(), recording.word());
        let evidence = match recording {
            Recording::Memory => Path::new("/dev/shm").join(name),
            Recording::Group | Recording::Intent | Recording::Strict => folder.join(name),
        };
        let keys = evidence.join("keys");
        for part in ["keys", "recordings", "ledger"] {
            fs::create_dir_all(evidence.join(part))?;
        }
        let made = Command::new(weir).args(["gateway", "keygen"]).arg(&keys).output()?;
        let printed = String::from_utf8(made.stdout)?;
        let public = |name: &str| -> Result<String> {
            let line = printed.lines().find_map(|line| line.strip_prefix(name));
            Ok(line.context("weir gateway keygen printed no key")?.trim().to_owned())
        };
        let address = free_address()?;
        let file = |name: &str| certificates.file(name).display().to_string();
        let durability = recording.durability();
        let configuration = serde_json::json!({
            "name": format!("bench-{}", recording.word()),
            "listen": { "address": address.to_string(), "certificate": file("server.pem"), "key": file("server.key") },
            "clients": { "certificates": { "authority": file("authority.pem") } },
            "clusters": [{
                "name": "bench",
                "server": format!("https://localhost:{}", upstream.port()),
                "authority": file("authority.pem"),
                "identity": { "certificate": file("gateway.pem"), "key": file("gateway.key") },
                "hosts": ["localhost"],
            }],
            "recordings": {
                "folder": evidence.join("recordings"),
                "readers": { "output": [{ "age": public("shown")? }], "input": [{ "age": public("typed")? }] },
                "durability": { "terminals": durability, "others": durability },
                // What is measured is the writing, not how full this machine's disk is.
                "freeSpace": { "admission": "3MiB", "drain": "2MiB", "critical": "1MiB" },
            },
            "ledger": { "folder": evidence.join("ledger"), "key": keys.join("ledger.key") },
            "rules": [{ "name": "all", "effect": "allow", "users": ["bench-user"] }],
        });
        // JSON is YAML.
        let path = evidence.join("gateway.yaml");
        fs::write(&path, serde_json::to_string_pretty(&configuration)?)
            .context("writing the configuration")?;
        let mut command = Command::new(weir);
        command.args(["gateway", "run", "--config"]).arg(&path).env("WEIR_LOG", "error");
        let process = Watched::start(command, address)?;
        Ok(Self { recording, target: Target { address, base: "" }, process, evidence })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.end();
        drop(fs::remove_dir_all(&self.evidence));
    }
}
