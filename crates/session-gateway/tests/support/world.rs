//! A gateway between clients and a fake API server, all in this process.

use crate::client::Client;
use crate::fake_api::FakeApi;
use crate::folder::Folder;
use crate::pki::{Authority, Leaf};
use session_gateway::config::Config;
use session_gateway::{Running, start};

pub(crate) struct World {
    pub(crate) folder: Folder,
    pub(crate) api: FakeApi,
    pub(crate) gateway: Running,
    pub(crate) clients: Authority,
    gateway_authority: String,
}

/// A user of tests.
pub(crate) const ALICE: (&str, &[&str]) = ("alice", &["developers"]);

impl World {
    pub(crate) async fn start() -> Self {
        let folder = Folder::new();
        let servers = Authority::new("servers");
        let clients = Authority::new("clients");
        let upstream_clients = Authority::new("upstream clients");
        let api = FakeApi::start(&upstream_clients, &servers.server(&["127.0.0.1"])).await;
        write_leaf(&folder, "gateway", &servers.server(&["gateway"]));
        write_leaf(&folder, "identity", &upstream_clients.client("weir-gateway", &["weir"]));
        folder.write("clients.crt", clients.pem());
        folder.write("servers.crt", servers.pem());
        let text = configuration(&api);
        let config = parse(&text, &folder);
        let gateway = start(&config).await.unwrap();
        Self { folder, api, gateway, clients, gateway_authority: servers.pem() }
    }

    /// Proves to be this user with a certificate.
    pub(crate) fn client(&self, (user, groups): (&str, &[&str])) -> Client {
        self.client_with(Some(&self.clients.client(user, groups)))
    }

    pub(crate) fn client_with(&self, leaf: Option<&Leaf>) -> Client {
        Client::new(self.gateway.address(), self.gateway_authority.clone(), leaf)
    }
}

fn write_leaf(folder: &Folder, name: &str, leaf: &Leaf) {
    folder.write(&format!("{name}.crt"), &leaf.certificate);
    folder.write(&format!("{name}.key"), &leaf.key);
}

fn parse(text: &str, folder: &Folder) -> Config {
    let mut files = finding_model::SourceFiles::default();
    let file = files.add("gateway.yaml".to_owned());
    Config::parse(text, file, folder.path()).unwrap()
}

fn configuration(api: &FakeApi) -> String {
    format!(
        "name: test
listen:
  address: 127.0.0.1:0
  certificate: gateway.crt
  key: gateway.key
clients:
  certificates:
    authority: clients.crt
clusters:
  - name: fake
    server: https://{}/base
    authority: servers.crt
    identity:
      certificate: identity.crt
      key: identity.key
",
        api.address
    )
}
