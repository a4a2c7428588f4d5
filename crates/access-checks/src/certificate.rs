//! Who a client certificate names, as the API server reads it: the common name is the user, each organisation a
//! group.
//!
//! Whether the certificate is one of those that may be trusted is not asked here: rustls has verified chain,
//! validity and purpose when the connection began. The validity is looked at again, because connections live long.

use crate::digest;
use access_model::{Identity, Proof};
use std::collections::BTreeMap;
use thiserror::Error;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer as _, X509Certificate, X509Error};
use x509_parser::{
    der_parser::{Oid, oid},
    nom,
};

/// Where Kubernetes (1.33) puts a user's UID.
const USER_UID: Oid<'static> = oid!(1.3.6.1.4.1.57683.2);

/// Why a certificate names nobody.
#[derive(Debug, PartialEq, Error)]
pub enum CertificateError {
    #[error("the client certificate could not be read")]
    Unreadable(#[source] nom::Err<X509Error>),
    #[error("the client certificate has bytes behind its end")]
    Trailing,
    #[error("the subject of the client certificate has no common name, so that it names no user")]
    NoUser,
    #[error("the subject of the client certificate has several {what}")]
    Several { what: &'static str },
    #[error("the {what} of the client certificate's subject is no text")]
    NoText { what: &'static str },
    #[error(
        "the client certificate is valid from second {not_before} to {not_after} since 1970, and it is {now}"
    )]
    OutsideValidity { not_before: i64, not_after: i64, now: i64 },
}

/// The caller that a verified certificate names. `now` is in seconds since 1970 (UTC).
///
/// # Errors
/// A certificate that names no user, or is not valid now.
pub fn identity_of_certificate(der: &[u8], now: i64) -> Result<Identity, CertificateError> {
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(CertificateError::Unreadable)?;
    if !rest.is_empty() {
        return Err(CertificateError::Trailing);
    }
    let validity = certificate.validity();
    let (not_before, not_after) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    if now < not_before || now > not_after {
        return Err(CertificateError::OutsideValidity { not_before, not_after, now });
    }
    let subject = certificate.subject();
    let user = one("common names", subject.iter_common_name())?
        .filter(|user| !user.is_empty())
        .ok_or(CertificateError::NoUser)?;
    let groups: Vec<String> = subject
        .iter_organization()
        .map(|attribute| text("organisation", attribute))
        .collect::<Result<_, _>>()?;
    Ok(Identity {
        user,
        uid: one("user UIDs", subject.iter_by_oid(&USER_UID))?,
        groups,
        extra: BTreeMap::new(),
        proof: Proof::ClientCertificate { fingerprint: digest::hexadecimal(der) },
        expires_at: Some(not_after),
    })
}

/// Servers take the first or the last of several names; so there may be one only.
fn one<'certificate>(
    what: &'static str,
    mut attributes: impl Iterator<Item = &'certificate AttributeTypeAndValue<'certificate>>,
) -> Result<Option<String>, CertificateError> {
    let Some(first) = attributes.next() else { return Ok(None) };
    if attributes.next().is_some() {
        return Err(CertificateError::Several { what });
    }
    text(what, first).map(Some)
}

/// A name that cannot be read is not left away: a rule that denies could be about it.
fn text(
    what: &'static str,
    attribute: &AttributeTypeAndValue<'_>,
) -> Result<String, CertificateError> {
    let text = attribute.as_str().map_err(|_other| CertificateError::NoText { what })?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    const NOW: i64 = 1_772_409_600;

    fn certificate(subject: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.not_before = rcgen::date_time_ymd(2026, 3, 1);
        params.not_after = rcgen::date_time_ymd(2026, 3, 8);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_is_the_user_and_an_organisation_a_group() {
        let uid = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57683, 2]);
        let der = certificate(&[
            (DnType::CommonName, "ada"),
            (DnType::OrganizationName, "ops"),
            (uid, "1815"),
        ]);
        let expected = Identity {
            user: "ada".to_owned(),
            uid: Some("1815".to_owned()),
            groups: vec!["ops".to_owned()],
            extra: BTreeMap::new(),
            proof: Proof::ClientCertificate { fingerprint: digest::hexadecimal(&der) },
            expires_at: Some(1_772_928_000),
        };
        assert_eq!(identity_of_certificate(&der, NOW), Ok(expected));
    }

    #[test]
    fn a_certificate_without_a_name_or_outside_its_time_names_nobody() {
        let nameless = certificate(&[(DnType::OrganizationName, "ops")]);
        assert_eq!(identity_of_certificate(&nameless, NOW), Err(CertificateError::NoUser));
        let ada = certificate(&[(DnType::CommonName, "ada")]);
        for now in [NOW - 2 * 86_400, NOW + 7 * 86_400] {
            let found = identity_of_certificate(&ada, now);
            assert!(matches!(found, Err(CertificateError::OutsideValidity { .. })), "{found:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_an_error() {
        let mut der = certificate(&[(DnType::CommonName, "ada")]);
        assert!(identity_of_certificate(&der[..der.len() - 1], NOW).is_err());
        der.push(0);
        assert_eq!(identity_of_certificate(&der, NOW), Err(CertificateError::Trailing));
        assert!(identity_of_certificate(b"", NOW).is_err());
    }
}
