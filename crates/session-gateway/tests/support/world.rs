//! A gateway between clients and a fake API server, all in this process.

use crate::client::Client;
use crate::evidence::Evidence;
use crate::fake_api::FakeApi;
use crate::pki::{Authority, Leaf};
use session_gateway::{Config, Running, start_on};
use session_store::{Disk, RealDisk};
use std::path::Path;
use std::sync::Arc;
use test_folder::TestFolder;

pub(crate) struct World {
    pub(crate) api: FakeApi,
    pub(crate) gateway: Running,
    pub(crate) config: Config,
    pub(crate) evidence: Evidence,
    clients: Authority,
    gateway_authority: String,
    // The last, so that nothing writes into it any more when it goes.
    pub(crate) folder: TestFolder,
}

/// A user of tests.
pub(crate) const ALICE: (&str, &[&str]) = ("alice", &["developers"]);

/// Rules under which alice may do everything but in one namespace.
pub(crate) const RULES: &str = "\
rules:
  - name: developers
    groups: [developers]
    effect: allow
  - name: not-in-kube-system
    verbs: [exec, attach, port-forward]
    namespaces: [kube-system]
    effect: deny
    message: ask the platform team
";

/// What tests do differently.
pub(crate) struct Wish {
    pub(crate) rules: String,
    /// More of what is said of recordings.
    pub(crate) recordings: String,
    /// More proofs than certificates, a line each.
    pub(crate) clients: String,
    /// Files beside the configuration.
    pub(crate) files: Vec<(&'static str, String)>,
    /// More of the configuration, at its end.
    pub(crate) more: String,
    pub(crate) durability: &'static str,
    pub(crate) disk: Arc<dyn Disk>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            rules: RULES.to_owned(),
            recordings: String::new(),
            clients: String::new(),
            files: Vec::new(),
            more: String::new(),
            durability: "group",
            disk: Arc::new(RealDisk),
        }
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Wish::default()).await
    }

    pub(crate) async fn with(wish: Wish) -> Self {
        let folder = TestFolder::new();
        let servers = Authority::new("servers");
        let clients = Authority::new("clients");
        let upstream_clients = Authority::new("upstream clients");
        let api = FakeApi::start(&upstream_clients, &servers.server(&["127.0.0.1"])).await;
        write_leaf(&folder, "gateway", &servers.server(&["gateway"]));
        write_leaf(&folder, "identity", &upstream_clients.client("weir-gateway", &["weir"]));
        folder.write("clients.crt", clients.pem());
        folder.write("servers.crt", servers.pem());
        for (name, content) in &wish.files {
            folder.write(name, content);
        }
        let evidence = Evidence::new(&folder);
        let text = configuration(&api, &evidence, &wish);
        let config = parse(&text, &folder);
        let gateway = start_on(&config, wish.disk).await.unwrap();
        Self { api, gateway, config, evidence, clients, gateway_authority: servers.pem(), folder }
    }

    /// Stops the gateway, lets something happen to its files, and starts it again.
    pub(crate) async fn after(self, happens: impl FnOnce(&Path)) -> Self {
        let Self { gateway, config, folder, .. } = self;
        gateway.stop().await;
        happens(folder.path());
        let gateway = start_on(&config, Arc::new(RealDisk)).await.unwrap();
        Self { gateway, config, folder, ..self }
    }

    /// Proves to be this user with a certificate.
    pub(crate) fn client(&self, (user, groups): (&str, &[&str])) -> Client {
        self.client_with(Some(&self.clients.client(user, groups)))
    }

    pub(crate) fn client_with(&self, leaf: Option<&Leaf>) -> Client {
        Client::new(self.gateway.address(), self.gateway_authority.clone(), leaf)
    }
}

fn write_leaf(folder: &TestFolder, name: &str, leaf: &Leaf) {
    folder.write(format!("{name}.crt"), &leaf.certificate);
    folder.write(format!("{name}.key"), &leaf.key);
}

fn parse(text: &str, folder: &TestFolder) -> Config {
    let mut files = finding_model::SourceFiles::default();
    let file = files.add("gateway.yaml".to_owned());
    Config::parse(text, file, folder.path()).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

fn configuration(api: &FakeApi, evidence: &Evidence, wish: &Wish) -> String {
    let Wish { rules, recordings, clients, files: _, more, durability, disk: _ } = wish;
    format!(
        "name: test
listen:
  address: 127.0.0.1:0
  certificate: gateway.crt
  key: gateway.key
admin:
  address: 127.0.0.1:0
clients:
  certificates:
    authority: clients.crt
{clients}clusters:
  - name: fake
    server: https://{}/base
    authority: servers.crt
    identity:
      certificate: identity.crt
      key: identity.key
{rules}activity: {{calls: mutations}}
recordings:
  folder: recordings
  readers:
    output: [{{age: {recipient}}}]
    input: [{{age: {recipient}}}]
  durability: {{terminals: {durability}, others: {durability}}}
  freeSpace: {{admission: 3, drain: 2, critical: 1}}
  ballast: 64KiB
{recordings}ledger:
  folder: ledger
  key: ledger.key
{more}",
        api.address,
        recipient = evidence.recipient(),
    )
}
