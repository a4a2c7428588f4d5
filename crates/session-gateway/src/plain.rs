//! Plain use of the API: streamed in both directions, never held; recorded as calls, as the policy says.

use crate::activity::{self, Recorded};
use crate::authorise::{self, Wanted};
use crate::body::{self, Body};
use crate::call_record::{self, KeptBody, LARGEST_BODY};
use crate::chain::chain;
use crate::config::Calls;
use crate::dispatch::Content;
use crate::gateway::Gateway;
use crate::metrics::RefusedBy;
use crate::reply::Failure;
use crate::{headers, impersonate};
use access_model::Bodies;
use http::{HeaderMap, Request, Response, Version};
use std::sync::Arc;

/// Sends a request on as the caller, and streams the answer back.
pub(crate) async fn serve(
    gateway: &Arc<Gateway>,
    wanted: Wanted,
    request: Request<Content>,
) -> Result<Response<Body>, Failure> {
    let grant = authorise::permit(gateway, &wanted).await?;
    let (parts, content) = request.into_parts();
    let mutates = wanted.request.mutates();
    let is_recorded = match gateway.calls {
        Calls::None => false,
        Calls::Mutations => mutates,
        Calls::All => true,
    };
    let keeps_body = is_recorded && mutates && grant.terms.bodies == Bodies::Mutations;
    let (kept, body) = kept(&wanted, content, keeps_body).await?;
    let recorded = if is_recorded {
        Some(record(gateway, &wanted, grant.rule.word(), &parts.headers, &kept).await?)
    } else {
        None
    };
    let request = outgoing(&wanted, parts, body)?;
    let answer = wanted.cluster.upstream.send_plain(request).await;
    if let Some(recorded) = recorded {
        let outcome = match &answer {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(chain(error)),
        };
        activity::answered(gateway, &wanted.cluster, recorded, outcome).await;
    }
    let mut response = answer.map_err(|error| {
        let error = chain(&error);
        tracing::warn!(
            error,
            cluster = wanted.cluster.upstream.name,
            "could not forward a request"
        );
        Failure::bad_gateway(error)
    })?;
    headers::strip_response(response.headers_mut());
    Ok(response)
}

/// A request as the API server gets it: the target as it was understood, the caller as it was proven.
pub(crate) fn outgoing(
    wanted: &Wanted,
    parts: http::request::Parts,
    body: Body,
) -> Result<Request<Body>, Failure> {
    let mut request = Request::from_parts(parts, body);
    *request.uri_mut() = wanted
        .request
        .target()
        .parse()
        .map_err(|_invalid| Failure::bad_request("the path of the request cannot be read"))?;
    *request.version_mut() = Version::HTTP_11;
    headers::strip_request(request.headers_mut());
    impersonate::add(request.headers_mut(), &wanted.caller.identity, None)?;
    Ok(request)
}

async fn record(
    gateway: &Gateway,
    wanted: &Wanted,
    rule: &str,
    headers: &HeaderMap,
    body: &KeptBody,
) -> Result<Recorded, Failure> {
    let make = |call| call_record::asked(call, wanted, rule, headers, body);
    activity::asked(gateway, &wanted.cluster, make).await.map_err(|why| {
        tracing::error!(error = why, "a call was refused because it could not be recorded");
        gateway.metrics.refusal(RefusedBy::Recording);
        Failure::unavailable(format!("the call cannot be recorded, so it is refused: {why}"))
    })
}

/// What is kept of the body, and the body as it goes on.
async fn kept(wanted: &Wanted, content: Content, keep: bool) -> Result<(KeptBody, Body), Failure> {
    let is_secret = wanted.request.bodies_are_secret();
    match content {
        Content::Read(bytes) => Ok((of_read(&bytes, keep, is_secret), body::full(bytes))),
        Content::Streamed(body) if !keep => Ok((KeptBody::NotKept, body)),
        Content::Streamed(body) if is_secret => {
            Ok((KeptBody::LeftOut { why: "it holds secrets" }, body))
        }
        Content::Streamed(body) => {
            let begun = body::begin(body, LARGEST_BODY).await;
            let (begin, rest) = begun
                .map_err(|_invalid| Failure::bad_request("the request's body did not arrive"))?;
            Ok(match rest {
                None => (KeptBody::Kept(begin.clone()), body::full(begin)),
                Some(rest) => {
                    (KeptBody::LeftOut { why: "it is too long" }, body::after(begin, rest))
                }
            })
        }
    }
}

/// Of a body that was read already.
pub(crate) fn of_read(bytes: &bytes::Bytes, keep: bool, is_secret: bool) -> KeptBody {
    match (keep, is_secret) {
        (false, _) => KeptBody::NotKept,
        (true, true) => KeptBody::LeftOut { why: "it holds secrets" },
        (true, false) if bytes.len() > LARGEST_BODY => KeptBody::LeftOut { why: "it is too long" },
        (true, false) => KeptBody::Kept(bytes.clone()),
    }
}
