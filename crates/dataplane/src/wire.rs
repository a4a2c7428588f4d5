//! Between Rust's values and the bytes of the kernel's tables.

#![expect(unsafe_code, reason = "tables hold plain bytes")]

use crate::skeleton::types;
use std::net::{IpAddr, Ipv6Addr};

/// A type of `abi.h`: plain bytes without padding, of which every pattern is a value.
///
/// # Safety
/// No padding, no references, no niche.
pub(crate) unsafe trait Wire: Copy {}

macro_rules! wire {
    ($($name:ident),* $(,)?) => {
        $(
            // SAFETY: integers and arrays of them; the compiler of `abi.h` refuses padding.
            unsafe impl Wire for types::$name {}
        )*
    };
}

wire!(
    address,
    address_key,
    network_key,
    pod,
    placed_pod,
    usage,
    profile,
    vector_key,
    connection_key,
    connection,
    restored,
    denial,
    service_key,
    event,
    inquiry,
);

// SAFETY: an integer.
unsafe impl Wire for u32 {}
// SAFETY: an integer.
unsafe impl Wire for u64 {}

pub(crate) fn bytes_of<T: Wire>(value: &T) -> &[u8] {
    // SAFETY: `Wire` promises plain bytes; the slice lives as long as the value.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// `None` if the length is another one.
pub(crate) fn value_of<T: Wire>(bytes: &[u8]) -> Option<T> {
    // SAFETY: `Wire` promises that every pattern of so many bytes is a value.
    (bytes.len() == size_of::<T>()).then(|| unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// IPv4 as ::ffff:a.b.c.d.
pub(crate) fn address(of: IpAddr) -> types::address {
    let bytes = match of {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let (words, _) = bytes.as_chunks::<4>();
    let mut address = types::address::default();
    for (slot, word) in address.words.iter_mut().zip(words) {
        *slot = u32::from_ne_bytes(*word);
    }
    address
}

pub(crate) fn bytes_of_address(address: &types::address) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (slots, _) = bytes.as_chunks_mut::<4>();
    for (slot, word) in slots.iter_mut().zip(address.words) {
        *slot = word.to_ne_bytes();
    }
    bytes
}

pub(crate) fn address_of(address: &types::address) -> IpAddr {
    let v6 = Ipv6Addr::from(bytes_of_address(address));
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}
