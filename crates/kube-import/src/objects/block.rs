//! CIDR blocks as policies write them.

use crate::codes;
use crate::document::{Decoder, Node};
use ipnet::IpNet;
use std::net::IpAddr;

/// A block with its host bits cleared; a warning says where they were set.
pub(super) fn cidr(decoder: &mut Decoder, node: &Node<'_>) -> Option<IpNet> {
    let text = decoder.string(node)?;
    let Some(written) = parse(text) else {
        let help = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => format!("one address is `{text}/32`"),
            Ok(IpAddr::V6(_)) => format!("one address is `{text}/128`"),
            Err(_) => "write it as `10.0.0.0/8` or `fd00::/8`".to_owned(),
        };
        decoder.error(codes::BAD_CIDR, node.place, format!("`{text}` is no CIDR block"), help);
        return None;
    };
    if let IpAddr::V6(address) = written.addr()
        && address.to_ipv4_mapped().is_some()
    {
        let message = format!("`{text}` is an IPv4 block written as IPv6");
        let finding = decoder.error(codes::BAD_CIDR, node.place, message, "write the IPv4 block");
        finding.why = Some("implementations disagree whether it is IPv4 or IPv6".into());
        return None;
    }
    let block = written.trunc();
    if block.addr() != written.addr() {
        let finding = decoder.warning(
            codes::HOST_BITS_SET,
            node.place,
            format!("`{text}` has bits set beyond its prefix"),
            format!("write `{block}` if the whole block is meant"),
        );
        finding.why = Some(format!("it is read as `{block}`, which may be more than was meant"));
    }
    Some(block)
}

/// Stricter than most readers: leading zeros are octal to some of them.
fn parse(text: &str) -> Option<IpNet> {
    let (address, prefix) = text.split_once('/')?;
    let is_plain = prefix.bytes().all(|byte| byte.is_ascii_digit())
        && (prefix == "0" || !prefix.starts_with('0'));
    let prefix = prefix.parse().ok().filter(|_| is_plain)?;
    IpNet::new(address.parse().ok()?, prefix).ok()
}

/// An `except`, which must be a strict part of its block.
pub(super) fn except(decoder: &mut Decoder, node: &Node<'_>, block: IpNet) -> Option<IpNet> {
    let inner = cidr(decoder, node)?;
    if block.contains(&inner) && inner.prefix_len() > block.prefix_len() {
        return Some(inner);
    }
    let (message, why) = if inner == block {
        (format!("`except` takes away all of `{block}`"), "the block would match nothing")
    } else {
        (format!("`{inner}` is not inside `{block}`"), "it would take nothing away")
    };
    let help = "`except` lists parts of `cidr`, each smaller than it";
    decoder.error(codes::EXCEPT_OUTSIDE_CIDR, node.place, message, help).why = Some(why.into());
    None
}
