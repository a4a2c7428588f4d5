//! PORT: what a question says of the destination's port.

use net_types::{Protocol, UnknownProtocol};
use std::fmt;
use std::str::FromStr;

/// One destination port, or all traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum PortArgument {
    /// Left out: every port of every protocol.
    #[default]
    All,
    /// `8080/tcp`; `8080` is TCP. The protocol has ports and the port is not 0.
    Number { protocol: Protocol, port: u16 },
    /// `http`, or `http/tcp` where the name is used for several protocols.
    Named { protocol: Option<Protocol>, name: String },
    /// `icmp`: a protocol without ports.
    Portless(Protocol),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortArgumentError {
    #[error("a port is 1 to 65535, or a name: `{0}` is neither")]
    NotAPort(String),
    #[error(transparent)]
    Protocol(#[from] UnknownProtocol),
    #[error("`{0}` needs a port: write 80/{0}, or leave the port out to ask for all traffic")]
    NeedsPort(String),
    #[error("{0} has no ports: write `{0}` alone")]
    HasNoPorts(Protocol),
}

impl FromStr for PortArgument {
    type Err = PortArgumentError;

    fn from_str(text: &str) -> Result<Self, PortArgumentError> {
        let Some((port, protocol)) = text.split_once('/') else {
            return match text.parse::<Protocol>() {
                Ok(protocol) if protocol.has_ports() => {
                    Err(PortArgumentError::NeedsPort(text.to_owned()))
                }
                Ok(protocol) => Ok(Self::Portless(protocol)),
                Err(UnknownProtocol(_)) => with_port(text, None),
            };
        };
        let protocol: Protocol = protocol.parse()?;
        if !protocol.has_ports() {
            return Err(PortArgumentError::HasNoPorts(protocol));
        }
        with_port(port, Some(protocol))
    }
}

fn with_port(port: &str, protocol: Option<Protocol>) -> Result<PortArgument, PortArgumentError> {
    if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = port.parse().ok().filter(|number| *number != 0);
        let port = number.ok_or_else(|| PortArgumentError::NotAPort(port.to_owned()))?;
        return Ok(PortArgument::Number { protocol: protocol.unwrap_or(Protocol::Tcp), port });
    }
    if is_port_name(port) {
        return Ok(PortArgument::Named { protocol, name: port.to_owned() });
    }
    Err(PortArgumentError::NotAPort(port.to_owned()))
}

/// `IANA_SVC_NAME` of RFC 6335 §5.1, as Kubernetes checks it.
fn is_port_name(name: &str) -> bool {
    name.len() <= 15
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// As it is written: `8080/tcp`, `http`, `icmp`, `all`.
impl fmt::Display for PortArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lower = |protocol: &Protocol| protocol.to_string().to_ascii_lowercase();
        match self {
            Self::All => f.write_str("all"),
            Self::Number { protocol, port } => write!(f, "{port}/{}", lower(protocol)),
            Self::Named { protocol: None, name } => f.write_str(name),
            Self::Named { protocol: Some(protocol), name } => {
                write!(f, "{name}/{}", lower(protocol))
            }
            Self::Portless(protocol) => f.write_str(&lower(protocol)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PortArgument, PortArgumentError> {
        text.parse()
    }

    #[test]
    fn all_forms_are_read_and_written_back() {
        let number = |protocol, port| Ok(PortArgument::Number { protocol, port });
        let named = |protocol, name: &str| Ok(PortArgument::Named { protocol, name: name.into() });
        assert_eq!(parse("8080/tcp"), number(Protocol::Tcp, 8080));
        assert_eq!(parse("53/UDP"), number(Protocol::Udp, 53));
        assert_eq!(parse("8080"), number(Protocol::Tcp, 8080));
        assert_eq!(parse("http"), named(None, "http"));
        assert_eq!(parse("dns-tcp/tcp"), named(Some(Protocol::Tcp), "dns-tcp"));
        assert_eq!(parse("tcp/tcp"), named(Some(Protocol::Tcp), "tcp"));
        assert_eq!(parse("icmp"), Ok(PortArgument::Portless(Protocol::Other(1))));
        assert_eq!(parse("proto-50"), Ok(PortArgument::Portless(Protocol::Other(50))));
        for text in
            ["8080/tcp", "53/udp", "9/sctp", "http", "dns/udp", "icmp", "icmpv6", "proto-50"]
        {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for bad in [
            "",
            "0",
            "65536",
            "99999999999",
            "-1",
            "80/",
            "/tcp",
            "80/tpc",
            "HTTP",
            "a b",
            "-http",
            "http-",
            "a--b",
            "sixteen-letters-",
            "80-90",
            "80/tcp/x",
            "+80",
            "８０",
        ] {
            assert!(parse(bad).is_err(), "{bad:?} is {:?}", parse(bad));
        }
        let text = |bad: &str| parse(bad).unwrap_err().to_string();
        assert_eq!(
            text("tcp"),
            "`tcp` needs a port: write 80/tcp, or leave the port out to ask for all traffic"
        );
        assert_eq!(text("1/icmp"), "ICMP has no ports: write `ICMP` alone");
        assert_eq!(text("0"), "a port is 1 to 65535, or a name: `0` is neither");
    }
}
