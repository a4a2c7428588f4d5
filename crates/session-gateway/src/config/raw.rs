//! The configuration as it is written: names of keys, nothing checked. `docs/gateway-config.md` describes it.

use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

pub(super) type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawConfig {
    pub(super) name: Text,
    pub(super) listen: RawListen,
    pub(super) admin: Option<RawAdmin>,
    pub(super) console: Option<RawConsole>,
    pub(super) clients: RawClients,
    pub(super) clusters: Spanned<Vec<RawCluster>>,
    #[serde(default)]
    pub(super) rules: Vec<Spanned<RawRule>>,
    #[serde(default)]
    pub(super) activity: RawActivity,
    pub(super) recordings: RawRecordings,
    pub(super) ledger: RawLedger,
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
pub(super) struct RawConsole {
    pub(super) address: Text,
    pub(super) certificate: Option<Text>,
    pub(super) key: Option<Text>,
    #[serde(default)]
    pub(super) identities: Vec<Text>,
    #[serde(default)]
    pub(super) owners: Vec<Text>,
    #[serde(default)]
    pub(super) grants: Vec<Spanned<RawGrant>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawGrant {
    #[serde(default)]
    pub(super) users: Vec<String>,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    pub(super) clusters: Option<Vec<String>>,
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) permissions: Spanned<Vec<Text>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawClients {
    pub(super) certificates: Option<RawCertificates>,
    #[serde(default)]
    pub(super) oidc: Vec<RawOidc>,
    /// Tokens of service accounts, which the API server is asked about.
    #[serde(default)]
    pub(super) service_accounts: bool,
    #[serde(default)]
    pub(super) service_account_audiences: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawCertificates {
    pub(super) authority: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawOidc {
    pub(super) issuer: Text,
    pub(super) audiences: Vec<String>,
    pub(super) authority: Option<Text>,
    #[serde(default)]
    pub(super) algorithms: Vec<Text>,
    pub(super) username_claim: Option<String>,
    pub(super) username_prefix: Option<String>,
    pub(super) groups_claim: Option<String>,
    pub(super) groups_prefix: Option<String>,
    #[serde(default)]
    pub(super) required_claims: BTreeMap<String, String>,
    pub(super) leeway: Option<Text>,
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
    pub(super) requests: Option<Spanned<usize>>,
    pub(super) sessions: Option<Spanned<usize>>,
    pub(super) duration: Option<Text>,
    pub(super) idle: Option<Text>,
    pub(super) recorder_stall: Option<Text>,
    pub(super) ping: Option<Text>,
    pub(super) message: Option<Text>,
    pub(super) outlast_proof: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawRecordings {
    pub(super) folder: Text,
    pub(super) readers: RawReaders,
    #[serde(default)]
    pub(super) durability: RawDurability,
    pub(super) commit_interval: Option<Text>,
    #[serde(default)]
    pub(super) free_space: RawFreeSpace,
    pub(super) ballast: Option<Text>,
    pub(super) archive: Option<RawArchive>,
    pub(super) keep: Option<Text>,
    pub(super) upkeep: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawArchive {
    pub(super) endpoint: Text,
    pub(super) bucket: Text,
    pub(super) region: Option<Text>,
    pub(super) prefix: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawReaders {
    pub(super) output: Spanned<Vec<RawReader>>,
    pub(super) input: Spanned<Vec<RawReader>>,
}

/// One of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawReader {
    pub(super) age: Option<Text>,
    pub(super) command: Option<RawCommand>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawCommand {
    pub(super) scheme: Text,
    pub(super) key: Text,
    pub(super) program: Text,
    #[serde(default)]
    pub(super) arguments: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct RawDurability {
    pub(super) terminals: Option<RawDurabilityWord>,
    pub(super) others: Option<RawDurabilityWord>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum RawDurabilityWord {
    Group,
    Intent,
    Strict,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct RawFreeSpace {
    pub(super) admission: Option<Text>,
    pub(super) drain: Option<Text>,
    pub(super) critical: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawLedger {
    pub(super) folder: Text,
    pub(super) key: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct RawActivity {
    pub(super) calls: Option<RawCalls>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum RawCalls {
    None,
    Mutations,
    All,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawRule {
    pub(super) name: Text,
    pub(super) effect: RawEffect,
    pub(super) message: Option<Text>,
    pub(super) users: Option<Vec<String>>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) verbs: Option<Vec<Text>>,
    pub(super) clusters: Option<Vec<String>>,
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) names: Option<Vec<String>>,
    pub(super) containers: Option<Vec<String>>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) label_tests: Vec<Spanned<RawLabelTest>>,
    #[serde(default)]
    pub(super) privileges: Vec<Text>,
    pub(super) from: Option<Text>,
    pub(super) until: Option<Text>,
    #[serde(default)]
    pub(super) windows: Vec<RawWindow>,
    pub(super) reason_characters: Option<usize>,
    pub(super) terminals: Option<bool>,
    pub(super) durability: Option<RawDurabilityWord>,
    pub(super) longest: Option<Text>,
    pub(super) idle: Option<Text>,
    pub(super) bodies: Option<RawBodies>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum RawEffect {
    Allow,
    Deny,
}

/// One of the three.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawLabelTest {
    pub(super) key: String,
    #[serde(rename = "in")]
    pub(super) within: Option<Vec<String>>,
    pub(super) not_in: Option<Vec<String>>,
    pub(super) exists: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawWindow {
    pub(super) days: Vec<Text>,
    pub(super) from: Text,
    pub(super) to: Text,
    pub(super) offset: Option<Text>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum RawBodies {
    None,
    Mutations,
}
