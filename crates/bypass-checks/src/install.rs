//! `weir gateway install`: the objects that let the gateway in, and all others out.
//!
//! Options in, objects out, with a comment for each: one text that a person reads and then applies. The expressions of
//! the policies are argued in `docs/design/bypass.md`.

mod identity;
mod options;
mod policy;
mod yaml;

pub use options::{
    BreakGlass, GatewayIdentity, Impersonation, InstallError, Installation, PolicyMode, Requests,
    ServiceAccount,
};

pub(crate) use policy::{Lists, NAMESPACE_NAME, break_glass_policy, policy};

use serde_json::Value;

/// An object, and what a reader should know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub comment: String,
    pub object: Value,
}

impl Installation {
    /// All objects, in the order in which they are applied.
    ///
    /// # Errors
    /// A name that Kubernetes would not take, or an exemption that would exempt everybody.
    pub fn documents(&self) -> Result<Vec<Document>, InstallError> {
        self.check()?;
        Ok([identity::documents(self), policy::documents(self)].concat())
    }

    /// The same as YAML, for `kubectl apply --server-side -f -`.
    ///
    /// # Errors
    /// As [`Self::documents`].
    pub fn yaml(&self) -> Result<String, InstallError> {
        let documents = self.documents()?;
        let texts: Vec<String> = documents.iter().map(Document::yaml).collect();
        Ok(texts.join("---\n"))
    }
}

impl Document {
    fn yaml(&self) -> String {
        let comment = self.comment.lines().map(|line| format!("# {line}\n"));
        comment.chain([yaml::written(&self.object)]).collect()
    }
}

#[cfg(test)]
mod tests;
