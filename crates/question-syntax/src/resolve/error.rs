//! Why a PEER stands for nothing in the input.

use crate::near::did_you_mean;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    #[error("the input has no namespace `{name}`{}", did_you_mean(near))]
    UnknownNamespace { name: String, near: Vec<String> },
    #[error("the input has no {kind} `{written}`{}", did_you_mean(near))]
    Unknown { kind: String, written: String, near: Vec<String> },
    #[error("`{written}` is several workloads: write {}", choices.join(" or "))]
    Ambiguous { written: String, choices: Vec<String> },
    #[error("the namespace `{0}` has no pods or workloads in the input")]
    EmptyNamespace(String),
    #[error("two pods of the input have the address {address}: {} and {}", pods[0], pods[1])]
    SharedAddress { address: IpAddr, pods: [String; 2] },
}
