//! One request: to which cluster, from whom, for what; and then to the part that serves it.

use crate::authorise::Wanted;
use crate::body::{self, Body};
use crate::caller::{Caller, Cluster, Connection};
use crate::evidence::Refusal;
use crate::gateway::Gateway;
use crate::metrics::RefusedBy;
use crate::protocols::Purpose;
use crate::reply::Failure;
use crate::{calls, places, plain, streams};
use access_model::{Detail, Head, HttpVersion, Privileges, Verb, classify};
use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// API servers take no larger ones (etcd's limit is half of it).
const LARGEST_READ_BODY: usize = 3 << 20;
/// A reason may stand before everything else in the path, for clients that cannot send headers.
const REASON_PREFIX: &str = "/reason/";
const REASON_HEADER: &str = "weir-reason";
const LONGEST_REASON: usize = 1024;

pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Some(place) = gateway.places.request() else {
        gateway.metrics.refusal(RefusedBy::Limit);
        let most = gateway.limits.requests;
        let message = format!("the gateway has {most} requests to answer and takes no more");
        return Failure::unavailable(message).response();
    };
    let response = match serve(gateway, connection, request).await {
        Ok(response) => response,
        Err(failure) => failure.response(),
    };
    response.map(|body| places::holding(body, place))
}

async fn serve(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let refused = |failure: Failure| {
        gateway.metrics.refusal(RefusedBy::Request);
        failure
    };
    let host = host(&request).map_err(refused)?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let (reason, rest) = reason(&request, &target).map_err(refused)?;
    let (cluster, rest) = gateway.routes.find(&host, rest).ok_or_else(|| {
        refused(Failure::not_found("no cluster has this path; try /clusters/NAME"))
    })?;
    let (cluster, rest) = (Arc::clone(cluster), rest.to_owned());
    let (identity, classified) = {
        let headers: Vec<(&str, &[u8])> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let identity = gateway.identities.identify(connection, &headers, Some(&cluster.api)).await;
        let identity = identity.inspect_err(|_| gateway.metrics.refusal(RefusedBy::Identity))?;
        let head = Head {
            method: request.method().as_str(),
            target: &rest,
            version: version(request.version()),
            protocol: request
                .extensions()
                .get::<hyper::ext::Protocol>()
                .map(hyper::ext::Protocol::as_str),
            headers: &headers,
        };
        (identity, classify(&head))
    };
    let caller = Caller::new(identity, connection.address, request.headers(), reason);
    let classified = match classified {
        Ok(classified) => classified,
        Err(refusal) => return Err(unrecognised(gateway, &caller, &cluster, &rest, &refusal).await),
    };
    gateway.metrics.request(classified.verb());
    let upgrade = classified.transport().map(|_| hyper::upgrade::on(&mut request));
    let mut wanted = Wanted {
        caller,
        cluster,
        privileges: Privileges::NotAsked,
        protocol: format!("{:?}", request.version()),
        request: classified,
    };
    if let (Some(purpose), Some(upgrade)) = (purpose(&wanted.request.detail), upgrade) {
        if !request.body().is_end_stream() {
            return Err(refused(Failure::bad_request(
                "a request that changes the protocol has no body",
            )));
        }
        let headers = request.headers().clone();
        return streams::serve(gateway, wanted, headers, purpose, upgrade).await;
    }
    let brings_pods = wanted.request.brings_pods() || wanted.request.verb() == Verb::Debug;
    let (parts, incoming) = request.into_parts();
    let request = if brings_pods {
        let read = read_whole(incoming).await.map_err(refused)?;
        wanted.privileges = access_checks::privileges(&wanted.request, &read);
        Request::from_parts(parts, Content::Read(read))
    } else {
        Request::from_parts(parts, Content::Streamed(body::streamed(incoming)))
    };
    if wanted.request.verb() == Verb::Api && !is_privileged(&wanted.privileges) {
        plain::serve(gateway, wanted, request).await
    } else {
        calls::serve(gateway, wanted, request).await
    }
}

