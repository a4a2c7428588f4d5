//! What an installation is asked for, and what of it is refused.

use crate::names::GATEWAY_IDENTITY;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub gateway: GatewayIdentity,
    pub impersonation: Impersonation,
    /// The only groups that the gateway may give a caller; any where it is empty.
    pub groups: Vec<String>,
    /// The service accounts that may call through the gateway.
    pub service_accounts: Vec<ServiceAccount>,
    pub mode: PolicyMode,
    pub break_glass: BreakGlass,
    /// Users that may use proxy sub-resources past the gateway, such as a monitoring system that reads nodes.
    pub components: Vec<String>,
    /// Namespaces in which nothing is refused.
    pub exempt_namespaces: Vec<String>,
    /// Where people log in, for the message that they see.
    pub gateway_url: Option<String>,
}

/// As whom the gateway speaks to the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayIdentity {
    ServiceAccount(ServiceAccount),
    /// By a client certificate, for instance.
    User(String),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceAccount {
    pub namespace: String,
    pub name: String,
}

/// Which kind of impersonation the API server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impersonation {
    /// API servers before 1.36: who may impersonate may do all that the impersonated may.
    Legacy,
    /// Since 1.36: only for these requests.
    Constrained(Requests),
}

/// For what the gateway may stand for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Requests {
    /// What is recorded, and what clients look up for it.
    #[default]
    Sessions,
    /// And every read.
    Reads,
    Everything,
}

/// What the policy does with what is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyMode {
    #[default]
    Refuse,
    /// Warns, and marks it in the audit log.
    Observe,
}

/// Who may pass the gateway. Each use is marked in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BreakGlass {
    pub users: Vec<String>,
    pub groups: Vec<String>,
}

/// What cannot be installed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InstallError {
    #[error("{name:?} is no name of a {what}")]
    Name { what: &'static str, name: String },
    #[error(
        "the group {0} cannot break the glass: everybody is in it, or is a cluster admin by it; name a group of its own"
    )]
    TooMany(String),
    #[error(
        "the gateway may not give callers the group system:masters: members of it may change the policy"
    )]
    Masters,
}

/// Text that is no name of a service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write a service account as NAMESPACE/NAME")]
pub struct NotAServiceAccount;

/// Groups that an exemption would make pointless.
const BROAD_GROUPS: [&str; 5] = [
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:nodes",
    "system:masters",
];

impl Default for Installation {
    fn default() -> Self {
        Self {
            gateway: GatewayIdentity::default(),
            impersonation: Impersonation::Constrained(Requests::Sessions),
            groups: Vec::new(),
            service_accounts: Vec::new(),
            mode: PolicyMode::Refuse,
            break_glass: BreakGlass::default(),
            components: Vec::new(),
            exempt_namespaces: Vec::new(),
            gateway_url: None,
        }
    }
}

impl Default for GatewayIdentity {
    fn default() -> Self {
        Self::of_user(GATEWAY_IDENTITY)
    }
}

impl GatewayIdentity {
    /// By the name that the API server has for it.
    #[must_use]
    pub fn of_user(name: &str) -> Self {
        let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| {
            let (namespace, name) = rest.split_once(':')?;
            Some(ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
        });
        account.map_or_else(|| Self::User(name.to_owned()), Self::ServiceAccount)
    }

    /// The name that the API server has for it.
    #[must_use]
    pub fn user(&self) -> String {
        match self {
            Self::ServiceAccount(account) => account.user(),
            Self::User(name) => name.clone(),
        }
    }
}

impl ServiceAccount {
    #[must_use]
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

impl FromStr for ServiceAccount {
    type Err = NotAServiceAccount;

    fn from_str(text: &str) -> Result<Self, NotAServiceAccount> {
        let (namespace, name) = text.split_once('/').ok_or(NotAServiceAccount)?;
        let account = Self { namespace: namespace.to_owned(), name: name.to_owned() };
        let is_one = is_label(namespace) && is_subdomain(name);
        if is_one { Ok(account) } else { Err(NotAServiceAccount) }
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

impl Installation {
    pub(super) fn check(&self) -> Result<(), InstallError> {
        match &self.gateway {
            GatewayIdentity::ServiceAccount(account) => check_account(account)?,
            GatewayIdentity::User(name) => check_name("user", name)?,
        }
        self.service_accounts.iter().try_for_each(check_account)?;
        let BreakGlass { users, groups } = &self.break_glass;
        for name in users.iter().chain(&self.components) {
            check_name("user", name)?;
        }
        for name in groups.iter().chain(&self.groups) {
            check_name("group", name)?;
        }
        let of_accounts = |group: &str| group.starts_with("system:serviceaccounts:");
        let broad = |group: &&String| BROAD_GROUPS.contains(&group.as_str()) || of_accounts(group);
        if let Some(group) = groups.iter().find(broad) {
            return Err(InstallError::TooMany(group.clone()));
        }
        if self.groups.iter().any(|group| group == "system:masters") {
            return Err(InstallError::Masters);
        }
        let bad = self.exempt_namespaces.iter().find(|namespace| !is_label(namespace));
        bad.map_or(Ok(()), |name| Err(not_a("namespace", name)))
    }
}

fn check_account(account: &ServiceAccount) -> Result<(), InstallError> {
    let ServiceAccount { namespace, name } = account;
    match (is_label(namespace), is_subdomain(name)) {
        (true, true) => Ok(()),
        (false, _) => Err(not_a("namespace", namespace)),
        (true, false) => Err(not_a("service account", name)),
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), InstallError> {
    let shows = !name.is_empty() && name == name.trim() && !name.chars().any(char::is_control);
    if shows { Ok(()) } else { Err(not_a(what, name)) }
}

fn not_a(what: &'static str, name: &str) -> InstallError {
    InstallError::Name { what, name: name.to_owned() }
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}
