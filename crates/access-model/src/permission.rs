//! Who may do what with whose recorded session: grants of the configuration, and what owners may.

use crate::{Identity, Names, Pattern};
use std::collections::BTreeSet;

/// One thing that somebody may do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See that it was, and its facts.
    List,
    /// See what was shown: play, export, search, watch live.
    View,
    /// See what was typed as well.
    Input,
    /// Add a note at a moment.
    Note,
    /// Keep it from being deleted when its time is over.
    Hold,
    /// Stop its streams, and let them go on.
    Freeze,
    /// End it.
    Kill,
}

impl Permission {
    pub const ALL: [Self; 7] =
        [Self::List, Self::View, Self::Input, Self::Note, Self::Hold, Self::Freeze, Self::Kill];

    /// The word of configuration and API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::View => "view",
            Self::Input => "input",
            Self::Note => "note",
            Self::Hold => "hold",
            Self::Freeze => "freeze",
            Self::Kill => "kill",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.word() == word)
    }

    /// What is of no use without another: of a session that one may not list, nothing else can be asked.
    #[must_use]
    pub const fn needs(self) -> Option<Self> {
        match self {
            Self::List => None,
            Self::Input => Some(Self::View),
            Self::View | Self::Note | Self::Hold | Self::Freeze | Self::Kill => Some(Self::List),
        }
    }
}

/// What decides of a recorded session: whose it was, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPlace<'a> {
    pub user: &'a str,
    pub cluster: &'a str,
    pub namespace: Option<&'a str>,
}

/// Gives permissions over sessions to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGrant {
    pub users: Vec<Pattern>,
    pub groups: Vec<Pattern>,
    pub clusters: Names,
    /// A session without a namespace is only in a grant for any.
    pub namespaces: Names,
    pub permissions: BTreeSet<Permission>,
}

/// All grants, and what people may do with their own sessions. Nothing is allowed that nothing here allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionGrants {
    pub grants: Vec<SessionGrant>,
    pub owners: BTreeSet<Permission>,
}

impl SessionGrants {
    /// What a caller may do with a session.
    #[must_use]
    pub fn of(&self, caller: &Identity, session: SessionPlace<'_>) -> BTreeSet<Permission> {
        let grants = self.grants.iter();
        let granted = grants.filter(|grant| grant.is_for(caller) && grant.covers(session));
        let mut allowed: BTreeSet<Permission> =
            granted.flat_map(|grant| grant.permissions.iter().copied()).collect();
        if caller.user == session.user {
            allowed.extend(&self.owners);
        }
        allowed
    }
}

impl SessionGrant {
    fn is_for(&self, caller: &Identity) -> bool {
        let admits =
            |patterns: &[Pattern], name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        admits(&self.users, &caller.user)
            || caller.groups.iter().any(|group| admits(&self.groups, group))
    }

    fn covers(&self, session: SessionPlace<'_>) -> bool {
        let namespace = match (&self.namespaces, session.namespace) {
            (Names::Any, _) => true,
            (Names::Listed(_), None) => false,
            (names @ Names::Listed(_), Some(namespace)) => names.admit(namespace),
        };
        namespace && self.clusters.admit(session.cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Proof;
    use std::collections::BTreeMap;

    fn caller(user: &str, groups: &[&str]) -> Identity {
        Identity {
            user: user.to_owned(),
            uid: None,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            extra: BTreeMap::new(),
            proof: Proof::ServiceAccountToken { digest: String::new() },
            expires_at: None,
        }
    }

    fn names(texts: &[&str]) -> Names {
        Names::Listed(texts.iter().map(|text| Pattern((*text).to_owned())).collect())
    }

    #[test]
    fn permissions_are_the_union_of_what_grants_and_ownership_give() {
        let grant = |user: &str, clusters, namespaces, permissions: &[Permission]| SessionGrant {
            users: vec![Pattern(user.to_owned())],
            groups: vec![Pattern("auditors".to_owned())],
            clusters,
            namespaces,
            permissions: permissions.iter().copied().collect(),
        };
        let grants = SessionGrants {
            grants: vec![
                grant("cass", Names::Any, Names::Any, &[Permission::List]),
                grant("cass", names(&["prod"]), names(&["shop", "pay-*"]), &[Permission::View]),
                grant("dora", names(&["test"]), Names::Any, &[Permission::Kill]),
            ],
            owners: BTreeSet::from([Permission::Note]),
        };
        let words = |user: &str, groups: &[&str], cluster, namespace| {
            let place = SessionPlace { user: "ann", cluster, namespace };
            let allowed = grants.of(&caller(user, groups), place);
            allowed.into_iter().map(Permission::word).collect::<Vec<_>>().join(" ")
        };
        let found = [
            words("cass", &[], "prod", Some("shop")),
            words("cass", &[], "prod", Some("pay-eu")),
            words("cass", &[], "prod", Some("kube-system")),
            words("cass", &[], "prod", None),
            words("cass", &[], "test", Some("shop")),
            words("dora", &[], "test", None),
            words("eve", &["auditors"], "test", None),
            words("eve", &[], "prod", Some("shop")),
            words("ann", &[], "prod", Some("shop")),
        ];
        let expected =
            ["list view", "list view", "list", "list", "list", "kill", "list kill", "", "note"];
        assert_eq!(found, expected);
    }
}
