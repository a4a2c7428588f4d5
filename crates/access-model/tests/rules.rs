//! What rules decide, and who decided.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use access_model::{
    Ask, Conditions, Decision, DurabilityMode, Effect, Head, HttpVersion, Identity,
    LabelRequirement, LabelTest, Names, Pattern, PodFacts, Privilege, Privileges, Proof, Request,
    Rule, Rules, RulesError, Terminals, Terms, Times, Verb, Verbs, Weekday, Who, Window, classify,
};
use std::collections::BTreeMap;

/// Monday 2026-03-02, 12:00 UTC.
const NOW: i64 = 1_772_452_800;
const HOUR: i64 = 3_600;

fn rule(name: &str, effect: Effect) -> Rule {
    Rule {
        name: name.to_owned(),
        who: Who::Anyone,
        verbs: Verbs::Any,
        place: Conditions::default(),
        times: Times::default(),
        effect,
    }
}

fn allow(name: &str, verbs: &[Verb]) -> Rule {
    let verbs = Verbs::Listed(verbs.to_vec());
    Rule { verbs, ..rule(name, Effect::Allow(Terms::default())) }
}

fn deny(name: &str) -> Rule {
    rule(name, Effect::Deny { message: None })
}

fn names(patterns: &[&str]) -> Names {
    Names::Listed(patterns.iter().map(|text| Pattern((*text).to_owned())).collect())
}

fn place(change: impl FnOnce(&mut Conditions)) -> Conditions {
    let mut place = Conditions::default();
    change(&mut place);
    place
}

fn request(method: &str, target: &str) -> Request {
    let upgrade: &[(&str, &[u8])] = &[("connection", b"Upgrade"), ("upgrade", b"websocket")];
    let is_stream = ["/exec?", "/attach?", "/portforward"].iter().any(|end| target.contains(end));
    let headers = if is_stream { upgrade } else { &[] };
    let version = HttpVersion::Http11;
    classify(&Head { method, target, version, protocol: None, headers }).expect("a known request")
}

fn exec(namespace: &str, options: &str) -> Request {
    let target = format!("/api/v1/namespaces/{namespace}/pods/web-0/exec?command=sh&{options}");
    request("GET", &target)
}

fn pod(labels: &[(&str, &str)], containers: &[&str]) -> PodFacts {
    PodFacts {
        namespace: "shop".to_owned(),
        name: "web-0".to_owned(),
        uid: "u".to_owned(),
        node: None,
        service_account: None,
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        containers: containers.iter().map(|name| (*name).to_owned()).collect(),
        init_containers: vec![],
        ephemeral_containers: vec![],
    }
}

fn ada() -> Identity {
    Identity {
        user: "ada@example.org".to_owned(),
        uid: None,
        groups: vec!["ops".to_owned(), "oncall".to_owned()],
        extra: BTreeMap::new(),
        proof: Proof::ServiceAccountToken { digest: String::new() },
        expires_at: None,
    }
}

/// What is asked beside the request, with what a test does not care about filled in.
struct Asking<'ask> {
    pod: Option<&'ask PodFacts>,
    privileges: Privileges,
    reason: Option<&'ask str>,
    cluster: &'ask str,
    now: i64,
}

const ASKING: Asking<'static> =
    Asking { pod: None, privileges: Privileges::NotAsked, reason: None, cluster: "prod", now: NOW };

/// The decision in a line: the rule that allows and until when, or the sentence.
fn decide(rules: &[Rule], request: &Request, asking: &Asking<'_>) -> String {
    let Asking { pod, privileges, reason, cluster, now } = asking;
    let (pod, reason, now) = (*pod, *reason, *now);
    let identity = ada();
    let ask = Ask { identity: &identity, cluster, request, pod, privileges, reason, now };
    match Rules::new(rules.to_vec()).expect("possible rules").decide(&ask) {
        Decision::Allowed(grant) => match grant.ends_at {
            Some(end) => format!("allowed by {} for {} s", grant.rule.word(), end - now),
            None => format!("allowed by {}", grant.rule.word()),
        },
        Decision::Refused(denial) => denial.to_string(),
    }
}

const NO_RULE: &str = "no rule of the gateway allows this; ask its operator for one";

fn denied_by(name: &str) -> String {
    format!("the gateway's rule \"{name}\" denies this; ask its operator")
}

fn may_be_denied_by(name: &str, why: &str) -> String {
    format!("the gateway's rule \"{name}\" may deny this, and {why}, so it is refused")
}

