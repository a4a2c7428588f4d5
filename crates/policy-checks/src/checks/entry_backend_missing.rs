//! Check: `entry-backend-missing`
//!
//! An Ingress or a route forwards to a Service, or to a port of one, that does not exist.
//!
//! **Why it matters.** The controller answers with an error, whatever the policies say.
//!
//! **How to fix.** Correct the name or the port; the finding says what is near. `info` where the input has no
//! Services of the namespace at all.

use crate::near::is_near;
use crate::registry::Check;
use crate::words::{list, placed};
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use policy_model::{Backend, BackendPort, Entry, Service, ServicePort};

pub(crate) const CHECK: Check = Check {
    code: Code("entry-backend-missing"),
    severity: Severity::Warning,
    summary: "an Ingress or route forwards to a Service or port that does not exist",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let entries = world.program.entries().iter();
    entries
        .flat_map(|entry| entry.backends.iter().filter_map(move |b| judge(world, entry, b)))
        .collect()
}

/// The ports of a Service that a backend means.
pub(crate) fn backend_ports<'s>(service: &'s Service, backend: &Backend) -> Vec<&'s ServicePort> {
    let wanted = |port: &&ServicePort| match &backend.port {
        None => true,
        Some(BackendPort::Number(number)) => port.port == *number,
        Some(BackendPort::Name(name)) => port.name.as_ref() == Some(name),
    };
    service.ports.iter().filter(wanted).collect()
}

fn judge(world: &World<'_>, entry: &Entry, backend: &Backend) -> Option<Finding> {
    let path = format!("{}/{}", backend.namespace, backend.service);
    let (message, help, severity) =
        match world.program.service(&backend.namespace, &backend.service) {
            None => missing_service(world, backend, &path),
            Some(service)
                if backend_ports(service, backend).is_empty() && !service.ports.is_empty() =>
            {
                missing_port(service, backend, &path)
            }
            Some(_) => return None,
        };
    let finding = Finding::new(CHECK.code, severity, message, help)
        .about(entry.to_string())
        .because("the controller has nowhere to forward to");
    Some(placed(finding, backend.span.or(entry.span)))
}

fn missing_service(world: &World<'_>, backend: &Backend, path: &str) -> (String, String, Severity) {
    let services = world.program.services().iter();
    let names: Vec<&str> = services
        .filter(|service| service.namespace == backend.namespace)
        .map(|service| service.name.as_str())
        .collect();
    let near = names.iter().copied().filter(|name| is_near(&backend.service, name)).min();
    let message = format!("forwards to Service {path}, which does not exist");
    let help = match near {
        Some(near) => format!("is `{near}` meant?"),
        None => "correct the name, or add the Service to the input".to_owned(),
    };
    (message, help, if names.is_empty() { Severity::Info } else { CHECK.severity })
}

fn missing_port(service: &Service, backend: &Backend, path: &str) -> (String, String, Severity) {
    let wanted = match &backend.port {
        Some(BackendPort::Number(number)) => number.to_string(),
        Some(BackendPort::Name(name)) => format!("`{name}`"),
        None => "any".to_owned(),
    };
    let ports: Vec<String> = service
        .ports
        .iter()
        .map(|port| match &port.name {
            Some(name) => format!("{} ({name})", port.port),
            None => port.port.to_string(),
        })
        .collect();
    let message = format!("forwards to port {wanted} of Service {path}, which has no such port");
    (message, format!("the Service has {}", list(&ports)), CHECK.severity)
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn services_and_ports_must_exist() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web :8080/tcp
            service shop/web app=web :80->8080/tcp
            ingress-entry shop/a backend=web:80
            ingress-entry shop/b backend=wbe:80 ## entry-backend-missing
            route shop/c backend=web:8080 ## entry-backend-missing",
        );
        assert_eq!(found[0].help, "is `web` meant?");
        assert_eq!(found[1].help, "the Service has 80");
    }
}
