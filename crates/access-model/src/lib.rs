//! Who asks for which privileged access, and may they.
//!
//! `docs/design/gateway.md` argues it. Values in, values out.

mod identity;
mod verb;

pub use identity::{Identity, Proof};
pub use verb::Verb;