#[test]
fn without_rules_plain_traffic_is_left_to_the_cluster_and_the_rest_is_refused() {
    let pods = "/api/v1/namespaces/shop/pods/web-0";
    let open = "allowed by default: left to the cluster";
    let requests = [
        (request("GET", "/version"), open),
        (request("DELETE", pods), open),
        (request("GET", &format!("{pods}/log")), open),
        (exec("shop", "stdout=true"), NO_RULE),
        (request("GET", &format!("{pods}/attach?stdout=true")), NO_RULE),
        (request("GET", &format!("{pods}/portforward")), NO_RULE),
        (request("PATCH", &format!("{pods}/ephemeralcontainers")), NO_RULE),
        (request("GET", &format!("{pods}/proxy/")), NO_RULE),
        (request("GET", "/api/v1/nodes/n/proxy/metrics"), NO_RULE),
        (request("POST", "/api/v1/namespaces/shop/serviceaccounts/s/token"), NO_RULE),
        (request("GET", "/logs/"), NO_RULE),
    ];
    for (request, expected) in requests {
        assert_eq!(decide(&[], &request, &ASKING), expected, "{request:?}");
    }
}

#[test]
fn of_rules_that_allow_the_first_decides_and_a_rule_that_denies_wins() {
    let exec = exec("shop", "stdout=true");
    let (first, second) = (allow("first", &[Verb::Exec]), allow("second", &[Verb::Exec]));
    let rules = [allow("logs", &[Verb::Logs]), first.clone(), second.clone()];
    assert_eq!(decide(&rules, &exec, &ASKING), "allowed by first");
    assert_eq!(decide(&[first, second, deny("last")], &exec, &ASKING), denied_by("last"));
    let message = Some("use the runbook".to_owned());
    let with_message = rule("freeze", Effect::Deny { message });
    assert_eq!(
        decide(&[with_message], &request("GET", "/version"), &ASKING),
        "the gateway's rule \"freeze\" denies this: use the runbook"
    );
}

#[test]
fn a_rule_is_about_users_or_groups() {
    let exec = exec("shop", "stdout=true");
    let with = |users: &[&str], groups: &[&str]| {
        let patterns = |texts: &[&str]| -> Vec<Pattern> {
            texts.iter().map(|text| Pattern((*text).to_owned())).collect()
        };
        let who = Who::Listed { users: patterns(users), groups: patterns(groups) };
        decide(&[Rule { who, ..allow("r", &[Verb::Exec]) }], &exec, &ASKING)
    };
    assert_eq!(with(&["*@example.org"], &[]), "allowed by r");
    assert_eq!(with(&["bob"], &["on*"]), "allowed by r");
    assert_eq!(with(&["bob", "ops"], &["dev", "ada@example.org"]), NO_RULE);
}

#[test]
fn a_rule_is_about_clusters_namespaces_and_names() {
    let exec = exec("shop", "stdout=true");
    let with = |place| decide(&[Rule { place, ..allow("r", &[Verb::Exec]) }], &exec, &ASKING);
    assert_eq!(with(place(|place| place.clusters = names(&["prod"]))), "allowed by r");
    assert_eq!(with(place(|place| place.clusters = names(&["dev"]))), NO_RULE);
    assert_eq!(with(place(|place| place.namespaces = names(&["sh*"]))), "allowed by r");
    assert_eq!(with(place(|place| place.namespaces = names(&["pay"]))), NO_RULE);
    assert_eq!(with(place(|place| place.names = names(&["web-*"]))), "allowed by r");
    assert_eq!(with(place(|place| place.names = names(&["db-*"]))), NO_RULE);
}

#[test]
fn what_is_about_all_namespaces_is_about_the_one_that_is_denied() {
    let place = place(|place| place.namespaces = names(&["pci"]));
    let rules = [Rule { place, ..deny("no-pci") }];
    let decide = |method, target: &str| decide(&rules, &request(method, target), &ASKING);
    let open = "allowed by default: left to the cluster";
    let all = may_be_denied_by("no-pci", "the request is about all namespaces");
    assert_eq!(decide("GET", "/api/v1/namespaces/pci/secrets"), denied_by("no-pci"));
    assert_eq!(decide("DELETE", "/api/v1/namespaces/pci"), denied_by("no-pci"));
    assert_eq!(decide("GET", "/api/v1/namespaces/shop/secrets"), open);
    assert_eq!(decide("GET", "/api/v1/secrets"), all);
    assert_eq!(decide("GET", "/apis/apps/v1/deployments?watch=true"), all);
    assert_eq!(decide("GET", "/api/v1/nodes/n/proxy/logs/"), all);
    for cluster_wide in [
        "/version",
        "/api/v1/nodes",
        "/api/v1/namespaces",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/example.com/v1/widgets/w",
    ] {
        assert_eq!(decide("GET", cluster_wide), open, "{cluster_wide}");
    }
    assert_eq!(decide("POST", "/api/v1/namespaces"), open);
}

