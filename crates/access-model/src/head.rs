//! The head of a request, as it came: what the classifier reads.

/// Borrowed from whatever server received it. Nothing in here has been decoded or joined.
#[derive(Debug, Clone, Copy)]
pub struct Head<'request> {
    /// Case matters, as in HTTP.
    pub method: &'request str,
    /// Path and query exactly as on the request line (HTTP/2: `:path`), after the base path of the cluster was
    /// taken away. `/` where nothing is left.
    pub target: &'request str,
    pub version: HttpVersion,
    /// `:protocol` of an HTTP/2 extended CONNECT.
    pub protocol: Option<&'request str>,
    /// All headers in the order in which they came, one pair for each line.
    pub headers: &'request [(&'request str, &'request [u8])],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpVersion {
    Http10,
    Http11,
    Http2,
}

impl<'request> Head<'request> {
    /// The values of a header, in order. `name` is lower-case.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'request [u8]> {
        let named = self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    }
}
