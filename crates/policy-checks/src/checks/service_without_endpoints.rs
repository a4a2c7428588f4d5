//! Check: `service-without-endpoints`
//!
//! A Service's selector selects no pod of its namespace.
//!
//! **Why it matters.** Connections to the Service fail whatever the policies say.
//!
//! **How to fix.** Compare the selector with the labels of the pod template. Services without a selector
//! have endpoints that are kept by hand, and ExternalName Services have none: neither is reported. Silent
//! where the input has no pods in the namespace.

use crate::near::{NearMiss, near_miss};
use crate::registry::Check;
use crate::words::placed;
use crate::world::World;
use crate::yaml;
use finding_model::{Code, Finding, Fix, Severity};
use policy_model::{Service, ServiceKind};

pub(crate) const CHECK: Check = Check {
    code: Code("service-without-endpoints"),
    severity: Severity::Warning,
    summary: "a Service's selector selects no pod",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let empty = world.services().iter().filter(|(_, pods)| pods.is_empty());
    empty.filter_map(|(service, _)| judge(world, service)).collect()
}

fn judge(world: &World<'_>, service: &Service) -> Option<Finding> {
    let selector = service.selector.as_ref()?;
    let pods = world.pods_of(&service.namespace);
    if matches!(service.kind, ServiceKind::ExternalName(_)) || pods.is_empty() {
        return None;
    }
    let candidates = pods.iter().filter_map(|id| world.pod(*id));
    let near = near_miss(selector, candidates.map(|pod| (pod.to_string(), &pod.labels)));
    let message = format!("no pod of namespace {} has the labels `{selector}`", service.namespace);
    let help = match &near {
        Some(near) => format!("{}: make the two equal", near.text()),
        None => "compare the selector with the labels of the pod template".to_owned(),
    };
    let mut finding = Finding::new(CHECK.code, CHECK.severity, message, help)
        .about(format!("Service {service}"))
        .because("the Service has no endpoints");
    if let Some(near) = near.filter(NearMiss::is_likely) {
        let corrected = yaml::selector("selector", &near.correct(selector), 0);
        finding = finding.fixed_by(Fix {
            summary: format!("select `{}={}`", near.key, near.value),
            patch: Some(corrected.replace("  matchLabels:\n", "").replace("    ", "  ")),
        });
    }
    Some(placed(finding, service.span))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn a_selector_without_pods_is_found_with_its_near_miss() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web :8080/tcp
            service shop/web app=wbe :80->8080/tcp ## service-without-endpoints
            service shop/by-hand :80->8080/tcp
            service shop/good app=web :80->8080/tcp
            service other/x app=x :80->80/tcp",
        );
        let patch = found[0].fix.as_ref().unwrap().patch.as_deref();
        assert_eq!(patch, Some("selector:\n  app: web\n"));
    }
}
