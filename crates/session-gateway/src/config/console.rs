//! What the configuration says of who may see recorded sessions.

use super::lower::Reader;
use super::raw::{RawConsole, RawGrant, Text};
use super::rules::{names, patterns};
use super::{Console, Listen};
use access_model::{Permission, SessionGrant, SessionGrants};
use serde_saphyr::Spanned;
use std::collections::BTreeSet;

impl Reader<'_> {
    /// The gateway's own certificate is used where the console names none.
    pub(super) fn console(
        &mut self,
        raw: &RawConsole,
        gateway: Option<&Listen>,
    ) -> Option<Console> {
        let address = self.address(&raw.address);
        let files = match (&raw.certificate, &raw.key) {
            (Some(certificate), Some(key)) => Some((self.path(certificate), self.path(key))),
            (None, None) => gateway.map(|own| (own.certificate.clone(), own.key.clone())),
            (Some(one), None) | (None, Some(one)) => {
                let message = "a certificate is of no use without its key".to_owned();
                let help = "write `certificate` and `key`, or leave both away: then the gateway's own are used";
                self.wrong_text(one, message, help);
                None
            }
        };
        let owners = self.permissions(&raw.owners);
        let grants: Vec<Option<SessionGrant>> =
            raw.grants.iter().map(|grant| self.grant(grant)).collect();
        let (certificate, key) = files?;
        Some(Console {
            listen: Listen { address: address?, certificate, key },
            identities: raw.identities.iter().map(|text| self.path(text)).collect(),
            grants: SessionGrants {
                grants: grants.into_iter().collect::<Option<_>>()?,
                owners: owners?,
            },
        })
    }

    fn grant(&mut self, raw: &Spanned<RawGrant>) -> Option<SessionGrant> {
        let RawGrant { users, groups, clusters, namespaces, permissions } = &raw.value;
        let is_for_nobody = users.is_empty() && groups.is_empty();
        if is_for_nobody {
            let help = "name its `users` or its `groups`; `*` stands for any part of a name";
            self.wrong(raw, 1, "this grant is for nobody".to_owned(), help);
        }
        if permissions.value.is_empty() {
            let help = format!("write some of {}", words().join(", "));
            self.wrong(permissions, 1, "this grant allows nothing".to_owned(), &help);
        }
        let granted = self.permissions(&permissions.value)?;
        (!is_for_nobody && !granted.is_empty()).then(|| SessionGrant {
            users: patterns(users),
            groups: patterns(groups),
            clusters: names(clusters.as_ref()),
            namespaces: names(namespaces.as_ref()),
            permissions: granted,
        })
    }

    /// Each with what it is of no use without, so that nobody takes a grant for one that works.
    fn permissions(&mut self, raw: &[Text]) -> Option<BTreeSet<Permission>> {
        let listed = self.words(raw, Permission::of_word, &words())?;
        let granted: BTreeSet<Permission> = listed.iter().copied().collect();
        let mut is_whole = true;
        for (permission, text) in listed.into_iter().zip(raw) {
            if let Some(needed) = permission.needs().filter(|needed| !granted.contains(needed)) {
                let (word, needed) = (permission.word(), needed.word());
                let message = format!("`{word}` is of no use without `{needed}`");
                self.wrong_text(text, message, &format!("write `{needed}` beside it"));
                is_whole = false;
            }
        }
        is_whole.then_some(granted)
    }
}

fn words() -> [&'static str; 7] {
    Permission::ALL.map(Permission::word)
}
