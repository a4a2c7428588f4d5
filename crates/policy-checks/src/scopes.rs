//! Every place where a policy selects namespaces.

use crate::world::{World, rules_of};
use finding_model::SourceSpan;
use policy_model::{LabelSelector, NamespaceScope, PeerMatch, Peers, Policy};

/// One namespace selector as written.
#[derive(Clone, Debug)]
pub(crate) struct ScopeUse<'p> {
    pub(crate) policy: &'p Policy,
    /// `subject`, `ingress[0]`.
    pub(crate) part: String,
    pub(crate) namespaces: &'p LabelSelector,
    pub(crate) span: Option<SourceSpan>,
}

impl ScopeUse<'_> {
    /// `NetworkPolicy shop/web ingress[0]`.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.policy.id, self.part)
    }
}

/// In the order of places.
pub(crate) fn scope_uses<'p>(world: &World<'p>) -> Vec<ScopeUse<'p>> {
    let mut uses = Vec::new();
    for policy in world.program.policies() {
        if let NamespaceScope::Selected(namespaces) = &policy.subject.namespaces {
            let part = "subject".to_owned();
            uses.push(ScopeUse { policy, part, namespaces, span: policy.span });
        }
        for rule in rules_of(policy) {
            let Peers::Listed(peers) = &rule.rule.peers else { continue };
            for peer in peers {
                if let PeerMatch::Pods { namespaces: NamespaceScope::Selected(selector), .. } =
                    &peer.matches
                {
                    uses.push(ScopeUse {
                        policy,
                        part: rule.name(),
                        namespaces: selector,
                        span: peer.span.or(rule.span()),
                    });
                }
            }
        }
    }
    uses.sort_by_key(|scope| scope.span);
    uses
}

/// The names of the namespaces that a selector matches.
pub(crate) fn matching<'p>(world: &World<'p>, selector: &LabelSelector) -> Vec<&'p str> {
    let namespaces = world.program.namespaces();
    namespaces.filter(|ns| selector.matches(&ns.labels)).map(|ns| ns.name.as_str()).collect()
}
