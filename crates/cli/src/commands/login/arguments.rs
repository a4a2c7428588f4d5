//! Which sign-in, and which kubeconfig.

use super::kubeconfig_file::{Change, default_kubeconfig};
use crate::exit::ExpectedError;
use gateway_login::{Access, Cache, SignIn};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct SignInArgs {
    /// Address of the OpenID Connect provider, exactly as the gateway's configuration has it
    // Optional to the parser alone: it reads this for `weir login` also where a command follows.
    #[arg(long, value_name = "URL", required = true)]
    issuer: Option<String>,

    /// The provider's client for which the gateway takes tokens
    #[arg(long, value_name = "ID", default_value = "weir")]
    pub(super) client_id: String,

    /// What is asked for besides `openid`; may be given again
    #[arg(long, value_name = "SCOPE", default_values = ["email", "offline_access"])]
    pub(super) scope: Vec<String>,

    /// Certificates (PEM) by which the provider is trusted, instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(super) issuer_authority: Option<PathBuf>,

    /// Sign in on another machine, by a code
    #[arg(long)]
    pub(super) device: bool,

    /// The command that opens an address, or `none`; the system's by default
    #[arg(long, value_name = "COMMAND", env = "BROWSER")]
    pub(super) browser: Option<String>,

    /// The folder in which tokens stay [default: weir/login below XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR", env = "WEIR_LOGIN_CACHE")]
    pub(super) cache: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct KubeconfigArgs {
    /// Write the gateway into a kubeconfig as a cluster, a user and a context
    #[arg(long, requires = "server", help_heading = "Kubeconfig")]
    write_kubeconfig: bool,

    /// Which one [default: the first of KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE", requires = "write_kubeconfig", help_heading = "Kubeconfig")]
    kubeconfig: Option<PathBuf>,

    /// The gateway's address, with the cluster's path: https://GATEWAY/clusters/NAME
    #[arg(long, value_name = "URL", requires = "write_kubeconfig", help_heading = "Kubeconfig")]
    server: Option<String>,

    /// Certificates (PEM) by which the gateway is trusted, instead of the system's
    #[arg(long, value_name = "FILE", requires = "write_kubeconfig", help_heading = "Kubeconfig")]
    server_authority: Option<PathBuf>,

    /// Name of the cluster, the user and the context
    #[arg(long, value_name = "NAME", default_value = "weir", help_heading = "Kubeconfig")]
    name: String,

    /// The context's namespace
    #[arg(long, value_name = "NAME", requires = "write_kubeconfig", help_heading = "Kubeconfig")]
    namespace: Option<String>,

    /// Make it the current context; it becomes that anyway where there is none
    #[arg(long = "use", requires = "write_kubeconfig", help_heading = "Kubeconfig")]
    is_current: bool,
}

impl SignInArgs {
    fn issuer(&self) -> Result<&str, ExpectedError> {
        let issuer = self.issuer.as_deref();
        issuer.ok_or_else(|| ExpectedError::Usage("say where with --issuer".to_owned()))
    }

    pub(super) fn sign_in(&self) -> Result<SignIn, ExpectedError> {
        Ok(SignIn {
            issuer: self.issuer()?.to_owned(),
            client_id: self.client_id.clone(),
            scopes: self.scope.clone(),
            authority: self.issuer_authority.as_deref().map(read).transpose()?,
        })
    }

    pub(super) fn cache(&self, sign_in: &SignIn) -> Result<Cache, ExpectedError> {
        let folder = match &self.cache {
            Some(folder) => folder.clone(),
            None => own_folder("XDG_CACHE_HOME", ".cache")?.join("weir/login"),
        };
        Ok(Cache::new(&folder, sign_in))
    }

    /// What a kubeconfig has kubectl start, from whatever folder.
    fn of_plugin(&self) -> Result<Vec<String>, ExpectedError> {
        let mut arguments = vec!["login".to_owned(), "token".to_owned()];
        let mut add = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
        add("issuer", self.issuer()?);
        add("client-id", &self.client_id);
        for scope in &self.scope {
            add("scope", scope);
        }
        let files = [("issuer-authority", &self.issuer_authority), ("cache", &self.cache)];
        for (name, path) in files {
            if let Some(path) = path {
                add(name, &absolute(path)?);
            }
        }
        if self.device {
            arguments.push("--device".to_owned());
        }
        Ok(arguments)
    }
}

impl KubeconfigArgs {
    /// The kubeconfig as it will be, where one is wanted.
    pub(super) fn change(&self, sign_in: &SignInArgs) -> Result<Option<Change>, ExpectedError> {
        let (true, Some(server)) = (self.write_kubeconfig, &self.server) else { return Ok(None) };
        let access = Access {
            name: self.name.clone(),
            server: server.clone(),
            authority: self.server_authority.as_deref().map(read).transpose()?,
            namespace: self.namespace.clone(),
            command: "weir".to_owned(),
            arguments: sign_in.of_plugin()?,
            is_current: self.is_current,
        };
        let path = match &self.kubeconfig {
            Some(path) => path.clone(),
            None => default_kubeconfig()?,
        };
        Change::of(path, &access).map(Some)
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ExpectedError> {
    let failed = |source| ExpectedError::ReadFile { path: path.display().to_string(), source };
    std::fs::read(path).map_err(failed)
}

fn absolute(path: &Path) -> Result<String, ExpectedError> {
    let failed = |source| ExpectedError::ReadFile { path: path.display().to_string(), source };
    let absolute = std::path::absolute(path).map_err(failed)?;
    let text = absolute.into_os_string().into_string();
    text.map_err(|path| ExpectedError::Usage(format!("{} is no UTF-8", path.display())))
}

/// A folder that the environment names, or one below the person's own.
pub(super) fn own_folder(variable: &str, below_home: &str) -> Result<PathBuf, ExpectedError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)));
    own.ok_or_else(|| ExpectedError::Usage(format!("neither {variable} nor HOME is set")))
}
