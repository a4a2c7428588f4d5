//! Keys wrapped as age files, which the `age` program opens as well.

use super::{KeyOf, UnwrapKey, WrapError, WrapKey, Wrapped};
use age::x25519::{Identity, Recipient};
use session_record::ContentKey;
use std::fmt;
use std::io::Read;
use std::str::FromStr;

pub(crate) const SCHEME: &str = "age";
const KEY_BYTES: u64 = 32;

/// Auditors' public keys, `age1…`. Any one of them can unwrap.
#[derive(Clone)]
pub struct AgeRecipients(Vec<Recipient>);

/// Auditors' secret keys, `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct AgeIdentities(Vec<Identity>);

impl AgeRecipients {
    /// Reads public keys, one each.
    pub fn parse<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, WrapError> {
        let parse = |key: &str| {
            Recipient::from_str(key.trim()).map_err(|why| {
                WrapError::new(format!("use `{}` as an age recipient", key.trim()), why)
            })
        };
        keys.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl AgeIdentities {
    /// A new secret key as a file has it, and the public key that goes into a gateway's configuration.
    #[must_use]
    pub fn generate() -> (String, String) {
        use age::secrecy::ExposeSecret as _;
        let identity = Identity::generate();
        let recipient = identity.to_public().to_string();
        let secret =
            format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret());
        (secret, recipient)
    }

    /// Reads a file of secret keys as `age-keygen` writes it: one a line, comments after `#`.
    pub fn parse(text: &str) -> Result<Self, WrapError> {
        let lines =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        // The line is a secret, so the message does not repeat it.
        let parse = |line| {
            Identity::from_str(line)
                .map_err(|why| WrapError::new("use a line of the key file as an age identity", why))
        };
        lines.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Debug for AgeRecipients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for AgeIdentities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(Identity::to_public)).finish()
    }
}

impl WrapKey for AgeRecipients {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn recipients(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    fn wrap(&self, _of: KeyOf, key: &ContentKey) -> Result<Vec<u8>, WrapError> {
        let failed = |why: Box<dyn std::error::Error + Send + Sync>| {
            WrapError::new("wrap a key for age recipients", why)
        };
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor =
            age::Encryptor::with_recipients(recipients).map_err(|why| failed(why.into()))?;
        let mut wrapped = Vec::new();
        let mut writer = encryptor.wrap_output(&mut wrapped).map_err(|why| failed(why.into()))?;
        std::io::Write::write_all(&mut writer, key.expose()).map_err(|why| failed(why.into()))?;
        writer.finish().map_err(|why| failed(why.into()))?;
        Ok(wrapped)
    }
}

impl UnwrapKey for AgeIdentities {
    fn unwrap_key(&self, _of: KeyOf, wrapped: &Wrapped) -> Result<Option<ContentKey>, WrapError> {
        if wrapped.scheme != SCHEME {
            return Ok(None);
        }
        let failed = |why: Box<dyn std::error::Error + Send + Sync>| {
            WrapError::new("unwrap a key with age", why)
        };
        let decryptor = age::Decryptor::new_buffered(wrapped.bytes.as_slice())
            .map_err(|why| failed(why.into()))?;
        let identities = self.0.iter().map(|identity| identity as &dyn age::Identity);
        let reader = match decryptor.decrypt(identities) {
            Ok(reader) => reader,
            Err(age::DecryptError::NoMatchingKeys) => return Ok(None),
            Err(why) => return Err(failed(why.into())),
        };
        let mut key = Vec::new();
        reader.take(KEY_BYTES + 1).read_to_end(&mut key).map_err(|why| failed(why.into()))?;
        let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|why| failed(why.into()))?;
        Ok(Some(ContentKey::new(key)))
    }
}
