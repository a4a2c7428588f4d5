//! The cluster's certificate authority, and what it signs.

use anyhow::{Context as _, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A certificate and its key, as files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let key = KeyPair::generate()?;
        let params = authority();
        fs::write(folder.join("ca.pem"), params.self_signed(&key)?.pem())?;
        fs::write(folder.join("ca.key"), key.serialize_pem())?;
        let accounts = KeyPair::generate()?;
        fs::write(folder.join("accounts.key"), accounts.serialize_pem())?;
        fs::write(folder.join("accounts.pub"), accounts.public_key_pem())?;
        Ok(Self { issuer: Issuer::new(params, key), folder: folder.to_owned() })
    }

    /// The one that somebody else made: it has its name and key, which is what a signature needs.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let key =
            fs::read_to_string(folder.join("ca.key")).context("reading the authority's key")?;
        let issuer = Issuer::new(authority(), KeyPair::from_pem(&key)?);
        Ok(Self { issuer, folder: folder.to_owned() })
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("ca.key")
    }

    /// For a client: Kubernetes reads the user's name off the common name, groups off the organisations.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> Result<ClientCertificate> {
        self.signed(user, groups, &[])
    }

    /// For a server of these names and addresses, which may be a client as well.
    pub(crate) fn server(
        &self,
        user: &str,
        groups: &[&str],
        names: &[&str],
    ) -> Result<ClientCertificate> {
        self.signed(user, groups, names)
    }

    fn signed(&self, user: &str, groups: &[&str], names: &[&str]) -> Result<ClientCertificate> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, user);
        // rcgen holds one value for each name, so a second organisation goes by its number (X.520: 2.5.4.10).
        let organisations = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])];
        ensure!(groups.len() <= organisations.len(), "{user} has more than two groups");
        for (name, group) in organisations.into_iter().zip(groups) {
            params.distinguished_name.push(name, *group);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let mut file: String = user
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .collect();
        // Several tests that share a testbed may ask for the same user.
        for byte in Sha256::digest(certificate.der()).iter().take(4) {
            write!(file, "-{byte:02x}")?;
        }
        let pair = ClientCertificate {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
        };
        fs::write(&pair.certificate, certificate.pem())?;
        fs::write(&pair.key, key.serialize_pem())?;
        Ok(pair)
    }

    /// Writes a kubeconfig for a user of the cluster.
    pub(crate) fn kubeconfig(
        &self,
        path: &Path,
        server: &str,
        user: &ClientCertificate,
    ) -> Result<()> {
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "testbed",
            "clusters": [{ "name": "testbed", "cluster": { "server": server, "certificate-authority": self.certificate() } }],
            "users": [{ "name": "user", "user": { "client-certificate": user.certificate, "client-key": user.key } }],
            "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": "user" } }],
        });
        fs::write(path, serde_json::to_string_pretty(&text)?)?;
        Ok(())
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.distinguished_name.push(DnType::CommonName, "testbed");
    params
}
