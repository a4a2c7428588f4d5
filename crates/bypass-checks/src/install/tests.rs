//! What is installed, as a person would read it, and what is not.

use super::policy::{Lists, policy};
use super::*;
use expect_test::{expect, expect_file};

fn account(text: &str) -> ServiceAccount {
    text.parse().unwrap()
}

#[test]
fn what_is_installed_where_nothing_is_asked_for() {
    let yaml = Installation::default().yaml().unwrap();
    expect_file!["../../tests/golden/default.yaml"].assert_eq(&yaml);
}

#[test]
fn what_is_installed_with_every_option() {
    let installation = Installation {
        gateway: GatewayIdentity::User("weir's \"gateway\"".to_owned()),
        impersonation: Impersonation::Constrained(Requests::Everything),
        groups: vec!["devs".to_owned(), "ops".to_owned()],
        service_accounts: ["ci/deployer", "ci/tester", "jobs/batch"].map(account).into(),
        mode: PolicyMode::Observe,
        break_glass: BreakGlass {
            users: vec!["rescue\"] || true || [\"".to_owned(), "größe\\".to_owned()],
            groups: vec!["rescuers".to_owned()],
        },
        components: vec!["system:serviceaccount:monitoring:prometheus".to_owned()],
        exempt_namespaces: vec!["kube-system".to_owned()],
        gateway_url: Some("https://gateway.example:8443".to_owned()),
    };
    expect_file!["../../tests/golden/every-option.yaml"].assert_eq(&installation.yaml().unwrap());
}

#[test]
fn what_is_installed_for_an_old_api_server() {
    let installation =
        Installation { impersonation: Impersonation::Legacy, ..Installation::default() };
    let documents = identity::documents(&installation);
    let role = documents.iter().find(|document| document.object["kind"] == "ClusterRole").unwrap();
    expect_file!["../../tests/golden/old-api-server-role.yaml"].assert_eq(&role.yaml());
}

#[test]
fn yaml_is_the_objects() {
    let installation = Installation::default();
    let texts = installation.yaml().unwrap();
    let read: Vec<Value> =
        texts.split("---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    let objects: Vec<Value> =
        installation.documents().unwrap().into_iter().map(|document| document.object).collect();
    assert_eq!(read, objects);
}

#[test]
fn names_that_exempt_everybody_or_nobody_are_refused() {
    let with = |change: fn(&mut Installation)| {
        let mut installation = Installation::default();
        change(&mut installation);
        installation.yaml().map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    };
    let said = [
        with(|wanted| wanted.break_glass.groups.push("system:authenticated".to_owned())),
        with(|wanted| wanted.break_glass.groups.push("system:serviceaccounts:ci".to_owned())),
        with(|wanted| wanted.break_glass.users.push(" rescue".to_owned())),
        with(|wanted| wanted.groups.push("system:masters".to_owned())),
        with(|wanted| wanted.exempt_namespaces.push("Kube System".to_owned())),
        with(|wanted| wanted.gateway = GatewayIdentity::of_user("system:serviceaccount:a_b:c")),
        with(|wanted| wanted.components.push("a\nb".to_owned())),
    ];
    expect![[r#"
        the group system:authenticated cannot break the glass: everybody is in it, or is a cluster admin by it; name a group of its own
        the group system:serviceaccounts:ci cannot break the glass: everybody is in it, or is a cluster admin by it; name a group of its own
        " rescue" is no name of a user
        the gateway may not give callers the group system:masters: members of it may change the policy
        "Kube System" is no name of a namespace
        "a_b" is no name of a namespace
        "a\nb" is no name of a user"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn the_policies_ask_for_the_key_that_the_gateway_sets() {
    for policy in [policy(&Lists::default(), ""), break_glass_policy(&Lists::default())] {
        let text = policy.to_string();
        assert!(
            text.contains(&format!("\\\"{}\\\" in request", crate::names::SESSION_KEY)),
            "{text}"
        );
    }
}
