//! The programs of a cluster, built from Go modules below `testbed/` into a cache.
//!
//! Each part is one module, because one module cannot hold all of their requirements. Its folder in the cache is
//! named by what it was built from, and appears under that name only when the build is over.

use anyhow::{Context as _, Result, bail};
use folder_lock::FolderLock;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of Kubernetes that `testbed/kubernetes/go.mod` requires: clients read it from the binary.
const KUBERNETES: [&str; 3] = ["v1.36.3", "1", "36"];
const OLD_KUBECTL: [&str; 3] = ["v1.32.4", "1", "32"];

/// One module below `testbed/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Kubernetes,
    OldKubectl,
    Containerd,
    CoreDns,
    Agnhost,
    Versitygw,
    ExecClient,
}

impl Part {
    pub const ALL: [Self; 7] = [
        Self::Kubernetes,
        Self::OldKubectl,
        Self::Containerd,
        Self::CoreDns,
        Self::Agnhost,
        Self::Versitygw,
        Self::ExecClient,
    ];

    const fn module(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::OldKubectl => "kubectl-1.32",
            Self::Containerd => "containerd",
            Self::CoreDns => "coredns",
            Self::Agnhost => "agnhost",
            Self::Versitygw => "versitygw",
            Self::ExecClient => "exec-client",
        }
    }

    /// What is built, and the names under which its programs are found.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes | Self::OldKubectl | Self::CoreDns | Self::ExecClient => &["."],
            Self::Containerd => &[
                "github.com/containerd/containerd/v2/cmd/containerd",
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                "github.com/containerd/containerd/v2/cmd/ctr",
            ],
            Self::Agnhost => &["k8s.io/kubernetes/test/images/agnhost"],
            Self::Versitygw => &["github.com/versity/versitygw/cmd/versitygw"],
        }
    }

    fn linker_flags(self) -> String {
        let version = match self {
            Self::Kubernetes => KUBERNETES,
            Self::OldKubectl => OLD_KUBECTL,
            Self::Containerd
            | Self::CoreDns
            | Self::Agnhost
            | Self::Versitygw
            | Self::ExecClient => {
                return "-s -w".to_owned();
            }
        };
        let [git, major, minor] = version;
        let set = "-X k8s.io/component-base/version.git";
        format!("-s -w {set}Version={git} {set}Major={major} {set}Minor={minor}")
    }

    /// The folder of its programs; built now where it was not yet.
    ///
    /// # Errors
    /// Go is missing, or the build failed.
    pub fn built(self) -> Result<PathBuf> {
        let source = sources().join(self.module());
        let key = self.key(&source)?;
        let cache = cache_folder()?;
        let target = cache.join(format!("{}-{key}", self.module()));
        if target.is_dir() {
            return Ok(target);
        }
        let _alone = alone(&cache, self.module())?;
        if !target.is_dir() {
            self.build(&source, &cache, &target)?;
        }
        Ok(target)
    }

    /// A program of it.
    ///
    /// # Errors
    /// As [`Part::built`].
    pub fn program(self, name: &str) -> Result<PathBuf> {
        Ok(self.built()?.join(name))
    }

    fn build(self, source: &Path, cache: &Path, target: &Path) -> Result<()> {
        let unfinished = cache.join(format!("{}.unfinished", self.module()));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(&unfinished)?;
        let mut go = Command::new("go");
        go.current_dir(source).args(["build", "-mod=readonly", "-ldflags", &self.linker_flags()]);
        go.arg("-o").arg(unfinished.join(".")).args(self.packages());
        go.env("GOFLAGS", "").env("GOWORK", "off");
        // An image has no C library.
        if matches!(self, Self::Agnhost | Self::CoreDns) {
            go.env("CGO_ENABLED", "0");
        }
        let status = go.status().context("running go: install it from https://go.dev/dl")?;
        if !status.success() {
            bail!("building {} from {} failed: {status}", self.module(), source.display());
        }
        self.link_names(&unfinished)?;
        fs::rename(&unfinished, target).context("putting a finished build into its place")
    }

    fn link_names(self, folder: &Path) -> Result<()> {
        let names: &[&str] = match self {
            Self::Kubernetes => &[
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            ],
            Self::OldKubectl
            | Self::Containerd
            | Self::CoreDns
            | Self::Agnhost
            | Self::Versitygw
            | Self::ExecClient => {
                return Ok(());
            }
        };
        for name in names {
            std::os::unix::fs::symlink("kubernetes", folder.join(name))?;
        }
        Ok(())
    }

    /// Says what a build was made from: versions, sources, flags.
    fn key(self, source: &Path) -> Result<String> {
        let mut digest = Sha256::new();
        let mut files: Vec<PathBuf> = fs::read_dir(source)
            .with_context(|| format!("reading {}", source.display()))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|kind| ["mod", "sum", "go"].iter().any(|known| kind == *known))
            })
            .collect();
        files.sort();
        for file in files {
            digest.update(fs::read(file)?);
            digest.update([0]);
        }
        digest.update(self.linker_flags());
        digest.update(self.packages().join(" "));
        let mut key = String::new();
        for byte in digest.finalize().iter().take(6) {
            write!(key, "{byte:02x}")?;
        }
        Ok(key)
    }
}

/// Builds what is not built yet, one after the other: each of them uses all processors.
///
/// # Errors
/// As [`Part::built`].
pub fn build_all() -> Result<()> {
    for part in Part::ALL {
        part.built()?;
    }
    Ok(())
}

/// For who makes something in the cache: nobody else makes it meanwhile.
pub(crate) fn alone(cache: &Path, name: &str) -> Result<FolderLock> {
    fs::create_dir_all(cache)?;
    FolderLock::wait_for(&cache.join(format!("{name}.lock")))
        .with_context(|| format!("waiting for another who makes {name}"))
}

/// Where built parts and images are kept: below `WEIR_CACHE`, or the user's cache folder.
///
/// # Errors
/// Neither is known.
pub fn cache_folder() -> Result<PathBuf> {
    let cache = match std::env::var_os("WEIR_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("neither WEIR_CACHE nor HOME is set")?)
                .join(".cache/weir")
        }
    };
    Ok(cache.join("testbed"))
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed")
}
