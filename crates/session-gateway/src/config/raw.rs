//! The configuration as it is written: names of keys, nothing checked. `docs/gateway-config.md` describes it.

use serde::Deserialize;
use serde_saphyr::Spanned;

pub(super) type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawConfig {
    pub(super) name: Text,
    pub(super) listen: RawListen,
    pub(super) admin: Option<RawAdmin>,
    pub(super) clients: RawClients,
    pub(super) clusters: Spanned<Vec<RawCluster>>,
    #[serde(default)]
    pub(super) limits: RawLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawListen {
    pub(super) address: Text,
    pub(super) certificate: Text,
    pub(super) key: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawAdmin {
    pub(super) address: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawClients {
    pub(super) certificates: Option<RawCertificates>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawCertificates {
    pub(super) authority: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawCluster {
    pub(super) name: Text,
    pub(super) server: Text,
    pub(super) authority: Text,
    pub(super) identity: Spanned<RawUpstreamIdentity>,
    #[serde(default)]
    pub(super) hosts: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawUpstreamIdentity {
    pub(super) certificate: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) token_file: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct RawLimits {
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) sessions: Option<Spanned<usize>>,
    pub(super) duration: Option<Text>,
    pub(super) idle: Option<Text>,
    pub(super) recorder_stall: Option<Text>,
    pub(super) message: Option<Text>,
}
