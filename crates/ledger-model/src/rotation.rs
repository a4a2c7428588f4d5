//! The change of a ledger's key.
//!
//! The old key signs a statement that names the new one, and the new one signs it as well: the one says who
//! follows, the other that it has the key. The statement names the tree that it ends, so that it belongs to one
//! place in one history. It is an entry like any other; checkpoints that cover it are the new key's.

use crate::text::{base64, digest_of, number_of};
use crate::{Algorithm, MAX_SIZE, SignerKey, TreeHead, VerifierKey};
use signed_note::Note;

const FIRST_LINE: &str = "weir.dev/ledger-key@v1";

/// What both keys signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The tree before the entry that has the statement.
    pub before: TreeHead,
    pub old: VerifierKey,
    pub new: VerifierKey,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    #[error("the new key is of `{new}`, and the ledger's name is `{old}`: it stays the same")]
    OtherName { old: String, new: String },
    #[error("the new key is one of a witness")]
    Witness,
    #[error("the new key is the one that the ledger has")]
    Same,
    #[error("the statement about the new key is not a signed note of this version")]
    Shape,
    #[error("the statement about the new key is not signed by {0}")]
    NotSigned(String),
    #[error("the key that was in force is {expected}, and the statement is one of {found}")]
    NotInForce { expected: String, found: String },
    #[error(
        "the statement about the new key is of another place in the ledger, or of another ledger"
    )]
    OtherPlace,
}

impl Rotation {
    /// The statement, signed by both keys.
    ///
    /// # Errors
    /// When the new key cannot follow the old one.
    pub fn sign(
        before: TreeHead,
        old: &SignerKey,
        new: &SignerKey,
    ) -> Result<String, RotationError> {
        let rotation = Self { before, old: old.public().clone(), new: new.public().clone() };
        rotation.fits()?;
        let text = rotation.text();
        let signatures = [old.sign(text.as_bytes(), 0), new.sign(text.as_bytes(), 0)];
        let note =
            Note::new(text.as_bytes(), &signatures).map_err(|_malformed| RotationError::Shape)?;
        String::from_utf8(note.to_bytes()).map_err(|_binary| RotationError::Shape)
    }

    /// Reads a statement and checks that both keys signed it. Whether the old one is to be believed is for who
    /// asks.
    ///
    /// # Errors
    /// When it is not such a statement.
    pub fn parse(statement: &str) -> Result<Self, RotationError> {
        let note =
            Note::from_bytes(statement.as_bytes()).map_err(|_malformed| RotationError::Shape)?;
        let text = std::str::from_utf8(note.text()).map_err(|_binary| RotationError::Shape)?;
        let rotation = Self::of_text(text).ok_or(RotationError::Shape)?;
        rotation.fits()?;
        for key in [&rotation.old, &rotation.new] {
            let keys = signed_note::VerifierList::new(vec![Box::new(key.clone())]);
            note.verify(&keys).map_err(|_unsigned| RotationError::NotSigned(key.short()))?;
        }
        let canonical = rotation.text() == text && note.to_bytes() == statement.as_bytes();
        if canonical { Ok(rotation) } else { Err(RotationError::Shape) }
    }

    fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let first = lines.next()?;
        let size = lines.next().and_then(number_of).filter(|&size| size <= MAX_SIZE)?;
        let root = lines.next().and_then(digest_of)?;
        let old = lines.next()?.parse().ok()?;
        let new = lines.next()?.parse().ok()?;
        let whole = first == FIRST_LINE && lines.next().is_none();
        whole.then_some(Self { before: TreeHead { size, root }, old, new })
    }

    fn text(&self) -> String {
        let Self { before: TreeHead { size, root }, old, new } = self;
        format!("{FIRST_LINE}\n{size}\n{}\n{old}\n{new}\n", base64(root))
    }

    fn fits(&self) -> Result<(), RotationError> {
        let Self { old, new, .. } = self;
        if old.name() != new.name() {
            return Err(RotationError::OtherName {
                old: old.name().to_owned(),
                new: new.name().to_owned(),
            });
        }
        if [old, new].iter().any(|key| key.algorithm() == Algorithm::Ed25519Cosignature) {
            return Err(RotationError::Witness);
        }
        if old == new { Err(RotationError::Same) } else { Ok(()) }
    }
}

/// The keys that a ledger had, from the first one, as far as the entries so far tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyHistory {
    rotations: Vec<Rotation>,
}

impl KeyHistory {
    /// Takes the statement of an entry, which must follow the ones before.
    ///
    /// `before` is the tree before the entry; a bundle does not have it, and then only its size is compared.
    ///
    /// # Errors
    /// When the statement is not one of this place.
    pub fn take(
        &mut self,
        statement: &str,
        index: u64,
        before: Option<TreeHead>,
    ) -> Result<&Rotation, RotationError> {
        let rotation = Rotation::parse(statement)?;
        if let Some(last) = self.rotations.last()
            && last.new != rotation.old
        {
            return Err(RotationError::NotInForce {
                expected: last.new.short(),
                found: rotation.old.short(),
            });
        }
        let place =
            rotation.before.size == index && before.is_none_or(|before| before == rotation.before);
        if !place {
            return Err(RotationError::OtherPlace);
        }
        self.rotations.push(rotation);
        self.rotations.last().ok_or(RotationError::Shape)
    }

