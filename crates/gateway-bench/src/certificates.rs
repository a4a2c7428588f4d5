//! Certificates for one run: an authority, the servers' and a client's, as files that a gateway reads.

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files in PEM below one folder.
pub(crate) struct Certificates {
    pub(crate) folder: PathBuf,
}

impl Certificates {
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut authority = CertificateParams::new(Vec::<String>::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "bench authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        fs::write(folder.join("authority.pem"), authority.pem())?;
        for (name, common_name) in
            [("server", "server"), ("gateway", "gateway"), ("client", "bench-user")]
        {
            let key = KeyPair::generate()?;
            let mut params =
                CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
            params.distinguished_name.push(DnType::CommonName, common_name);
            params.distinguished_name.push(DnType::OrganizationName, "bench-group");
            let certificate = params.signed_by(&key, &authority)?;
            fs::write(folder.join(format!("{name}.pem")), certificate.pem())?;
            fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>> {
        let (chain, key) = self.pair("server")?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        Ok(Arc::new(config))
    }

    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("authority.pem"))?)?;
        let (chain, key) = self.pair("client")?;
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        Ok(Arc::new(config))
    }

    fn pair(&self, name: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = CertificateDer::from_pem_file(self.file(&format!("{name}.pem")))
            .with_context(|| format!("reading the certificate of {name}"))?;
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key")))
            .with_context(|| format!("reading the key of {name}"))?;
        Ok((vec![chain], key))
    }
}
