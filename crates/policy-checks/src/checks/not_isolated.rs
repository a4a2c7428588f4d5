//! Check: `not-isolated`
//!
//! Workloads of a namespace that no policy isolates: everything that no rule forbids may reach them
//! (ingress) or be reached by them (egress).
//!
//! **Why it matters.** Kubernetes allows all traffic to a pod until a NetworkPolicy selects it for the
//! direction. One compromised pod reaches every workload of this list.
//!
//! **How to fix.** Add a default-deny policy for all pods of the namespace, after the policies that allow
//! what is needed: the default-deny takes effect at once. A Deny of everything in a ClusterNetworkPolicy
//! (Admin or Baseline) isolates as well and is taken into account.
//!
//! One finding for each namespace. `info` where only egress is open, and for `kube-system` and the like,
//! where clusters keep what must be reachable. Host-network pods are left out: NetworkPolicies do not
//! reliably isolate them.
//!
//! ```yaml
//! apiVersion: networking.k8s.io/v1
//! kind: NetworkPolicy
//! metadata:
//!   name: default-deny
//! spec:
//!   podSelector: {}
//!   policyTypes: [Ingress, Egress]
//! ```

use crate::known::ALWAYS_THERE;
use crate::registry::Check;
use crate::words::{list, sample, witness, workloads};
use crate::world::World;
use finding_model::{Code, Finding, Fix, Severity};
use net_types::Traffic;
use policy_engine::{End, PodId, Verdict};
use policy_model::{Action, Direction, NamespaceScope, PeerMatch, Peers, Ports, Rule, Tier};

pub(crate) const CHECK: Check = Check {
    code: Code("not-isolated"),
    severity: Severity::Warning,
    summary: "workloads that no policy isolates",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    world.program.namespaces().filter_map(|ns| judge(world, &ns.name)).collect()
}

fn judge(world: &World<'_>, namespace: &str) -> Option<Finding> {
    let pods = world.pods_of(namespace).iter().copied().filter(|id| !world.is_on_host(*id));
    let pods: Vec<PodId> = pods.collect();
    let open = |direction| -> Vec<PodId> {
        pods.iter().copied().filter(|id| !is_isolated(world, *id, direction)).collect()
    };
    let [ingress, egress] = Direction::BOTH.map(open);
    let n_workloads = workloads(world, pods.iter().copied()).len();
    let parts: Vec<String> = match (ingress.as_slice(), egress.as_slice()) {
        ([], []) => return None,
        (a, b) if a == b => vec![part(world, a, "in either direction", n_workloads)],
        (a, b) => [(a, "for ingress"), (b, "for egress")]
            .into_iter()
            .filter(|(pods, _)| !pods.is_empty())
            .map(|(pods, how)| part(world, pods, how, n_workloads))
            .collect(),
    };
    let always = ALWAYS_THERE.contains(&namespace) && namespace != "default";
    let severity = if ingress.is_empty() || always { Severity::Info } else { CHECK.severity };
    let message = format!("namespace {namespace}: {}", parts.join("; "));
    let mut finding = Finding::new(
        CHECK.code,
        severity,
        message,
        "allow what is needed, then add a default-deny policy for the namespace",
    )
    .about(format!("Namespace {namespace}"))
    .because("a pod that no policy selects for a direction is open in that direction");
    finding.span = world.program.namespace(namespace).and_then(|ns| ns.span);
    finding.witness = show(world, namespace, &ingress, Direction::Ingress)
        .or_else(|| show(world, namespace, &egress, Direction::Egress));
    Some(finding.fixed_by(default_deny(namespace, [&ingress, &egress])))
}

fn part(world: &World<'_>, pods: &[PodId], how: &str, n_workloads: usize) -> String {
    let names = workloads(world, pods.iter().copied());
    let verb = if names.len() == 1 { "is" } else { "are" };
    let bare: Vec<&str> =
        names.iter().map(|name| name.split_once('/').map_or(name.as_str(), |(_, n)| n)).collect();
    let of = if names.len() == n_workloads && n_workloads > 1 {
        format!("all {n_workloads} workloads")
    } else if n_workloads == 1 {
        "its only workload".to_owned()
    } else {
        format!("{} of {n_workloads} workloads", names.len())
    };
    format!("{of} {verb} not isolated {how} ({})", list(&bare))
}

/// By a NetworkPolicy, or by a Deny of everything in another tier.
fn is_isolated(world: &World<'_>, pod: PodId, direction: Direction) -> bool {
    world.program.is_isolated(pod, direction)
        || world.applied(pod, direction).any(|policy| {
            let ordered = policy.tier != Tier::NetworkPolicy;
            ordered && policy.rules(direction).unwrap_or_default().iter().any(denies_everything)
        })
}

