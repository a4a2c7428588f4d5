//! Certificates and keys from files.

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum PemError {
    #[error("could not read a certificate in {path}")]
    Certificate {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("there is no certificate in {path}")]
    NoCertificate { path: PathBuf },
    #[error("could not read a private key in {path}")]
    Key {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("a certificate in {path} cannot be an authority")]
    Authority {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let broken = |source| PemError::Certificate { path: path.to_owned(), source };
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(broken)?.collect();
    let read = read.map_err(broken)?;
    if read.is_empty() { Err(PemError::NoCertificate { path: path.to_owned() }) } else { Ok(read) }
}

pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|source| PemError::Key { path: path.to_owned(), source })
}

pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, PemError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store
            .add(certificate)
            .map_err(|source| PemError::Authority { path: path.to_owned(), source })?;
    }
    Ok(store)
}
