//! CIDR: a network, as a person writes it.

use net_types::IpNet;

/// Host bits are refused: `10.0.0.1/8` may be meant as the address or as the network.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let network: IpNet =
        text.parse().map_err(|_error| format!("`{text}` is not a CIDR such as 10.0.0.0/8"))?;
    if network.addr() != network.network() {
        return Err(format!("`{text}` has host bits: write {}", network.trunc()));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_no_host_bits() {
        assert_eq!(parse_network("fd00::/8"), Ok("fd00::/8".parse().unwrap()));
        assert_eq!(
            parse_network("10.1.2.3/8"),
            Err("`10.1.2.3/8` has host bits: write 10.0.0.0/8".into())
        );
        assert!(parse_network("10.0.0.0").is_err());
    }
}
