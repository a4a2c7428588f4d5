//! A gateway as a process, configured for one durability.

use crate::certificates::Certificates;
use crate::client::Target;
use crate::process::{Watched, free_address};
use anyhow::{Context as _, Result};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Durability {
    Group,
    Intent,
    Strict,
}

impl Durability {
    pub(crate) const ALL: [Self; 3] = [Self::Group, Self::Intent, Self::Strict];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Intent => "intent",
            Self::Strict => "strict",
        }
    }
}

pub(crate) struct Gateway {
    pub(crate) durability: Durability,
    pub(crate) target: Target,
    pub(crate) process: Watched,
}

impl Gateway {
    pub(crate) fn start(
        weir: &Path,
        folder: &Path,
        certificates: &Certificates,
        upstream: SocketAddr,
        durability: Durability,
    ) -> Result<Self> {
        let folder = folder.join(durability.word());
        fs::create_dir_all(&folder)?;
        let address = free_address()?;
        let file = |name: &str| certificates.file(name).display().to_string();
        let configuration = serde_json::json!({
            "name": format!("bench-{}", durability.word()),
            "listen": { "address": address.to_string(), "certificate": file("server.pem"), "key": file("server.key") },
            "clients": { "certificates": { "authority": file("authority.pem") } },
            "clusters": [{
                "name": "bench",
                "server": format!("https://localhost:{}", upstream.port()),
                "authority": file("authority.pem"),
                "identity": { "certificate": file("gateway.pem"), "key": file("gateway.key") },
                "hosts": ["localhost"],
            }],
        });
        // JSON is YAML.
        let path = folder.join("gateway.yaml");
        fs::write(&path, serde_json::to_string_pretty(&configuration)?)
            .context("writing the configuration")?;
        let mut command = Command::new(weir);
        command.args(["gateway", "run", "--config"]).arg(&path);
        let process = Watched::start(command, address)?;
        Ok(Self { durability, target: Target { address, base: "" }, process })
    }
}
