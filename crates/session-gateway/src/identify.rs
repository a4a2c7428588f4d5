//! Who a request is from: the proof of its connection, or the token that it brings.

use crate::caller::Connection;
use crate::reply::Failure;
use access_model::{Identity, Proof};
use http::HeaderMap;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub(crate) fn identify(connection: &Connection, _headers: &HeaderMap) -> Result<Identity, Failure> {
    let Some(leaf) = connection.certificates.first() else {
        return Err(Failure::unauthenticated("no proof of who you are was given"));
    };
    of_certificate(leaf)
        .ok_or_else(|| Failure::unauthenticated("your client certificate names no user"))
        .and_then(unexpired)
}

fn of_certificate(leaf: &[u8]) -> Option<Identity> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let subject = certificate.subject();
    let user = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let groups = subject.iter_organization().filter_map(|name| name.as_str().ok());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, leaf);
    let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Identity {
        user,
        uid: None,
        groups: groups.map(str::to_owned).collect(),
        extra: BTreeMap::new(),
        proof: Proof::ClientCertificate { fingerprint },
        expires_at: Some(certificate.validity().not_after.timestamp()),
    })
}

/// A connection may live longer than the certificate that it began with.
fn unexpired(identity: Identity) -> Result<Identity, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match identity.expires_at {
        Some(end) if u64::try_from(end).unwrap_or(0) <= now => {
            Err(Failure::unauthenticated("your proof of who you are has expired"))
        }
        Some(_) | None => Ok(identity),
    }
}
