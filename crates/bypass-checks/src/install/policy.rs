//! The policies: what is privileged is refused unless it is recorded, and who may pass the gateway is marked.
//!
//! Lists of names stand in the policies themselves and not in a ConfigMap: whoever may edit ConfigMaps somewhere would
//! otherwise be able to exempt themselves.

use super::{BreakGlass, Document, Installation, PolicyMode};
use crate::names::{BREAK_GLASS_POLICY, POLICY, POLICY_VERSION, VERSION_ANNOTATION};
use crate::privileged::{Admission, admitted_as};
use serde_json::{Value, json};

const ADMISSION: &str = "admissionregistration.k8s.io/v1";
/// By it a namespace is known. The API server sets it, and nobody can change it.
pub(crate) const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Whether there is a value of the session key, what the values are, and how one looks.
const HAS_SESSION: &str =
    "has(request.userInfo.extra) && \"weir.dev/session\" in request.userInfo.extra";
const SESSIONS: &str = "request.userInfo.extra[\"weir.dev/session\"]";
const SESSION_ID: &str = "\"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$\"";

/// Names that stand in the policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    pub(crate) users: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) components: Vec<String>,
}

pub(super) fn documents(installation: &Installation) -> Vec<Document> {
    let BreakGlass { users, groups } = installation.break_glass.clone();
    let lists = Lists { users, groups, components: installation.components.clone() };
    let actions: &[&str] = match installation.mode {
        PolicyMode::Refuse => &["Deny", "Audit"],
        PolicyMode::Observe => &["Warn", "Audit"],
    };
    let refuses = match installation.mode {
        PolicyMode::Refuse => "It refuses.",
        PolicyMode::Observe => {
            "It only warns and marks: see who would be refused, then install without --dry-run-audit."
        }
    };
    vec![
        Document {
            comment: "Refuses what is privileged unless the gateway says in which session it is recorded.\n\
                      The key is only as good as the right to set it: `weir gateway doctor` lists who has that."
                .to_owned(),
            object: policy(&lists, &message(installation)),
        },
        Document {
            comment: refuses.to_owned(),
            object: binding(POLICY, actions, &installation.exempt_namespaces),
        },
        Document {
            comment: "Marks in the audit log each use of an identity that may pass the gateway;\n\
                      `weir sessions coverage` raises an alert for each."
                .to_owned(),
            object: break_glass_policy(&lists),
        },
        Document {
            comment: "It refuses nothing, and tells the person.".to_owned(),
            object: binding(BREAK_GLASS_POLICY, &["Warn", "Audit"], &[]),
        },
    ]
}

fn message(installation: &Installation) -> String {
    let at = installation.gateway_url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
    format!(
        "exec, attach, port-forward, debug containers and proxies are recorded, and only Weir's gateway can do that: \
         run `weir login{at}` and use the context that it writes"
    )
}

/// The policy that refuses.
pub(crate) fn policy(lists: &Lists, message: &str) -> Value {
    let Lists { users, groups, components } = lists;
    json!({
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata(POLICY),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": constraints(),
            "variables": [
                {"name": "breakGlassUsers", "expression": literal(users)},
                {"name": "breakGlassGroups", "expression": literal(groups)},
                {"name": "components", "expression": literal(components)},
                {"name": "sessions", "expression": format!("{HAS_SESSION}\n? {SESSIONS} : []")},
                {"name": "isRecorded", "expression": format!(
                    "variables.sessions.size() == 1 &&\nvariables.sessions[0].matches({SESSION_ID})"
                )},
                {"name": "breaksGlass", "expression":
                    "request.userInfo.username in variables.breakGlassUsers ||\n\
                     (has(request.userInfo.groups) &&\n\
                     request.userInfo.groups.exists(group, group in variables.breakGlassGroups))"
                },
                {"name": "isComponent", "expression":
                    "request.subResource == \"proxy\" && request.userInfo.username in variables.components"
                },
            ],
            "validations": [{
                "expression": "variables.isRecorded || variables.breaksGlass || variables.isComponent",
                "message": message,
                "reason": "Forbidden",
            }],
        },
    })
}

/// The policy that marks what passes the other one for no other reason. Where it cannot be evaluated, the access is
/// refused: what is not marked, nobody would see.
pub(crate) fn break_glass_policy(lists: &Lists) -> Value {
    let breaks = format!(
        "!({HAS_SESSION} &&\n\
         {SESSIONS}.size() == 1 &&\n\
         {SESSIONS}[0].matches({SESSION_ID})) &&\n\
         (request.userInfo.username in {} ||\n\
         (has(request.userInfo.groups) &&\n\
         request.userInfo.groups.exists(group, group in {})))",
        literal(&lists.users),
        literal(&lists.groups),
    );
    json!({
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata(BREAK_GLASS_POLICY),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": constraints(),
            "matchConditions": [{"name": "breaks-glass", "expression": breaks}],
            "validations": [{
                "expression": "false",
                "message": "you passed Weir's gateway: this access is not recorded, and raises an alert",
            }],
            "auditAnnotations": [
                {"key": "identity", "valueExpression": "request.userInfo.username"},
            ],
        },
    })
}

/// A list of names as CEL has it, which is as JSON has it: both write text in double quotes, with the same escapes.
fn literal(names: &[String]) -> String {
    Value::from(names.to_vec()).to_string()
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "annotations": {VERSION_ANNOTATION: POLICY_VERSION}})
}

fn constraints() -> Value {
    json!({
        "matchPolicy": "Equivalent",
        "resourceRules": [
            {
                "apiGroups": [""],
                "apiVersions": ["*"],
                "operations": ["CONNECT"],
                "resources": admitted_as(Admission::Connect),
            },
            {
                "apiGroups": [""],
                "apiVersions": ["*"],
                "operations": ["CREATE", "UPDATE"],
                "resources": admitted_as(Admission::Update),
            },
        ],
    })
}

fn binding(policy: &str, actions: &[&str], exempt_namespaces: &[String]) -> Value {
    let mut spec = json!({"policyName": policy, "validationActions": actions});
    if let (Some(spec), false) = (spec.as_object_mut(), exempt_namespaces.is_empty()) {
        let not_in =
            json!({"key": NAMESPACE_NAME, "operator": "NotIn", "values": exempt_namespaces});
        let selector = json!({"namespaceSelector": {"matchExpressions": [not_in]}});
        spec.insert("matchResources".to_owned(), selector);
    }
    json!({
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata(policy),
        "spec": spec,
    })
}