#[test]
fn labels_of_a_pod_have_to_be_known() {
    let exec = exec("shop", "stdout=true");
    let label = |key: &str, test| LabelRequirement { key: key.to_owned(), test };
    let in_tier = label("tier", LabelTest::In(vec!["web".to_owned()]));
    let no_pci = label("pci", LabelTest::Absent);
    let labels = place(|place| place.labels = vec![in_tier, no_pci]);
    let rules = [Rule { place: labels, ..allow("web", &[Verb::Exec]) }];
    let with = |pod: Option<&PodFacts>| decide(&rules, &exec, &Asking { pod, ..ASKING });
    assert_eq!(with(Some(&pod(&[("tier", "web")], &[]))), "allowed by web");
    assert_eq!(with(Some(&pod(&[("tier", "web"), ("pci", "")], &[]))), NO_RULE);
    assert_eq!(with(Some(&pod(&[], &[]))), NO_RULE);
    assert_eq!(with(None), NO_RULE);
    let other = PodFacts { name: "other".to_owned(), ..pod(&[("tier", "web")], &[]) };
    assert_eq!(with(Some(&other)), NO_RULE);

    let exists = place(|place| place.labels = vec![label("pci", LabelTest::Exists)]);
    let rules = [allow("all", &[Verb::Exec, Verb::Proxy]), Rule { place: exists, ..deny("pci") }];
    let unknown = may_be_denied_by("pci", "the labels of the pods that it reaches are not known");
    let pci = pod(&[("pci", "")], &[]);
    let harmless = pod(&[], &[]);
    assert_eq!(decide(&rules, &exec, &Asking { pod: Some(&pci), ..ASKING }), denied_by("pci"));
    let asking = Asking { pod: Some(&harmless), ..ASKING };
    assert_eq!(decide(&rules, &exec, &asking), "allowed by all");
    assert_eq!(decide(&rules, &exec, &ASKING), unknown);
    let service = request("GET", "/api/v1/namespaces/shop/services/web/proxy/");
    assert_eq!(decide(&rules, &service, &ASKING), unknown);
    let not_in = LabelTest::NotIn(vec!["web".to_owned()]);
    let others = place(|place| place.labels = vec![label("tier", not_in)]);
    let rules = [allow("all", &[Verb::Exec]), Rule { place: others, ..deny("not-web") }];
    assert_eq!(decide(&rules, &exec, &asking), denied_by("not-web"));
}

#[test]
fn the_container_is_the_named_one_or_the_only_one() {
    let containers = place(|place| place.containers = names(&["app"]));
    let rules = [Rule { place: containers, ..allow("app", &[Verb::Exec, Verb::PortForward]) }];
    let unnamed = exec("shop", "stdout=true");
    let with = |pod: &PodFacts| decide(&rules, &unnamed, &Asking { pod: Some(pod), ..ASKING });
    assert_eq!(
        decide(&rules, &exec("shop", "stdout=true&container=app"), &ASKING),
        "allowed by app"
    );
    assert_eq!(decide(&rules, &exec("shop", "stdout=true&container=vault"), &ASKING), NO_RULE);
    assert_eq!(with(&pod(&[], &["app"])), "allowed by app");
    assert_eq!(with(&pod(&[], &["app", "vault"])), NO_RULE);
    // A port belongs to all containers of a pod.
    let forward = request("GET", "/api/v1/namespaces/shop/pods/web-0/portforward");
    assert_eq!(decide(&rules, &forward, &ASKING), NO_RULE);
}

#[test]
fn privileges_of_new_pods_can_be_denied() {
    let listed = place(|place| place.privileges = vec![Privilege::HostPid, Privilege::HostPath]);
    let rules = [Rule { place: listed, ..deny("no-node-shells") }];
    let create = request("POST", "/api/v1/namespaces/shop/pods");
    let with = |privileges| decide(&rules, &create, &Asking { privileges, ..ASKING });
    let open = "allowed by default: left to the cluster";
    assert_eq!(with(Privileges::Known(vec![Privilege::HostPid])), denied_by("no-node-shells"));
    assert_eq!(with(Privileges::Known(vec![Privilege::NodeName])), open);
    assert_eq!(
        with(Privileges::Unreadable),
        may_be_denied_by("no-node-shells", "what the pod would be given could not be read")
    );
    assert_eq!(with(Privileges::NotAsked), open);
}

