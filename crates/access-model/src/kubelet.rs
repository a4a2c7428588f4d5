//! What may be asked of a kubelet through `nodes/NAME/proxy`: what reads, and neither runs commands nor opens
//! streams. A kubelet takes `GET` for running commands, so that the path alone decides.

use crate::refusal::shown;
use crate::target::Parameter;
use crate::{ProxyTarget, Refusal};

pub(crate) fn check(target: &ProxyTarget, parameters: &[Parameter]) -> Result<(), Refusal> {
    // Another port, or another scheme, is another server, whose paths mean something else.
    if target.port.is_some() || target.scheme.is_some() {
        return Err(Refusal::KubeletPort);
    }
    let path = target.path.as_deref().unwrap_or_default();
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    let reads = matches!(
        steps.as_slice(),
        ["healthz" | "pods" | "runningpods" | "configz" | "metrics" | "stats" | "logs"]
            | ["healthz", ..]
            | ["metrics", "cadvisor" | "probes" | "resource" | "slis"]
            | ["stats", "summary"]
            | ["runningpods", ""]
            | ["logs", ..]
            | ["containerLogs", _, _, _]
    );
    // The API server writes the path into this parameter on its way.
    let has_path = parameters.iter().any(|parameter| parameter.name == "path");
    if reads && !has_path { Ok(()) } else { Err(Refusal::KubeletPath { path: shown(path) }) }
}
