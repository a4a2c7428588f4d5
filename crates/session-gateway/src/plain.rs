//! Plain use of the API: streamed in both directions, never held.

use crate::body::Body;
use crate::caller::Caller;
use crate::chain::chain;
use crate::reply::Failure;
use crate::upstream::Upstream;
use crate::{body, headers, impersonate};
use http::{Request, Response};
use hyper::body::Incoming;

/// Sends the request on as the caller, and streams the answer back.
pub(crate) async fn forward(
    upstream: &Upstream,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (mut parts, incoming) = request.into_parts();
    headers::strip_request(&mut parts.headers);
    impersonate::add(&mut parts.headers, &caller.identity, None)?;
    parts.version = http::Version::HTTP_11;
    let request = Request::from_parts(parts, body::streamed(incoming));
    let mut response = match upstream.send(request).await {
        Ok(response) => response,
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(error, cluster = upstream.name, "could not forward a request");
            return Err(Failure::bad_gateway(error));
        }
    };
    headers::strip_response(response.headers_mut());
    Ok(response)
}
