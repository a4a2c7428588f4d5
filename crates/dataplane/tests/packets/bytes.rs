//! Between the generated types and the bytes of the tables.

#![expect(unsafe_code, reason = "the generated types have no other way to bytes")]

use dataplane::skeleton::types;

/// A type of `abi.h`: integers without padding, of which every pattern is a value.
///
/// # Safety
/// No padding, no reference, no value that a pattern is not.
pub(crate) unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($name:ty),* $(,)?) => {
        $(
            // SAFETY: integers only; the compiler refuses padding in abi.h (-Wpadded).
            unsafe impl Plain for $name {}
        )*
    };
}

plain!(
    types::address,
    types::address_key,
    types::connection,
    types::connection_key,
    types::denial,
    types::denial_key,
    types::event,
    types::network_key,
    types::pod,
    types::placed_pod,
    types::profile,
    types::service_key,
    types::usage,
    types::vector_key,
    types::__sk_buff,
    u32,
    u64,
);

pub(crate) fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: `Plain` promises initialised bytes, and the slice borrows the value.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

pub(crate) fn value_of<T: Plain>(bytes: &[u8]) -> T {
    assert_eq!(bytes.len(), size_of::<T>());
    // SAFETY: so many bytes are there, and `Plain` promises that every pattern is a value.
    unsafe { bytes.as_ptr().cast::<T>().read_unaligned() }
}
