//! One request: to which cluster, from whom, for what; and then to the part that serves it.

use crate::body::Body;
use crate::caller::{Caller, Connection};
use crate::gateway::Gateway;
use crate::reply::Failure;
use crate::{headers, identify, plain};
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
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
    let identity = identify::identify(connection, request.headers())?;
    if let Some(name) = headers::impersonation(request.headers()) {
        let message = format!("the gateway does not let clients impersonate: remove the header {name}");
        return Err(Failure::forbidden(message));
    }
    *request.uri_mut() = target
        .parse::<Uri>()
        .map_err(|_| Failure::bad_request("the path of the request cannot be read"))?;
    let caller = Caller { identity, address: connection.address };
    plain::forward(&upstream, &caller, request).await
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
