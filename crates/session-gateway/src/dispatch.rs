//! One request: to which cluster, from whom, for what; and then to the part that serves it.

use crate::authorise::{self, Wanted};
use crate::body::Body;
use crate::caller::{Caller, Connection};
use crate::evidence::Refusal;
use crate::gateway::Gateway;
use crate::metrics::RefusedBy;
use crate::protocols::Purpose;
use crate::reply::Failure;
use crate::{around, headers, identify, plain, streams};
use access_model::{Detail, Head, HttpVersion, classify};
use http::{Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use session_proto::Asked;
use std::sync::Arc;

pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    request: Request<Incoming>,
) -> Response<Body> {
    match serve(gateway, connection, request).await {
        Ok(response) => response,
        Err(failure) => failure.response(),
    }
}

async fn serve(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let host = host(&request)?;
    let (upstream, path) = gateway
        .routes
        .find(&host, request.uri().path())
        .ok_or_else(|| Failure::not_found("no cluster has this path; try /clusters/NAME"))?;
    let upstream = Arc::clone(upstream);
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let identity = identify::identify(gateway, &upstream.name, connection, request.headers())
        .await
        .inspect_err(|_| {
            gateway.metrics.refusal(RefusedBy::Identity);
        })?;
    if let Some(name) = headers::impersonation(request.headers()) {
        let message =
            format!("the gateway does not let clients impersonate: remove the header {name}");
        return Err(Failure::forbidden(message));
    }
    let caller = Caller { identity, address: connection.address };
    let classified = match classified(&request, &target) {
        Ok(classified) => classified,
        Err(refusal) => {
            let message = format!("{refusal}: {}", refusal.help());
            gateway.metrics.refusal(RefusedBy::Request);
            let refusal = Refusal {
                user: caller.identity.user.clone(),
                cluster: upstream.name.clone(),
                verb: "unrecognised",
                object: target.chars().take(200).collect(),
                why: message.clone(),
            };
            gateway.evidence.refused(refusal).await;
            return Err(Failure::bad_request(message));
        }
    };
    let target: Uri = classified
        .target()
        .parse()
        .map_err(|_ignored| Failure::bad_request("the path of the request cannot be read"))?;
    gateway.metrics.request(classified.verb());
    if !authorise::is_privileged(classified.verb()) {
        *request.uri_mut() = target;
        return plain::forward(&upstream, &caller, request).await;
    }
    let headers = request.headers().clone();
    let detail = classified.detail.clone();
    let protocol = format!("{:?}", request.version());
    let wanted = Wanted { upstream, caller, request: classified, headers, target, protocol };
    match detail {
        Detail::Exec { streams: asked, transport, .. }
        | Detail::Attach { streams: asked, transport, .. } => {
            let asked = Asked {
                stdin: asked.stdin,
                stdout: asked.stdout,
                stderr: asked.stderr,
                terminal: asked.terminal,
            };
            let upgrade = hyper::upgrade::on(&mut request);
            streams::serve(gateway, wanted, &transport, Purpose::Command(asked), upgrade).await
        }
        Detail::PortForward { ports, transport } => {
            let upgrade = hyper::upgrade::on(&mut request);
            streams::serve(gateway, wanted, &transport, Purpose::Forward { ports }, upgrade).await
        }
        Detail::Debug
        | Detail::Logs { .. }
        | Detail::Proxy(_)
        | Detail::NodeProxy(_)
        | Detail::TokenRequest
        | Detail::ServerDebug
        | Detail::Api => around::serve(gateway, wanted, request).await,
    }
}

fn classified(
    request: &Request<Incoming>,
    target: &str,
) -> Result<access_model::Request, access_model::Refusal> {
    let version = match request.version() {
        Version::HTTP_2 | Version::HTTP_3 => HttpVersion::Http2,
        Version::HTTP_11 => HttpVersion::Http11,
        _ => HttpVersion::Http10,
    };
    let headers: Vec<(&str, &[u8])> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    classify(&Head {
        method: request.method().as_str(),
        target,
        version,
        protocol: None,
        headers: &headers,
    })
}
/// The name under which the gateway was called. A request that gives two, or none, is read differently by
/// different servers.
fn host(request: &Request<Incoming>) -> Result<String, Failure> {
    if request.method() == Method::CONNECT {
        return Err(Failure::bad_request("the gateway is no forward proxy: CONNECT is not served"));
    }
    let mut named = request.headers().get_all(http::header::HOST).iter();
    let header = named.next().map(|value| value.to_str().unwrap_or_default().to_owned());
    if named.next().is_some() {
        return Err(Failure::bad_request("the request has two Host headers"));
    }
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = match (authority, header) {
        (Some(authority), Some(header)) if authority != header => {
            return Err(Failure::bad_request("the request names two hosts"));
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => return Err(Failure::bad_request("the request names no host")),
    };
    Ok(without_port(&host).to_owned())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}