fn denies_everything(rule: &Rule) -> bool {
    let all_pods = |matches: &PeerMatch| match matches {
        PeerMatch::Pods { namespaces: NamespaceScope::Selected(namespaces), pods } => {
            namespaces.is_everything() && pods.is_everything()
        }
        PeerMatch::Networks(networks) => networks
            .iter()
            .any(|network| network.block.prefix_len() == 0 && network.except.is_empty()),
        PeerMatch::Unknown => true,
        PeerMatch::Pods { namespaces: NamespaceScope::Own(_), .. }
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_) => false,
    };
    let everyone = match &rule.peers {
        Peers::Any => true,
        Peers::Listed(peers) => peers.iter().any(|peer| all_pods(&peer.matches)),
    };
    rule.action == Action::Deny && rule.ports == Ports::All && everyone
}

/// Another namespace's pod (else an address outside) on the other end.
fn show(
    world: &World<'_>,
    namespace: &str,
    pods: &[PodId],
    direction: Direction,
) -> Option<String> {
    let subject = pods.first()?;
    let strangers = world.program.pods().filter(|(_, pod)| pod.namespace != namespace);
    let outside = "203.0.113.1".parse().ok().map(End::Address);
    let ends = strangers.take(50).map(|(id, _)| End::Pod(id)).chain(outside);
    for other in ends {
        let subject = End::Pod(*subject);
        let (from, to) = match direction {
            Direction::Ingress => (other, subject),
            Direction::Egress => (subject, other),
        };
        let Some(point) = sample(world, &to, &Traffic::all()) else { continue };
        let (decision, text) = witness(world, (&from, &to), point);
        if decision.verdict == Verdict::Allow {
            return Some(text);
        }
    }
    None
}

fn default_deny(namespace: &str, [ingress, egress]: [&Vec<PodId>; 2]) -> Fix {
    let types = match (ingress.is_empty(), egress.is_empty()) {
        (false, true) => "Ingress",
        (true, false) => "Egress",
        (false, false) | (true, true) => "Ingress, Egress",
    };
    let patch = format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: default-deny\n  \
         namespace: {namespace}\nspec:\n  podSelector: {{}}\n  policyTypes: [{types}]\n"
    );
    let summary = "isolate all pods of the namespace; traffic that no rule allows stops".to_owned();
    Fix { summary, patch: Some(patch) }
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn each_direction_counts_for_itself() {
        let found = check(
            CHECK.code,
            "namespace shop ## not-isolated
            namespace pay
            deployment shop/web app=web
            deployment shop/api app=api
            deployment shop/db app=db
            deployment pay/db app=db :5432/tcp
            policy shop/web app=web
            egress
            policy shop/db app=db
            ingress
            egress
            policy pay/all
            ingress
            egress",
        );
        assert_eq!(
            found[0].message,
            "namespace shop: 2 of 3 workloads are not isolated for ingress (api and web); 1 of 3 workloads is not isolated for egress (api)"
        );
        assert_eq!(found[0].severity, Severity::Warning);
    }

    /// kube-linter's false negative (an egress-only policy makes a pod "isolated") and Polaris' false
    /// positive (a default-deny `podSelector: {}` fails).
    #[test]
    fn a_default_deny_isolates_and_an_egress_policy_does_not_isolate_ingress() {
        let egress_only =
            "namespace shop ## not-isolated\ndeployment shop/web app=web\npolicy shop/x\negress";
        check(CHECK.code, egress_only);
        check(
            CHECK.code,
            "namespace shop\ndeployment shop/web app=web\npolicy shop/x\ningress\negress",
        );
    }

    #[test]
    fn a_baseline_deny_isolates() {
        check(
            CHECK.code,
            "namespace shop
            deployment shop/web app=web
            baseline floor 1 ns:*
            ingress
            rule deny
            pods ns:*
            egress
            rule deny
            pods ns:*",
        );
    }

    #[test]
    fn host_network_pods_are_left_out_and_open_egress_alone_is_a_remark() {
        let found = check(
            CHECK.code,
            "namespace mon ## not-isolated
            pod mon/exporter app=exporter @172.16.0.1 !host
            deployment mon/grafana app=grafana
            policy mon/x
            ingress",
        );
        assert_eq!(found[0].severity, Severity::Info);
        assert_eq!(
            found[0].message,
            "namespace mon: its only workload is not isolated for egress (grafana)"
        );
    }
}
