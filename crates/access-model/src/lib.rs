//! Who asks for which privileged access, and may they.
//!
//! `docs/design/access.md` argues it. Values in, values out.

mod classify;
mod core_group;
mod head;
mod identity;
mod kubelet;
mod parameters;
mod place;
mod refusal;
mod request;
mod target;
mod upgrade;
mod verb;

pub use classify::classify;
pub use head::{Head, HttpVersion};
pub use identity::{Identity, Proof};
pub use refusal::Refusal;
pub use request::{
    Detail, Method, Object, ProxyTarget, Request, Resource, Review, Streams, Transport,
};
pub use upgrade::BEARER_PROTOCOL;
pub use verb::Verb;
