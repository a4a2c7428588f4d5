//! Which headers go through the gateway.
//!
//! Headers about one connection end at it (RFC 9110, 7.6.1), and so do those by which a front proxy says who a
//! caller is: the API server must hear that from the gateway alone.

use http::header::{self, HeaderMap, HeaderName};

/// Of one connection, whether `Connection` names them or not.
const OF_CONNECTION: &[HeaderName] = &[
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const OF_CONNECTION_TOO: &[&str] = &["keep-alive", "proxy-connection", "http2-settings"];
/// Begin of headers by which proxies tell who calls, and from where.
const OF_PROXIES: &[&str] = &["x-remote-", "x-forwarded-"];

/// Removes what is not for the API server.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    let trailers = accepts_trailers(headers);
    strip_connection(headers);
    let gone: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            name == "forwarded"
                || name == "weir-reason"
                || OF_PROXIES.iter().any(|begin| name.starts_with(begin))
        })
        .cloned()
        .collect();
    for name in gone {
        headers.remove(name);
    }
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::EXPECT);
    if trailers {
        headers.insert(header::TE, header::HeaderValue::from_static("trailers"));
    }
}

/// Removes what is not for the client.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    strip_connection(headers);
}

fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in named {
        headers.remove(name.as_str());
    }
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    for name in OF_CONNECTION_TOO {
        headers.remove(*name);
    }
}

/// `TE: trailers` is about one connection, and the next has to be told.
fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("trailers")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = lines.iter().map(|(name, value)| {
            (HeaderName::from_static(name), header::HeaderValue::from_static(value))
        });
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    }

    #[test]
    fn only_what_is_for_the_api_server_reaches_it() {
        let mut headers = map(&[
            ("accept", "application/json"),
            ("authorization", "Bearer x"),
            ("connection", "keep-alive, X-Of-Connection"),
            ("x-of-connection", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-remote-user", "admin"),
            ("x-remote-extra-scopes", "all"),
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("kubectl-command", "kubectl get"),
        ]);
        strip_request(&mut headers);
        expect![[
            r#"{"accept": "application/json", "kubectl-command": "kubectl get", "te": "trailers"}"#
        ]]
        .assert_eq(&format!("{headers:?}"));
    }
}
