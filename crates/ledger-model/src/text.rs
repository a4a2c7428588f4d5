//! Numbers and bytes in lines of text, of which each has one way to be written.

use crate::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64 with padding and without anything else.
pub(crate) fn of_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn digest_of(text: &str) -> Option<Digest> {
    // The length is known, so that nothing long is decoded.
    let bytes = (text.len() == 44).then(|| of_base64(text)).flatten()?;
    bytes.try_into().ok()
}

/// A number without sign and leading zeros.
pub(crate) fn number_of(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

pub(crate) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A digest from 64 digits in lower case.
pub(crate) fn of_hex(text: &str) -> Option<Digest> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let value = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(value(high)? << 4 | value(low)?)).collect();
    if rest.is_empty() { bytes?.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_way_to_be_written() {
        assert_eq!(["0", "7", "10"].map(number_of), [Some(0), Some(7), Some(10)]);
        for text in ["", "01", "+1", " 1", "1 ", "-1", "18446744073709551616", "x"] {
            assert_eq!(number_of(text), None, "{text}");
        }
    }

    #[test]
    fn digests_are_read_back() {
        let digest: Digest = std::array::from_fn(|at| u8::try_from(at * 7).unwrap());
        assert_eq!(digest_of(&base64(&digest)), Some(digest));
        assert_eq!(of_hex(&hex(&digest)), Some(digest));
        assert_eq!(of_hex(&hex(&digest).to_uppercase()), None);
        assert_eq!(of_hex(&format!("{}0", hex(&digest))), None);
        assert_eq!(digest_of(&base64(&digest[1..])), None);
    }
}
