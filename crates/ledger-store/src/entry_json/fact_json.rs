//! Facts as JSON: `kind` has the name, and `fact` an object, whose fields are those of the type.

use ledger_model::{Fact, SessionOpened, SessionSealed};
use serde::{Deserialize, Serialize};

/// The kinds that this version reads; every other one is [`Fact::Other`].
pub(super) const KINDS: [&str; 19] = [
    "source.started",
    "source.stopped",
    "heartbeat",
    "session.opened",
    "session.head",
    "session.sealed",
    "session.refused",
    "session.killed",
    "session.frozen",
    "session.thawed",
    "session.viewed",
    "session.noted",
    "hold.placed",
    "hold.lifted",
    "recording.deleted",
    "access.approved",
    "rules.changed",
    "access.break-glass",
    "key.rotated",
];

#[derive(Serialize, Deserialize)]
#[serde(remote = "Fact", tag = "kind", content = "fact")]
pub(super) enum FactJson {
    #[serde(rename = "source.started")]
    SourceStarted { version: String },
    #[serde(rename = "source.stopped")]
    SourceStopped,
    #[serde(rename = "heartbeat")]
    Heartbeat,
    #[serde(rename = "session.opened", with = "SessionOpenedJson")]
    SessionOpened(SessionOpened),
    #[serde(rename = "session.head")]
    SessionHead {
        session: String,
        chunk: u64,
        #[serde(with = "hex")]
        chain: [u8; 32],
    },
    #[serde(rename = "session.sealed", with = "SessionSealedJson")]
    SessionSealed(SessionSealed),
    #[serde(rename = "session.refused")]
    SessionRefused { user: String, cluster: String, verb: String, object: String, why: String },
    #[serde(rename = "session.killed")]
    SessionKilled { session: String, by: String, why: String },
    #[serde(rename = "session.frozen")]
    SessionFrozen { session: String, by: String },
    #[serde(rename = "session.thawed")]
    SessionThawed { session: String, by: String },
    #[serde(rename = "session.viewed")]
    SessionViewed { session: String, by: String, how: String },
    #[serde(rename = "session.noted")]
    SessionNoted {
        session: String,
        by: String,
        at_us: u64,
        #[serde(with = "hex")]
        digest: [u8; 32],
    },
    #[serde(rename = "hold.placed")]
    HoldPlaced { session: String, by: String, why: String },
    #[serde(rename = "hold.lifted")]
    HoldLifted { session: String, by: String, why: String },
    #[serde(rename = "recording.deleted")]
    RecordingDeleted {
        session: String,
        #[serde(with = "hex")]
        chain: [u8; 32],
    },
    #[serde(rename = "access.approved")]
    Approved { user: String, by: String, what: String, until_ms: i64 },
    #[serde(rename = "rules.changed")]
    RulesChanged {
        by: String,
        #[serde(with = "hex")]
        digest: [u8; 32],
    },
    #[serde(rename = "access.break-glass")]
    BreakGlass { user: String, what: String },
    #[serde(rename = "key.rotated")]
    KeyRotated { statement: String },
    /// Written and read by who knows the kind.
    #[serde(skip)]
    Other { kind: String, body: String },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SessionOpened")]
struct SessionOpenedJson {
    session: String,
    cluster: String,
    user: String,
    verb: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(with = "hex")]
    header: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SessionSealed")]
struct SessionSealedJson {
    session: String,
    ending: String,
    state: String,
    chunks: u64,
    #[serde(with = "hex")]
    chain: [u8; 32],
    #[serde(with = "hex")]
    file: [u8; 32],
}

/// A digest as 64 hexadecimal digits.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::borrow::Cow;

    pub(super) fn serialize<S: Serializer>(digest: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
            let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        to.serialize_str(std::str::from_utf8(&digits).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        let wrong = || D::Error::custom("a digest is 64 hexadecimal digits in lower case");
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(wrong());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(pairs) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(wrong()),
                };
                *byte = *byte << 4 | value;
            }
        }
        Ok(digest)
    }
}
