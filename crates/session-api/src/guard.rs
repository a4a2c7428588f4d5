//! What every answer carries, and which requests are not looked at: the page's content was written by whoever
//! opened a session, so the browser is told to run nothing but the page's own files.

use crate::answer::Refused;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// The player's terminal is WebAssembly, hence `wasm-unsafe-eval`; nothing else is evaluated, inline, or from
/// elsewhere (<https://www.w3.org/TR/CSP3/>).
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self'; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'none'";

const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "clipboard-write=(), camera=(), microphone=()"),
];

/// Adds the headers, and refuses what another site's page had a browser send to the API.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = if is_api && is_from_elsewhere(request.method(), request.headers()) {
        let message = "another site's page had your browser send this request";
        Refused::new(StatusCode::FORBIDDEN, "cross-site", message).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Whether a browser says that another origin made it send a request. Certificates go along with such requests, so who
/// the caller is says nothing of what it wants; and one that only reads would put a view into the ledger that nobody
/// had.
fn is_from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin.strip_prefix("https://") != Some(host),
        (Some(_), None) => true,
        // A header that is no text is from no browser that would be believed.
        (None, _) => headers.contains_key("origin") && *method != Method::GET,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_tells_who_made_it_send_a_request() {
        type Fields = &'static [(&'static str, &'static str)];
        let cases: [(&str, Fields, bool); 9] = [
            ("GET", &[("sec-fetch-site", "cross-site")], true),
            ("GET", &[("sec-fetch-site", "same-origin")], false),
            ("GET", &[("sec-fetch-site", "none")], false),
            ("POST", &[("sec-fetch-site", "cross-site")], true),
            ("POST", &[("sec-fetch-site", "same-site")], true),
            ("POST", &[("sec-fetch-site", "same-origin")], false),
            ("POST", &[("origin", "https://elsewhere.example"), ("host", "weir.example")], true),
            ("POST", &[("origin", "https://weir.example"), ("host", "weir.example")], false),
            ("POST", &[("host", "weir.example")], false),
        ];
        for (method, fields, elsewhere) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(is_from_elsewhere(&method, &headers), elsewhere, "{method} {fields:?}");
        }
    }
}
