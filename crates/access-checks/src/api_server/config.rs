//! How an API server is reached, and as whom.

use super::{ApiServer, MOST_QUESTIONS, Remembered};
use crate::http;
use reqwest::{ClientBuilder, Identity};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};
use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;
use url::Url;
use zeroize::Zeroizing;

pub struct ApiServerConfig {
    /// As the gateway's configuration calls it.
    pub cluster: String,
    /// `https://HOST[:PORT][/BASE/PATH]`.
    pub server: String,
    /// Certificates (PEM) of the authorities that it is trusted by.
    pub authority: Vec<u8>,
    pub credential: Credential,
    /// For one answer.
    pub answer_within: Duration,
    /// Whom callers' service-account tokens have to be for; empty for the API server itself.
    pub audiences: Vec<String>,
}

/// What the gateway proves itself with.
pub enum Credential {
    /// Certificates and the key, both PEM.
    Certificate { certificates: Vec<u8>, key: Zeroizing<Vec<u8>> },
    /// A file that is read anew for each question, because somebody replaces it before the token in it ends.
    TokenFile(PathBuf),
}

#[derive(Debug, Error)]
pub enum ApiServerConfigError {
    #[error(
        "the API server {server} of cluster {cluster} is no https URL without query, fragment and password"
    )]
    Server { cluster: String, server: String },
    #[error(
        "the authority's certificates, or the gateway's certificate and key, for cluster {cluster} could not be used"
    )]
    Tls {
        cluster: String,
        #[source]
        source: reqwest::Error,
    },
}

pub(super) fn open(config: ApiServerConfig) -> Result<ApiServer, ApiServerConfigError> {
    let ApiServerConfig { cluster, server, authority, credential, answer_within, audiences } =
        config;
    let is_server = Url::parse(&server).is_ok_and(|url| {
        url.scheme() == "https"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if !is_server {
        return Err(ApiServerConfigError::Server { cluster, server });
    }
    let client = http::builder(Some(&authority), answer_within)
        .and_then(|builder| with_credential(builder, &credential))
        .and_then(ClientBuilder::build);
    let client = match client {
        Ok(client) => client,
        Err(source) => return Err(ApiServerConfigError::Tls { cluster, source }),
    };
    let token_file = match credential {
        Credential::Certificate { .. } => None,
        Credential::TokenFile(path) => Some(path),
    };
    Ok(ApiServer {
        cluster,
        server: server.trim_end_matches('/').to_owned(),
        client,
        token_file,
        audiences,
        questions: Semaphore::new(MOST_QUESTIONS),
        remembered: Remembered::default(),
    })
}

fn with_credential(
    builder: ClientBuilder,
    credential: &Credential,
) -> Result<ClientBuilder, reqwest::Error> {
    match credential {
        Credential::TokenFile(_) => Ok(builder),
        Credential::Certificate { certificates, key } => {
            let mut pem = Zeroizing::new(key.to_vec());
            pem.push(b'\n');
            pem.extend_from_slice(certificates);
            Ok(builder.identity(Identity::from_pem(&pem)?))
        }
    }
}

pub(super) async fn read_token(path: &Path, longest: u64) -> io::Result<Zeroizing<String>> {
    let mut token = Zeroizing::new(String::new());
    let file = tokio::fs::File::open(path).await?;
    // One byte more, so that what is too long is not cut to something that looks like a token.
    let read = file.take(longest + 1).read_to_string(&mut token).await?;
    if u64::try_from(read).is_ok_and(|read| read <= longest) {
        Ok(token)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too long for a token"))
    }
}

impl fmt::Debug for ApiServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServerConfig")
            .field("cluster", &self.cluster)
            .field("server", &self.server)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { certificates: _, key: _ } => f.write_str("Certificate(…)"),
            Self::TokenFile(path) => f.debug_tuple("TokenFile").field(path).finish(),
        }
    }
}
