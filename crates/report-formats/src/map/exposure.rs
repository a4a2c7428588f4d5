//! What each peer is open to: to the outside, to other namespaces, and to pods that may come.

pub mod json;
pub mod table;

use super::MapReport;
use crate::visible;
use net_types::AddressSet;
use policy_engine::{
    Entrance, Exposure, PairTraffic, PossibleNamespace, PossiblePeer, SideExposure,
};
use policy_model::{LabelSelector, Labels, NamespaceScope};

impl MapReport<'_> {
    /// The exposures of the peers that the report is about.
    fn exposures(&self) -> impl Iterator<Item = Exposure> {
        let is_shown = |peer: usize| match &self.focus {
            Some(focus) => focus.peers.get(peer).copied().unwrap_or_default(),
            None => true,
        };
        self.map.exposures().into_iter().filter(move |exposure| is_shown(exposure.peer))
    }
}

/// `all`, `some` or `none` of the pods.
fn isolation(side: &SideExposure) -> &'static str {
    match side.n_isolated {
        0 => "none",
        isolated if isolated == side.n_pods => "all",
        _ => "some",
    }
}

/// `pods app=web in namespaces team=shop`, as a rule selects them.
fn selectors(selectors: Option<&(NamespaceScope, LabelSelector)>) -> String {
    let Some((scope, pods)) = selectors else {
        return "any pod that no selector names".to_owned();
    };
    let pods = if pods.is_everything() { "any pod".to_owned() } else { format!("pods {pods}") };
    let scope = match scope {
        NamespaceScope::Own(name) => format!("in namespace {name}"),
        NamespaceScope::Selected(selector) if selector.is_everything() => {
            "in any namespace".to_owned()
        }
        NamespaceScope::Selected(selector) => format!("in namespaces {selector}"),
    };
    visible(&format!("{pods} {scope}")).into_owned()
}

/// `app=web,team=any in a namespace env=prod`, the example that was asked about, where it has more or
/// other labels than the selectors say.
fn example(possible: &PossiblePeer) -> Option<String> {
    let (scope, pods) = possible.selectors.as_ref()?;
    let namespace = match (&possible.namespace, scope) {
        (PossibleNamespace::Existing(_), _) => None,
        (PossibleNamespace::New { name: Some(name), .. }, _) => {
            Some(format!("in a new namespace {name}"))
        }
        (PossibleNamespace::New { name: None, labels }, NamespaceScope::Selected(selector))
            if !says(selector, labels) =>
        {
            Some(format!("in a new namespace with {labels}"))
        }
        (PossibleNamespace::New { name: None, .. }, _) => None,
    };
    let labels = (!says(pods, &possible.labels)).then(|| possible.labels.to_string());
    let parts: Vec<String> = labels.into_iter().chain(namespace).collect();
    (!parts.is_empty()).then(|| visible(&parts.join(" ")).into_owned())
}

/// Whether the selector itself reads like the labels.
fn says(selector: &LabelSelector, labels: &Labels) -> bool {
    (labels.0.is_empty() && selector.is_everything()) || selector.to_string() == labels.to_string()
}

/// The outside addresses from which a port is allowed, and those for which it is undefined.
fn reach_of_port(side: &SideExposure, entrance: &Entrance) -> [AddressSet; 2] {
    let has = |traffic: &net_types::Traffic| traffic.contains(entrance.protocol, entrance.port);
    let of = |fits: &dyn Fn(&PairTraffic) -> bool| {
        let sets = side.outside.iter().filter(|(_, traffic)| fits(traffic));
        sets.fold(AddressSet::EMPTY, |all, (set, _)| all.union(set))
    };
    [of(&|traffic| has(&traffic.allowed)), of(&|traffic| has(&traffic.undefined))]
}

/// The namespaces with pods that may, or may not, reach the entrance's port.
fn namespaces_of_port<'e>(side: &'e SideExposure, entrance: &Entrance) -> [Vec<&'e str>; 2] {
    let of = |fits: &dyn Fn(&PairTraffic) -> bool| {
        let found = side.namespaces.iter().filter(|(_, traffic)| fits(traffic));
        found.map(|(name, _)| name.as_ref()).collect()
    };
    let has = |traffic: &net_types::Traffic| traffic.contains(entrance.protocol, entrance.port);
    [of(&|traffic| has(&traffic.allowed)), of(&|traffic| has(&traffic.undefined))]
}
