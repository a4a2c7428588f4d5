//! Signs a person in to a gateway, and tells kubectl about it.
//!
//! [`Provider`] is an OpenID Connect provider that was found by its issuer. [`Provider::with_browser`] has the person
//! sign in there (authorization code with PKCE, RFC 7636 and 8252), [`Provider::with_device`] does it where there is no
//! browser (RFC 8628). The [`Tokens`] stay in a [`Cache`], of which [`kept`] gives what still lasts, refreshed where it
//! can be. [`credential()`] is what kubectl's credential plugins print, [`kubeconfig()`] how kubectl comes to ask for it.
//! `docs/login.md` is for people.
//!
//! **Invariants.** No token is in an error, in `Debug` output, in an argument or in a URL, and none is written to a
//! file that others may read. What comes back to the loopback listener counts only with the state that was drawn for
//! this sign-in. Whoever answers for the issuer is spoken to over TLS only, and not followed elsewhere.
//!
//! Deliberately absent: passwords, secrets of clients (a program that everybody has keeps none), and the verification
//! of signatures: the token came from the provider itself over TLS, and the gateway, for which it is, verifies it.

mod settings;

mod answer;
mod browser;
mod callback;
mod device;
mod provider;
mod tokens;

mod cache;
mod credential;
mod kubeconfig;
mod yaml;

pub use cache::{Cache, CacheError, KeptError, Locked, kept};
pub use credential::{CredentialError, ExecQuestion, credential};
pub use device::DevicePrompt;
pub use kubeconfig::{Access, KubeconfigError, kubeconfig};
pub use provider::{LoginError, Provider};
pub use settings::SignIn;
pub use tokens::Tokens;