/// What a plain request sends: as it comes, or read because its content decides.
#[derive(Debug)]
pub(crate) enum Content {
    Streamed(Body),
    Read(Bytes),
}

fn is_privileged(privileges: &Privileges) -> bool {
    matches!(privileges, Privileges::Known(known) if !known.is_empty())
}

fn purpose(detail: &Detail) -> Option<Purpose> {
    let streams = match detail {
        Detail::Exec { streams, .. } | Detail::Attach { streams, .. } => streams,
        Detail::PortForward { ports, .. } => {
            return Some(Purpose::Forward { ports: ports.clone() });
        }
        Detail::Debug
        | Detail::Logs { .. }
        | Detail::Proxy(_)
        | Detail::NodeProxy(_)
        | Detail::TokenRequest
        | Detail::ServerDebug
        | Detail::Api => return None,
    };
    Some(Purpose::Command(session_proto::Asked {
        stdin: streams.stdin,
        stdout: streams.stdout,
        stderr: streams.stderr,
        terminal: streams.terminal,
    }))
}

const fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_11 => HttpVersion::Http11,
        Version::HTTP_2 => HttpVersion::Http2,
        _ => HttpVersion::Http10,
    }
}

/// A request that could be read in two ways, or that no API server is known to have.
async fn unrecognised(
    gateway: &Gateway,
    caller: &Caller,
    cluster: &Cluster,
    target: &str,
    refusal: &access_model::Refusal,
) -> Failure {
    gateway.metrics.refusal(RefusedBy::Request);
    let message = format!("{refusal}: {}", refusal.help());
    let mut object: String = target.chars().take(256).flat_map(char::escape_debug).collect();
    if object.is_empty() {
        object.push('/');
    }
    let noted = Refusal {
        user: caller.identity.user.clone(),
        cluster: cluster.upstream.name.clone(),
        verb: "unrecognised",
        object,
        why: format!("{}: {message}", refusal.code()),
    };
    gateway.evidence.refused(noted).await;
    Failure::of_code(
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST),
        message,
    )
}

async fn read_whole(body: Incoming) -> Result<Bytes, Failure> {
    match Limited::new(body, LARGEST_READ_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::of_code(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the request's body is larger than {LARGEST_READ_BODY} bytes, which no API server takes"
            ),
        )),
        Err(_) => Err(Failure::bad_request("the request's body did not arrive")),
    }
}

/// Why the caller asks, and the target without it.
fn reason<'target>(
    request: &Request<Incoming>,
    target: &'target str,
) -> Result<(Option<String>, &'target str), Failure> {
    let unclear = || Failure::bad_request("the reason is no text, is too long, or is given twice");
    let mut headers = request.headers().get_all(REASON_HEADER).iter();
    let header = headers.next().map(|value| value.to_str().map(str::to_owned)).transpose();
    let header = header.map_err(|_invalid| unclear())?;
    let (in_path, rest) = match target.strip_prefix(REASON_PREFIX) {
        None => (None, target),
        Some(after) => {
            let end = after.find('/').ok_or_else(unclear)?;
            let (encoded, rest) = after.split_at_checked(end).ok_or_else(unclear)?;
            let decoded =
                percent_decode_str(encoded).decode_utf8().map_err(|_invalid| unclear())?;
            (Some(decoded.into_owned()), rest)
        }
    };
    match (header, in_path, headers.next()) {
        (Some(_), Some(_), _) | (_, _, Some(_)) => Err(unclear()),
        (Some(reason), None, None) | (None, Some(reason), None) => {
            let fits = reason.len() <= LONGEST_REASON && !reason.chars().any(char::is_control);
            if fits { Ok((Some(reason), rest)) } else { Err(unclear()) }
        }
        (None, None, None) => Ok((None, rest)),
    }
}

/// The name under which the gateway was called. A request that gives two, or none, is read differently by
/// different servers.
fn host(request: &Request<Incoming>) -> Result<String, Failure> {
    if request.method() == Method::CONNECT {
        return Err(Failure::bad_request("the gateway is no forward proxy: CONNECT is not served"));
    }
    let mut named = request.headers().get_all(HOST).iter();
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
