//! Numbers, bytes and texts as the format writes them: little-endian, lengths first, one encoding for each value.
//!
//! Reading never trusts a length: nothing is allocated that is not there.

use bytes::Bytes;
use thiserror::Error;

/// Bytes that are not what the format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} is not as the format says")]
pub struct Malformed {
    pub what: &'static str,
}

pub(crate) const fn malformed(what: &'static str) -> Malformed {
    Malformed { what }
}

/// A varint has at most this many bytes.
const MAX_VARINT_BYTES: u32 = 10;

pub(crate) fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            into.push(low & 0x7f);
            return;
        }
        into.push(low | 0x80);
    }
}

pub(crate) fn put_length(into: &mut Vec<u8>, length: usize) {
    put_varint(into, length as u64);
}

pub(crate) fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_length(into, bytes.len());
    into.extend_from_slice(bytes);
}

pub(crate) fn put_text(into: &mut Vec<u8>, text: &str) {
    put_bytes(into, text.as_bytes());
}

/// A byte that says whether the value follows.
pub(crate) fn put_option<T>(
    into: &mut Vec<u8>,
    value: Option<&T>,
    put: impl FnOnce(&mut Vec<u8>, &T),
) {
    into.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(into, value);
    }
}

/// Signed numbers alternate around zero, so that small ones stay short.
pub(crate) fn put_signed(into: &mut Vec<u8>, value: i64) {
    put_varint(into, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Reads front to back.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    rest: Bytes,
}

impl Cursor {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// That nothing follows.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed(what)) }
    }

    pub(crate) fn take(&mut self, length: usize, what: &'static str) -> Result<Bytes, Malformed> {
        if length > self.rest.len() {
            return Err(malformed(what));
        }
        Ok(self.rest.split_to(length))
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], Malformed> {
        let bytes = self.take(N, what)?;
        <[u8; N]>::try_from(bytes.as_ref()).or(Err(malformed(what)))
    }

    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, Malformed> {
        let [byte] = self.array(what)?;
        Ok(byte)
    }

    pub(crate) fn varint(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for n in 0..MAX_VARINT_BYTES {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * n);
            if shifted >> (7 * n) != bits {
                return Err(malformed(what));
            }
            value |= shifted;
            if byte & 0x80 == 0 {
                // Only the shortest form: equal values have equal bytes.
                return if byte == 0 && n > 0 { Err(malformed(what)) } else { Ok(value) };
            }
        }
        Err(malformed(what))
    }

    pub(crate) fn signed(&mut self, what: &'static str) -> Result<i64, Malformed> {
        let value = self.varint(what)?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(crate) fn number<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, Malformed> {
        T::try_from(self.varint(what)?).or(Err(malformed(what)))
    }

    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<Bytes, Malformed> {
        let length = self.number::<usize>(what)?;
        self.take(length, what)
    }

    pub(crate) fn text(&mut self, what: &'static str) -> Result<String, Malformed> {
        let bytes = self.bytes(what)?;
        String::from_utf8(bytes.into()).or(Err(malformed(what)))
    }

    pub(crate) fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.byte(what)? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(malformed(what)),
        }
    }

    pub(crate) fn texts(&mut self, what: &'static str) -> Result<Vec<String>, Malformed> {
        let n_texts = self.varint(what)?;
        let mut texts = Vec::new();
        for _ in 0..n_texts {
            texts.push(self.text(what)?);
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_shortest_varint_is_one() {
        let read = |bytes: &'static [u8]| Cursor::new(Bytes::from_static(bytes)).varint("number");
        assert_eq!(read(&[0x7f]), Ok(127));
        assert_eq!(read(&[0x80, 0x01]), Ok(128));
        assert_eq!(read(&[0x80, 0x00]), Err(malformed("number")));
        assert_eq!(read(&[0xff; 10]), Err(malformed("number")));
        assert_eq!(read(&[]), Err(malformed("number")));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, signed: i64, text: String, some: Option<u64>) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            put_signed(&mut bytes, signed);
            put_text(&mut bytes, &text);
            put_option(&mut bytes, some.as_ref(), |into, value| put_varint(into, *value));
            let mut cursor = Cursor::new(bytes.into());
            let read = (
                cursor.varint("number"),
                cursor.signed("signed"),
                cursor.text("text"),
                cursor.option("some", |cursor| cursor.varint("value")),
                cursor.end("end"),
            );
            prop_assert_eq!(read, (Ok(number), Ok(signed), Ok(text), Ok(some), Ok(())));
        }
    }
}
