//! The part of the configuration that says who may see sessions.
#![cfg(test)]

use expect_test::{Expect, expect};
use finding_model::SourceFiles;
use session_gateway::Config;
use std::path::Path;

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn parse(console: &str) -> Result<Config, String> {
    let text = format!(
        "console:
{console}
name: edge
listen: {{address: \"127.0.0.1:8443\", certificate: server.pem, key: server.key}}
clients: {{certificates: {{authority: clients.pem}}}}
clusters:
- {{name: prod, server: \"https://10.0.0.1:6443\", authority: ca.pem, identity: {{tokenFile: token}}}}
recordings:
  folder: recordings
  readers: {{output: [{{age: {RECIPIENT}}}], input: [{{age: {RECIPIENT}}}]}}
ledger: {{folder: ledger, key: ledger.key}}
"
    );
    let mut files = SourceFiles::default();
    let file = files.add("gateway.yaml".to_owned());
    Config::parse(&text, file, Path::new("etc")).map_err(|findings| {
        let told = findings.iter().map(|finding| {
            let line = finding.span.map_or(0, |span| span.line);
            let (code, message, help) = (finding.code, &finding.message, &finding.help);
            format!("{line} {code}: {message}; {help}")
        });
        told.collect::<Vec<_>>().join("\n")
    })
}

fn check(console: &str, expected: &Expect) {
    let told = match parse(console) {
        Ok(config) => format!("{:#?}", config.console.unwrap()),
        Err(told) => told,
    };
    expected.assert_eq(&told);
}

#[test]
fn whoever_is_granted_something_is_listed() {
    let console = "  address: 127.0.0.1:8444
  identities: [shown.key]
  owners: [list]
  grants:
  - {groups: [auditors], namespaces: [shop], permissions: [list, view]}";
    check(
        console,
        &expect![[r#"
        Console {
            listen: Listen {
                address: 127.0.0.1:8444,
                certificate: "etc/server.pem",
                key: "etc/server.key",
            },
            identities: [
                "etc/shown.key",
            ],
            grants: SessionGrants {
                grants: [
                    SessionGrant {
                        users: [],
                        groups: [
                            Pattern(
                                "auditors",
                            ),
                        ],
                        clusters: Any,
                        namespaces: Listed(
                            [
                                Pattern(
                                    "shop",
                                ),
                            ],
                        ),
                        permissions: {
                            List,
                            View,
                        },
                    },
                ],
                owners: {
                    List,
                },
            },
        }"#]],
    );
}

#[test]
fn a_certificate_of_its_own_is_used() {
    let console = "  {address: \"[::1]:8444\", certificate: console.pem, key: console.key}";
    check(
        console,
        &expect![[r#"
        Console {
            listen: Listen {
                address: [::1]:8444,
                certificate: "etc/console.pem",
                key: "etc/console.key",
            },
            identities: [],
            grants: SessionGrants {
                grants: [],
                owners: {},
            },
        }"#]],
    );
}

#[test]
fn everything_that_is_wrong_is_said() {
    let console = "  address: everywhere
  certificate: console.pem
  owners: [view, see]
  grants:
  - {permissions: [list]}
  - {users: [ann], permissions: []}
  - {users: [ann], permissions: [input, list]}
  - {users: [ann], permissions: [kill]}";
    check(
        console,
        &expect![[r#"
        2 gateway-config-value: `everywhere` is not an address to listen on; write an address and a port, for instance `0.0.0.0:8443` or `[::]:8443`
        3 gateway-config-value: a certificate is of no use without its key; write `certificate` and `key`, or leave both away: then the gateway's own are used
        4 gateway-config-value: `see` is not known here; write one of list, view, input, note, hold, freeze, kill
        6 gateway-config-value: this grant is for nobody; name its `users` or its `groups`; `*` stands for any part of a name
        7 gateway-config-value: this grant allows nothing; write some of list, view, input, note, hold, freeze, kill
        8 gateway-config-value: `input` is of no use without `view`; write `view` beside it
        9 gateway-config-value: `kill` is of no use without `list`; write `list` beside it"#]],
    );
    check(
        "  {address: \"127.0.0.1:1\", grant: []}",
        &expect![
            "2 gateway-config-syntax: unknown field `grant`, expected one of address, certificate, key, identities, owners, grants at line 2, column 28; docs/gateway-config.md lists every key with the values that it takes"
        ],
    );
}
