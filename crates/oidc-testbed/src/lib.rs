//! A real OpenID Connect provider on loopback, for tests: npm's `oidc-provider`, started from
//! `testbed/oidc-provider`, and a person who signs in by filling in its forms.
//!
//! The packages are installed once by `npm ci` into a folder of the cache that is named by the lock file. A provider
//! ends with its [`Provider`], and with the test's process however that ends, because its standard input does.
//!
//! Deliberately absent: everything that is not loopback, and passwords that are wrong.

mod install;
mod person;
mod provider;

pub use person::sign_in;
pub use provider::Provider;
