//! Where a ledger's files are: a folder, or object storage.

use futures_util::TryStreamExt as _;
use ledger_model::{MAX_TILE_BYTES, TileError};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use url::Url;

/// Where the files of a ledger are read from.
#[derive(Debug, Clone)]
pub enum Place {
    Folder(PathBuf),
    Objects {
        store: Arc<dyn ObjectStore>,
        /// What comes before the names of the ledger's files.
        prefix: ObjectPath,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("could not read {name} of the ledger in {place}")]
    Folder { place: String, name: String, source: io::Error },
    #[error("could not read {name} of the ledger in {place}")]
    Objects { place: String, name: String, source: object_store::Error },
    #[error("{name} of the ledger in {place} is larger than such a file can be")]
    TooLarge { place: String, name: String },
    #[error("{name} of the ledger in {place} is missing")]
    Missing { place: String, name: String },
    #[error("{name} of the ledger in {place} is not what the checkpoint needs")]
    Tile { place: String, name: String, source: TileError },
    #[error("the checkpoint of the ledger in {place} cannot be read")]
    Checkpoint { place: String, source: ledger_model::CheckpointError },
    #[error(transparent)]
    Proof(#[from] ledger_model::ProofError),
}

#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("`{0}` is not a URL such as s3://bucket/prefix")]
    Url(String, #[source] url::ParseError),
    #[error("`{0}` cannot be used as object storage")]
    Objects(String, #[source] object_store::Error),
}

impl Place {
    /// Object storage by its URL (`s3://BUCKET/PREFIX`) and settings by their names (`AWS_REGION`, …).
    ///
    /// # Errors
    /// When it is not such a URL, or a setting is missing or wrong.
    pub fn objects(
        url: &str,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, PlaceError> {
        let parsed = Url::parse(url).map_err(|source| PlaceError::Url(url.to_owned(), source))?;
        let settings = settings.into_iter().map(|(name, value)| (name.to_lowercase(), value));
        let (store, prefix) = object_store::parse_url_opts(&parsed, settings)
            .map_err(|source| PlaceError::Objects(url.to_owned(), source))?;
        Ok(Self::Objects { store: store.into(), prefix })
    }

    /// A file of the ledger; nothing when it is not there.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than any file of a ledger is.
    pub async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        match self {
            Self::Folder(folder) => {
                let read = read_bounded(&folder.join(name)).await;
                read.map_err(|source| self.io_error(name, source))
            }
            Self::Objects { store, prefix } => {
                let failed = |source| self.object_error(name, source);
                let found = match store.get(&below(prefix, name)).await {
                    Ok(found) => found,
                    Err(object_store::Error::NotFound { .. }) => return Ok(None),
                    Err(source) => return Err(failed(source)),
                };
                if found.meta.size > MAX_TILE_BYTES as u64 {
                    return Err(self.too_large(name));
                }
                let mut bytes = Vec::new();
                let mut stream = found.into_stream();
                while let Some(part) = stream.try_next().await.map_err(failed)? {
                    if bytes.len() + part.len() > MAX_TILE_BYTES {
                        return Err(self.too_large(name));
                    }
                    bytes.extend_from_slice(&part);
                }
                Ok(Some(bytes))
            }
        }
    }

    /// The names of all files, but the writer's own, in their order.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn list(&self) -> Result<Vec<String>, ReadError> {
        let mut names = match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                let listed = tokio::task::spawn_blocking(move || list_folder(&folder)).await;
                let listed = listed.map_err(io::Error::other).flatten();
                listed.map_err(|source| self.io_error("the list of files", source))?
            }
            Self::Objects { store, prefix } => {
                let listed: Result<Vec<_>, _> = store.list(Some(prefix)).try_collect().await;
                let listed =
                    listed.map_err(|source| self.object_error("the list of files", source))?;
                let name = |path: &ObjectPath| {
                    let parts: Vec<_> = path.prefix_match(prefix)?.collect();
                    Some(parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/"))
                };
                listed.iter().filter_map(|object| name(&object.location)).collect()
            }
        };
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn io_error(&self, name: &str, source: io::Error) -> ReadError {
        if source.kind() == io::ErrorKind::FileTooLarge {
            return self.too_large(name);
        }
        ReadError::Folder { place: self.to_string(), name: name.to_owned(), source }
    }

    fn object_error(&self, name: &str, source: object_store::Error) -> ReadError {
        ReadError::Objects { place: self.to_string(), name: name.to_owned(), source }
    }

    fn too_large(&self, name: &str) -> ReadError {
        ReadError::TooLarge { place: self.to_string(), name: name.to_owned() }
    }

    pub(crate) fn missing(&self, name: &str) -> ReadError {
        ReadError::Missing { place: self.to_string(), name: name.to_owned() }
    }

    pub(crate) fn tile_error(&self, name: &str, source: TileError) -> ReadError {
        ReadError::Tile { place: self.to_string(), name: name.to_owned(), source }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(out, "{}", folder.display()),
            Self::Objects { store, prefix } => write!(out, "{store}/{prefix}"),
        }
    }
}

/// The object with this name. Names of a ledger's files are plain in both worlds.
pub(crate) fn below(prefix: &ObjectPath, name: &str) -> ObjectPath {
    prefix.parts().chain(name.split('/').map(Into::into)).collect()
}

async fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A name below what is a file, for instance.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_TILE_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > MAX_TILE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(bytes))
}

/// All names below a folder, without what begins with a dot at its top. Links are names and not followed.
fn list_folder(root: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, before)) = folders.pop() {
        for file in std::fs::read_dir(&folder)? {
            let file = file?;
            let name = file.file_name();
            let name = format!("{before}{}", name.to_string_lossy());
            if name.starts_with('.') {
                continue;
            }
            if file.file_type()?.is_dir() {
                folders.push((file.path(), format!("{name}/")));
            } else {
                names.push(name);
            }
        }
    }
    Ok(names)
}
