//! Where tokens stay between two commands: a file for each sign-in, which only its owner may read.
//!
//! kubectl may start several plug-ins at once. A token that refreshes can be one that counts once, and a provider that
//! sees it twice ends the sign-in; so whoever reads the file holds a lock until it wrote what came of it.

use crate::{LoginError, Provider, SignIn, Tokens};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

const VERSION: u32 = 1;
const LONGEST_FILE: u64 = 256 << 10;
/// A token that ends so soon is refreshed: it has to last for the request that it is for.
const LASTS_S: i64 = 60;

/// The file of one sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
    name: String,
}

/// That file, while nobody else reads or writes it.
#[derive(Debug)]
pub struct Locked {
    path: PathBuf,
    _lock: File,
}

#[derive(Debug, Error)]
pub enum CacheError {
    #[error("could not {doing} {path}")]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} can be read by others; remove it, or take the right away from them")]
    Open { path: PathBuf },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<Text> {
    version: u32,
    id_token: Text,
    refresh_token: Option<Text>,
    expires_at: i64,
}

impl Cache {
    /// Sign-ins to other issuers, as other clients or with other scopes have other files.
    #[must_use]
    pub fn new(folder: &Path, sign_in: &SignIn) -> Self {
        let mut digest = Context::new(&SHA256);
        for part in [sign_in.issuer.as_str(), &sign_in.client_id, &sign_in.scope()] {
            digest.update(part.as_bytes());
            digest.update(&[0]);
        }
        let mut name = String::new();
        for byte in digest.finish().as_ref().iter().take(16) {
            // Into a String nothing fails.
            let _written = write!(name, "{byte:02x}");
        }
        Self { folder: folder.to_owned(), name }
    }

    /// Waits until nobody else has it.
    ///
    /// # Errors
    /// Files cannot be made there.
    pub fn lock(&self) -> Result<Locked, CacheError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| CacheError::File { doing, path, source }
        };
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.folder);
        made.map_err(failed("make", &self.folder))?;
        let path = self.folder.join(format!("{}.lock", self.name));
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(failed("open", &path))?;
        lock.lock().map_err(failed("lock", &path))?;
        Ok(Locked { path: self.folder.join(format!("{}.json", self.name)), _lock: lock })
    }
}

impl Locked {
    /// What is there; nothing, where it is of another version or no file of ours.
    ///
    /// # Errors
    /// The file cannot be read, or can be by others.
    pub fn read(&self) -> Result<Option<Tokens>, CacheError> {
        let failed = |source| CacheError::File { doing: "read", path: self.path.clone(), source };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(CacheError::Open { path: self.path.clone() });
        }
        let mut text = Zeroizing::new(Vec::new());
        file.take(LONGEST_FILE).read_to_end(&mut text).map_err(failed)?;
        let written: Option<Written<String>> = serde_json::from_slice(&text).ok();
        Ok(written.filter(|written| written.version == VERSION).map(|written| Tokens {
            id_token: Zeroizing::new(written.id_token),
            refresh_token: written.refresh_token.map(Zeroizing::new),
            expires_at: written.expires_at,
        }))
    }

    /// Puts other tokens there, all or nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, tokens: &Tokens) -> Result<(), CacheError> {
        let failed = |source| CacheError::File { doing: "write", path: self.path.clone(), source };
        let written = Written {
            version: VERSION,
            id_token: tokens.id_token.as_str(),
            refresh_token: tokens.refresh_token.as_ref().map(|token| token.as_str()),
            expires_at: tokens.expires_at,
        };
        let text = serde_json::to_vec(&written).map_err(|error| failed(error.into()))?;
        replace(&self.path, &Zeroizing::new(text)).map_err(failed)
    }

    /// Removes what is there.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget(&self) -> Result<(), CacheError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(CacheError::File { doing: "remove", path: self.path.clone(), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// A new file, readable by its owner alone, takes the place of the old one.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    // What a run that was killed left.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// What was kept and still lasts at second `now`, refreshed where it must be and can be; `None` if somebody has to sign
/// in. What was refreshed is written before it is given.
///
/// # Errors
/// The cache cannot be read or written, or the provider does not answer.
pub async fn kept(sign_in: &SignIn, cache: &Locked, now: i64) -> Result<Option<Tokens>, KeptError> {
    let Some(tokens) = cache.read()? else { return Ok(None) };
    if tokens.expires_at.saturating_sub(LASTS_S) > now {
        return Ok(Some(tokens));
    }
    if tokens.refresh_token.is_none() {
        return Ok(None);
    }
    let provider = Provider::find(sign_in.clone()).await?;
    match provider.refresh(&tokens).await {
        Ok(fresh) => {
            cache.write(&fresh)?;
            Ok(Some(fresh))
        }
        Err(error) if error.needs_sign_in() => {
            cache.forget()?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Why it is not known whether what was kept lasts.
#[derive(Debug, Error)]
pub enum KeptError {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Login(#[from] LoginError),
}
