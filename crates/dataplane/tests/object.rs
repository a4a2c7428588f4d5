//! The object as a whole: the kernel's verifier takes it.

use dataplane::{DEFAULT_SETTINGS, load};
use std::mem::MaybeUninit;

#[test]
fn the_kernel_takes_the_object() {
    let mut storage = MaybeUninit::uninit();
    let loaded = load(&mut storage, &DEFAULT_SETTINGS);
    assert!(loaded.is_ok(), "loading needs root and kernel 6.6 or newer: {:?}", loaded.err());
}