    #[must_use]
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// The key that signs a tree of `size` entries, if any entry so far names it.
    #[must_use]
    pub fn at(&self, size: u64) -> Option<&VerifierKey> {
        let before = self.rotations.iter().rev().find(|rotation| rotation.before.size < size);
        match (before, self.rotations.first()) {
            (Some(rotation), _) => Some(&rotation.new),
            (None, first) => first.map(|first| &first.old),
        }
    }

    /// The keys that may sign a tree of `size` entries for who trusts `trusted`: the one in force, when it is
    /// trusted or follows from one that is; those that are trusted, when no entry names any key.
    #[must_use]
    pub fn believed<'a>(&'a self, size: u64, trusted: &'a [VerifierKey]) -> Vec<&'a VerifierKey> {
        let Some(in_force) = self.at(size) else { return trusted.iter().collect() };
        let until = self.rotations.iter().filter(|rotation| rotation.before.size < size);
        let follows = trusted.contains(in_force)
            || until.into_iter().any(|rotation| trusted.contains(&rotation.old));
        if follows { vec![in_force] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn key(seed: u8) -> SignerKey {
        SignerKey::from_seed("ledger.example", Algorithm::Ed25519, [seed; 32]).unwrap()
    }

    fn head(size: u64) -> TreeHead {
        TreeHead { size, root: [u8::try_from(size).unwrap(); 32] }
    }

    fn public(seed: u8) -> VerifierKey {
        key(seed).public().clone()
    }

    #[test]
    fn both_keys_sign() {
        let statement = Rotation::sign(head(5), &key(1), &key(2)).unwrap();
        let read = Rotation::parse(&statement).unwrap();
        assert_eq!(read, Rotation { before: head(5), old: public(1), new: public(2) });
        expect![[r#"
            weir.dev/ledger-key@v1
            5
            BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=
            ledger.example+9e004662+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
            ledger.example+e406cbdc+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU

            — ledger.example ngBGYskAQ8YV89bee1ldvflCIRXAlpeNZ9h+KWsfFZUoD2irhuLBTTAhiT2DOYFySqchHVfhZT872OrCC0gB1dXPGg4=
            — ledger.example 5AbL3NY58qyngEtqS8PkCZhjMcclLWNRerK2L52107+gCJPoM/Wy001C6tPfcoKc3xtHgiUK/a2+oF1xhOtFwaLG0g4=
        "#]].assert_eq(&statement);
    }

    #[test]
    fn every_changed_byte_is_seen() {
        let statement = Rotation::sign(head(5), &key(1), &key(2)).unwrap();
        for at in 0..statement.len() {
            let mut bytes = statement.clone().into_bytes();
            bytes[at] ^= 1;
            let read = String::from_utf8(bytes).map(|text| Rotation::parse(&text));
            assert!(!matches!(read, Ok(Ok(_))), "byte {at}");
        }
    }

    #[test]
    fn a_key_that_cannot_follow_does_not() {
        let other = SignerKey::from_seed("other.example", Algorithm::Ed25519, [2; 32]).unwrap();
        let witness =
            SignerKey::from_seed("ledger.example", Algorithm::Ed25519Cosignature, [2; 32]).unwrap();
        let error = |new: &SignerKey| Rotation::sign(head(5), &key(1), new).unwrap_err();
        assert!(matches!(error(&other), RotationError::OtherName { .. }));
        assert_eq!(
            [error(&witness), error(&key(1))],
            [RotationError::Witness, RotationError::Same]
        );
    }

    #[test]
    fn who_trusts_one_key_follows_to_the_later_ones() {
        let mut history = KeyHistory::default();
        assert_eq!(history.believed(3, &[public(1)]), [&public(1)]);
        for (size, old, new) in [(5, 1, 2), (9, 2, 3)] {
            let statement = Rotation::sign(head(size), &key(old), &key(new)).unwrap();
            history.take(&statement, size, Some(head(size))).unwrap();
        }
        let at = |size| history.at(size).cloned();
        let in_force = [at(1), at(5), at(6), at(9), at(10)];
        assert_eq!(in_force, [1, 1, 2, 2, 3].map(|seed| Some(public(seed))));
        let believed = |trusted| {
            let trusted = [public(trusted)];
            [5, 6, 10].map(|size| !history.believed(size, &trusted).is_empty())
        };
        assert_eq!(believed(1), [true, true, true]);
        assert_eq!(believed(2), [false, true, true]);
        assert_eq!(believed(3), [false, false, true]);
        assert_eq!(believed(4), [false, false, false]);
    }

    #[test]
    fn a_statement_belongs_to_one_place() {
        let statement = Rotation::sign(head(5), &key(1), &key(2)).unwrap();
        let take = |index, before| KeyHistory::default().take(&statement, index, before).cloned();
        assert!(take(5, Some(head(5))).is_ok() && take(5, None).is_ok());
        assert_eq!(take(6, None), Err(RotationError::OtherPlace));
        assert_eq!(take(5, Some(head(6))), Err(RotationError::OtherPlace));
        let mut history = KeyHistory::default();
        history.take(&statement, 5, None).unwrap();
        let again = Rotation::sign(head(7), &key(1), &key(3)).unwrap();
        let error = history.take(&again, 7, None).unwrap_err();
        assert!(matches!(error, RotationError::NotInForce { .. }));
    }
}
