//! What can go wrong with the kernel, and with what it was going on.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    #[error("could not make a network namespace")]
    Create(#[source] io::Error),
    #[error("could not enter a network namespace")]
    Enter(#[source] io::Error),
    #[error("could not start a thread for a namespace")]
    Thread(#[source] io::Error),
    /// `what` names the change and the interface: `add 10.0.0.1 to eth0`.
    #[error("could not {what}")]
    Change { what: String, source: io::Error },
    #[error("could not talk to the kernel about the network")]
    Netlink(#[source] io::Error),
    #[error("the kernel's answer about the network is no answer: {0}")]
    Answer(String),
    #[error("could not write {value} to {key}")]
    Sysctl { key: String, value: &'static str, source: io::Error },
    #[error("the program `nft` is missing: install nftables")]
    NoNft(#[source] io::Error),
    #[error("could not run `nft`")]
    Nft(#[source] io::Error),
    #[error("`nft` refused the rules: {0}")]
    Rules(String),
    #[error("could not {what}")]
    Mount { what: String, source: io::Error },
    #[error("could not make a user namespace{because}")]
    UserNamespace { source: io::Error, because: &'static str },
    #[error("could not close the files of whoever started this process")]
    Descriptors(#[source] io::Error),
    #[error("could not start {program}")]
    Spawn { program: String, source: io::Error },
}
