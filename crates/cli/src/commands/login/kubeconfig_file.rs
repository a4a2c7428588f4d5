//! A person's kubeconfig: read, changed, and replaced all or nothing.

use super::arguments::own_folder;
use crate::exit::ExpectedError;
use gateway_login::{Access, KubeconfigError, kubeconfig};
use report_formats::visible;
use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

/// What will be written where.
pub(super) struct Change {
    path: PathBuf,
    text: String,
    name: String,
    /// Of the file that is replaced; a new one is its owner's alone.
    mode: u32,
}

/// As kubectl has it: the first that the environment names, or the one below the person's own folder.
pub(super) fn default_kubeconfig() -> Result<PathBuf, ExpectedError> {
    if let Some(all) = std::env::var_os("KUBECONFIG")
        && let Some(first) = std::env::split_paths(&all).find(|path| !path.as_os_str().is_empty())
    {
        return Ok(first);
    }
    own_folder("HOME", "").map(|home| home.join(".kube/config"))
}

impl Change {
    pub(super) fn of(path: PathBuf, access: &Access) -> Result<Self, ExpectedError> {
        let shown = path.display().to_string();
        let failed_to = |source| ExpectedError::ReadFile { path: shown.clone(), source };
        // Where it is a link, the file that it leads to is replaced, and not the link.
        let path = match fs::canonicalize(&path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path,
            Err(error) => return Err(failed_to(error)),
        };
        let (existing, mode) = match fs::read_to_string(&path) {
            Ok(text) => {
                let mode = fs::metadata(&path).map_err(failed_to)?.permissions().mode() & 0o777;
                (Some(text), mode)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, 0o600),
            Err(error) => return Err(failed_to(error)),
        };
        let text = kubeconfig(existing.as_deref(), access).map_err(|error| match error {
            KubeconfigError::Server { .. } => ExpectedError::Usage(error.to_string()),
            KubeconfigError::Yaml(_) | KubeconfigError::NoKubeconfig { .. } => {
                ExpectedError::ReadFile { path: shown, source: io::Error::other(error) }
            }
        })?;
        Ok(Self { path, text, name: access.name.clone(), mode })
    }

    pub(super) fn write(&self) -> Result<(), ExpectedError> {
        self.replaced().map_err(|source| ExpectedError::WriteFile {
            path: self.path.display().to_string(),
            source,
        })
    }

    fn replaced(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".weir-{}", std::process::id()));
        let beside = self.path.with_file_name(name);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        let written = file
            .write_all(self.text.as_bytes())
            .and_then(|()| file.set_permissions(Permissions::from_mode(self.mode)))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            // The first error says more than whether this one is still there.
            drop(fs::remove_file(&beside));
        }
        written
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display().to_string();
        write!(f, "context {} is in {}", visible(&self.name), visible(&path))
    }
}