#[test]
fn terms_ask_for_a_reason_and_refuse_terminals() {
    let terms = Terms {
        reason_characters: Some(8),
        terminals: Terminals::Refused,
        durability: Some(DurabilityMode::Strict),
        ..Terms::default()
    };
    let verbs = Verbs::Listed(vec![Verb::Exec]);
    let rules =
        [Rule { verbs, ..rule("careful", Effect::Allow(terms)) }, allow("later", &[Verb::Exec])];
    let with =
        |options, reason| decide(&rules, &exec("shop", options), &Asking { reason, ..ASKING });
    let missing = "the gateway's rule \"careful\" asks for a reason of 8 characters or more; give one and try again";
    assert_eq!(with("stdout=true", None), missing);
    assert_eq!(with("stdout=true", Some("  short \u{a0} ")), missing);
    assert_eq!(with("stdout=true", Some("INC-4711")), "allowed by careful");
    assert_eq!(
        with("stdout=true&tty=true", Some("INC-4711")),
        "the gateway's rule \"careful\" allows no terminals; run the command without -t"
    );
}

#[test]
fn a_rule_applies_in_its_time_and_ends_with_it() {
    let exec = exec("shop", "stdout=true");
    let office = Window {
        days: Weekday::ALL[..5].to_vec(),
        from_minute: 9 * 60,
        to_minute: 17 * 60,
        offset_minutes: 0,
    };
    let times = Times { windows: vec![office], ..Times::default() };
    let rules = [Rule { times, ..allow("office", &[Verb::Exec]) }, allow("always", &[Verb::Exec])];
    let at = |now| decide(&rules, &exec, &Asking { now, ..ASKING });
    assert_eq!(at(NOW), "allowed by office for 18000 s");
    assert_eq!(at(NOW + 5 * HOUR), "allowed by always");
    let until = Times { until: Some(NOW), ..Times::default() };
    let rules = [allow("always", &[Verb::Exec]), Rule { times: until, ..deny("freeze") }];
    let at = |now| decide(&rules, &exec, &Asking { now, ..ASKING });
    assert_eq!(at(NOW - 1), denied_by("freeze"));
    assert_eq!(at(NOW), "allowed by always");
}

#[test]
fn rules_that_are_not_possible_are_named() {
    let error = |rules: Vec<Rule>| Rules::new(rules).unwrap_err();
    let name = || "r".to_owned();
    let allowed = || allow("r", &[Verb::Exec]);
    assert_eq!(error(vec![deny(" ")]), RulesError::Unnamed { place: 1 });
    assert_eq!(error(vec![deny("r"), allowed()]), RulesError::SameName { name: name() });
    let reserved = "default: mine".to_owned();
    assert_eq!(error(vec![deny(&reserved)]), RulesError::ReservedName { name: reserved });
    let empty = |what| RulesError::EmptyList { name: name(), what };
    assert_eq!(error(vec![allow("r", &[])]), empty("verbs"));
    let nowhere = place(|place| place.namespaces = names(&[]));
    assert_eq!(error(vec![Rule { place: nowhere, ..allowed() }]), empty("namespaces"));
    let nobody = Who::Listed { users: vec![], groups: vec![] };
    assert_eq!(error(vec![Rule { who: nobody, ..allowed() }]), empty("users and groups"));
    let times = Times { from: Some(2), until: Some(2), windows: vec![] };
    assert_eq!(error(vec![Rule { times, ..allowed() }]), RulesError::Interval { name: name() });
    let window = |from_minute, to_minute, offset_minutes| {
        let days = vec![Weekday::Monday];
        let windows = vec![Window { days, from_minute, to_minute, offset_minutes }];
        error(vec![Rule { times: Times { windows, ..Times::default() }, ..allowed() }])
    };
    for found in [window(1440, 1, 0), window(0, 1441, 0), window(0, 0, 0), window(0, 1, 900)] {
        assert_eq!(found, RulesError::Window { name: name() });
    }
    let terms = Terms { longest_s: Some(0), ..Terms::default() };
    assert!(matches!(error(vec![rule("r", Effect::Allow(terms))]), RulesError::NoTime { .. }));
}
