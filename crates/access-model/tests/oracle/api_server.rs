//! How an API server resolves a request, written from its description and as plainly as possible: Go's `net/url`,
//! then the steps of `RequestInfo`. It knows nothing of the classifier, and is what the classifier is compared with.

/// What the API server's authoriser and router see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) is_resource: bool,
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) name: String,
}

/// `url.ParseRequestURI` as far as the path goes: everything after `%` is decoded, in either case.
pub(crate) fn go_path(target: &str) -> Option<String> {
    let path = target.split('?').next().unwrap_or_default();
    let bytes = path.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let hex = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
            if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            decoded.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    Some(String::from_utf8_lossy(&decoded).into_owned())
}

/// `url.ParseQuery`, of which the API server ignores the errors: pairs with a semicolon or a wrong escape are gone.
pub(crate) fn go_query(target: &str) -> Vec<(String, String)> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let unescape = |text: &str| {
        if text.contains('+') {
            go_path(&text.replace('+', " ").replace('?', "%3F"))
        } else {
            go_path(&text.replace('?', "%3F"))
        }
    };
    let mut pairs = Vec::new();
    for pair in query.split('&') {
        if pair.is_empty() || pair.contains(';') {
            continue;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(key), Some(value)) = (unescape(key), unescape(value)) {
            pairs.push((key, value));
        }
    }
    pairs
}

/// The first value of a key.
pub(crate) fn first<'pairs>(pairs: &'pairs [(String, String)], key: &str) -> Option<&'pairs str> {
    pairs.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str())
}

/// A flag as Kubernetes converts it: only `false`, `0` and absence are false.
pub(crate) fn flag(pairs: &[(String, String)], key: &str) -> bool {
    match first(pairs, key) {
        None => false,
        Some(value) => value != "0" && value.to_lowercase() != "false",
    }
}

/// `path.Clean`, which routers in between may apply.
pub(crate) fn cleaned(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    format!("/{}", steps.join("/"))
}

/// `RequestInfoFactory.NewRequestInfo`; `None` where it gives an error.
pub(crate) fn resolve(method: &str, path: &str, query: &[(String, String)]) -> Option<Resolved> {
    let mut info = Resolved { verb: method.to_lowercase(), ..Resolved::default() };
    let trimmed = path.trim_matches('/');
    let all: Vec<&str> = if trimmed.is_empty() { vec![] } else { trimmed.split('/').collect() };
    if all.len() < 3 || (all[0] != "api" && all[0] != "apis") {
        return Some(info);
    }
    let mut parts = &all[1..];
    if all[0] != "api" {
        if parts.len() < 3 {
            return Some(info);
        }
        info.group = parts[0].to_owned();
        parts = &parts[1..];
    }
    info.is_resource = true;
    info.version = parts[0].to_owned();
    parts = &parts[1..];
    if parts[0] == "proxy" || parts[0] == "watch" {
        if parts.len() < 2 {
            return None;
        }
        info.verb = parts[0].to_owned();
        parts = &parts[1..];
    } else {
        info.verb = match method {
            "POST" => "create",
            "GET" | "HEAD" => "get",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => "",
        }
        .to_owned();
    }
    if parts[0] == "namespaces" && parts.len() > 1 {
        info.namespace = parts[1].to_owned();
        if parts.len() > 2 && parts[2] != "status" && parts[2] != "finalize" {
            parts = &parts[2..];
        }
    }
    if parts.len() >= 3 && info.verb != "proxy" {
        info.subresource = parts[2].to_owned();
    }
    if parts.len() >= 2 {
        info.name = parts[1].to_owned();
    }
    info.resource = parts[0].to_owned();
    if info.name.is_empty() && info.verb == "get" {
        info.verb = if flag(query, "watch") { "watch" } else { "list" }.to_owned();
    }
    if info.name.is_empty() && info.verb == "delete" {
        info.verb = "deletecollection".to_owned();
    }
    Some(info)
}

impl Resolved {
    /// Whether it reaches into containers, nodes or identities, whatever the group and whatever the case of the
    /// letters.
    pub(crate) fn is_privileged(&self, method: &str) -> bool {
        let subresource = self.subresource.to_lowercase();
        let writes = !matches!(method, "GET" | "HEAD");
        self.verb == "proxy"
            || matches!(subresource.as_str(), "exec" | "attach" | "portforward" | "proxy" | "log")
            || (subresource == "ephemeralcontainers" && writes)
            || (subresource == "token"
                && self.resource == "serviceaccounts"
                && self.group.is_empty())
    }
}
