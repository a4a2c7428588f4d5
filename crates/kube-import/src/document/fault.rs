//! What is wrong with a document as a document, before anything is known of its meaning.

use super::node::Place;
use finding_model::Code;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    pub place: Place,
    pub message: String,
    pub why: Option<String>,
    pub help: String,
    /// Another place that matters, and what stands there.
    pub related: Option<(Place, String)>,
    pub is_warning: bool,
}

impl Fault {
    /// Boxed, as it is what results carry.
    pub(crate) fn new(
        code: Code,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self {
            code,
            place,
            message: message.into(),
            why: None,
            help: help.into(),
            related: None,
            is_warning: false,
        })
    }
}
