//! An explanation for programs. `docs/formats.md` describes the fields; they only ever grow.

use super::{ExplainReport, Explained, RouteOutcome, ServiceRoute, rule_text, words};
use crate::json::{API_VERSION, write_pretty};
use crate::map::addresses::networks;
use crate::map::json::ranges;
use finding_model::SourceSpan;
use net_types::{Protocol, Traffic};
use policy_engine::{
    Cause, End, Fix, Fork, MapPeer, NearMiss, NoFix, Opening, PolicyChange, RuleId, SideWalk,
    TierOutcome, TierStep, Verdict,
};
use policy_model::{Direction, PolicyId, RuleRef};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &ExplainReport<'_>) -> io::Result<()> {
    let assumptions = report.program.assumptions();
    let ranges = ranges(&assumptions.pod_networks);
    let document = Document {
        api_version: API_VERSION,
        kind: "Explanation",
        profile: assumptions.semantics.to_string(),
        assumptions: json!({ "podNetworks": ranges }),
        question: json!({ "from": report.from, "to": report.to, "port": report.port }),
        allowed: report.is_allowed(),
        service_ports: report.routes.iter().map(|route| report.route_value(route)).collect(),
        answers: report.answers.iter().map(|answer| report.answer(answer)).collect(),
    };
    write_pretty(out, &document)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    profile: String,
    assumptions: Value,
    question: Value,
    allowed: bool,
    /// Empty where the destination is not a Service.
    service_ports: Vec<Value>,
    answers: Vec<Value>,
}

impl ExplainReport<'_> {
    fn route_value(&self, route: &ServiceRoute) -> Value {
        let ServiceRoute { service, protocol, port, target, outcome } = route;
        let mut value = json!({
            "name": service, "protocol": protocol.to_string(), "port": port, "targetPort": target,
        });
        let rest = match outcome {
            RouteOutcome::Endpoints(endpoints) => {
                let one = |(end, port): &(End, u16)| json!({ "end": self.end(end), "port": port });
                ("endpoints", Value::from(endpoints.iter().map(one).collect::<Vec<_>>()))
            }
            RouteOutcome::Nowhere { problem, nearly } => {
                let one = |(workload, differences): &(_, Vec<_>)| {
                    let differences: Vec<String> = differences.iter().map(words::label).collect();
                    let workload: &policy_model::WorkloadRef = workload;
                    json!({ "workload": workload.to_string(), "differences": differences })
                };
                let nearly: Vec<Value> = nearly.iter().map(one).collect();
                ("problem", json!({ "message": problem.to_string(), "nearly": nearly }))
            }
        };
        extend(&mut value, [rest]);
        value
    }

    fn answer(&self, explained: &Explained) -> Value {
        let Explained { answer, explanation, near_misses, fixing, fix, hint } = explained;
        let question = &explanation.question;
        let decision = &explanation.decision;
        let near: Vec<Value> = near_misses
            .iter()
            .map(|(direction, near)| self.near_miss(*direction, near, explained))
            .collect();
        let caveats: Vec<&str> =
            self.caveats(explained).into_iter().map(|found| found.object.as_str()).collect();
        let mut value = json!({
            "verdict": decision.verdict.as_str(),
            "reasons": decision.reasons.iter().map(policy_engine::Reason::code).collect::<Vec<_>>(),
            "from": self.end(&question.from),
            "to": self.end(&question.to),
            "protocol": question.protocol.to_string(),
            "port": question.port,
            "pairs": answer.n_pairs,
            "traffic": traffic_value(&answer.traffic),
            "egress": self.side(&explanation.egress),
            "ingress": self.side(&explanation.ingress),
            "nearMisses": near,
            "caveats": caveats,
        });
        if !question.protocol.has_ports() {
            extend(&mut value, [("port", Value::Null)]);
        }
        if !answer.addresses.is_empty() {
            extend(&mut value, [("ranges", ranges(&answer.addresses).into())]);
        }
        if let Some(hint) = hint {
            let hint = json!({ "service": hint.service, "port": hint.port, "target": hint.target });
            extend(&mut value, [("servicePort", hint)]);
        }
        match fix {
            Some(Ok(fix)) => extend(&mut value, [("fix", self.fix(fix))]),
            Some(Err(NoFix::NotExpressible)) => extend(&mut value, [("fix", Value::Null)]),
            None if decision.verdict != Verdict::Allow => {
                if let Some(reason) = fixing.skipped() {
                    extend(&mut value, [("fixSkipped", reason.into())]);
                }
            }
            Some(Err(NoFix::AlreadyAllowed)) | None => {}
        }
        value
    }

    fn end(&self, end: &End) -> Value {
        match end {
            End::Pod(id) => match self.program.pod(*id) {
                Some(pod) => json!({
                    "namespace": pod.namespace,
                    "name": pod.name,
                    "workload": { "kind": pod.workload.kind.as_str(), "name": pod.workload.name },
                    "labels": pod.labels.0,
                    "hostNetwork": pod.host_network,
                }),
                None => Value::Null,
            },
            End::Address(address) => match self.program.node_at(*address) {
                Some(node) => json!({ "node": node.name, "address": address.to_string() }),
                None => json!({ "address": address.to_string() }),
            },
            End::Name(name) => json!({ "domainName": name }),
        }
    }

    fn side(&self, walk: &SideWalk) -> Value {
        let SideWalk { direction: _, side, tiers, other_direction, forks } = walk;
        let decider = match side.cause {
            Cause::Rule(rule) => self.rule(rule),
            Cause::Isolation(_) => match self.program.deciding_policy(side.cause) {
                Some(policy) => self.policy(&policy.id),
                None => Value::Null,
            },
            Cause::NoPolicy | Cause::NotAPod | Cause::OwnNode | Cause::SelfTraffic => Value::Null,
        };
        let silent: Vec<String> = other_direction.iter().map(ToString::to_string).collect();
        json!({
            "verdict": side.verdict.as_str(),
            "summary": self.flow(walk),
            "tier": self.program.deciding_tier(side.cause).as_str(),
            "cause": cause(side.cause),
            "decider": decider,
            "tiers": tiers.iter().map(|step| self.tier(step)).collect::<Vec<_>>(),
            "otherDirection": silent,
            "forks": forks.iter().map(|fork| self.fork(fork)).collect::<Vec<_>>(),
        })
    }

    fn tier(&self, step: &TierStep) -> Value {
        let policies = step.policies.iter().map(|policy| {
            let matching: Vec<Value> =
                policy.matching.iter().map(|rule| self.rule(*rule)).collect();
            let mut value = self.policy(&policy.policy);
            extend(&mut value, [("matching", matching.into())]);
            value
        });
        json!({
            "tier": step.tier.to_string(),
            "outcome": outcome(step.outcome),
            "policies": policies.collect::<Vec<_>>(),
        })
    }

    fn policy(&self, id: &PolicyId) -> Value {
        let mut value = json!({
            "kind": id.kind.as_str(), "namespace": id.namespace, "name": id.name,
        });
        let span = self.program.policy(id).and_then(|policy| policy.span);
        self.add_place(&mut value, span);
        value
    }

    fn rule(&self, id: RuleId) -> Value {
        self.program.rule_ref(id).map_or(Value::Null, |rule| self.rule_of(&rule))
    }

    fn rule_of(&self, rule_ref: &RuleRef) -> Value {
        let mut value = json!({
            "policy": rule_ref.policy.to_string(),
            "direction": rule_ref.direction.to_string(),
            "rule": rule_ref.rule,
        });
        let policy = self.program.policy(&rule_ref.policy);
        let found = policy.and_then(|policy| {
            Some((policy, policy.rules(rule_ref.direction)?.get(rule_ref.rule)?))
        });
        if let Some((policy, rule)) = found {
            let text = rule_text(rule_ref.direction, rule);
            extend(
                &mut value,
                [
                    ("name", rule.name.clone().into()),
                    ("action", rule.action.to_string().into()),
                    ("text", text.into()),
                ],
            );
            self.add_place(&mut value, rule.span.or(policy.span));
        }
        value
    }

    fn add_place(&self, value: &mut Value, span: Option<SourceSpan>) {
        if let Some(SourceSpan { file, line, column, length: _ }) = span {
            let file = self.files.name(file);
            extend(
                value,
                [("file", file.into()), ("line", line.into()), ("column", column.into())],
            );
        }
    }

    fn fork(&self, fork: &Fork) -> Value {
        let readings = fork.readings.iter().map(|reading| {
            json!({
                "assumed": words::assumed(self.program, &reading.assumed),
                "verdict": reading.verdict.map(Verdict::as_str),
            })
        });
        json!({
            "reason": fork.reason.code(),
            "text": fork.reason.text(),
            "readings": readings.collect::<Vec<_>>(),
        })
    }

    fn near_miss(&self, direction: Direction, near: &NearMiss, explained: &Explained) -> Value {
        let question = &explained.explanation.question;
        let asked = (question.protocol, question.port);
        let differences: Vec<String> =
            near.differences.iter().map(|found| words::difference(found, asked)).collect();
        json!({
            "side": direction.to_string(),
            "distance": near.distance,
            "rule": self.rule_of(&near.rule),
            "differences": differences,
        })
    }

    fn fix(&self, fix: &Fix) -> Value {
        let Fix { changes, opens, closes, shared_labels } = fix;
        let shared = shared_labels.iter().map(|shared| {
            let others: Vec<String> = shared.others.iter().map(ToString::to_string).collect();
            json!({ "workload": shared.workload.to_string(), "others": others })
        });
        json!({
            "changes": changes.iter().map(|change| self.change(change)).collect::<Vec<_>>(),
            "opens": opens.iter().map(opening).collect::<Vec<_>>(),
            "closes": closes.iter().map(opening).collect::<Vec<_>>(),
            "sharedLabels": shared.collect::<Vec<_>>(),
        })
    }

    fn change(&self, change: &PolicyChange) -> Value {
        let (direction, policy) = (change.direction(), change.policy());
        let mut value = json!({
            "direction": direction.to_string(),
            "policy": policy.id.to_string(),
            // The whole policy, to be applied as it is.
            "manifest": kube_render::policy(policy),
        });
        match change {
            PolicyChange::NewPolicy { .. } => extend(&mut value, [("change", "newPolicy".into())]),
            PolicyChange::NewRule { at, rule, .. } => {
                let patch = kube_render::rule(policy.id.kind, direction, rule, 0);
                extend(
                    &mut value,
                    [("change", "newRule".into()), ("at", (*at).into()), ("patch", patch.into())],
                );
                self.add_place(&mut value, policy.span);
            }
        }
        value
    }
}

fn opening(opening: &Opening) -> Value {
    let Opening { from, to, traffic, is_certain } = opening;
    json!({
        "from": map_peer(from),
        "to": map_peer(to),
        "traffic": traffic_value(traffic),
        "certain": is_certain,
    })
}

fn map_peer(peer: &MapPeer) -> Value {
    match peer {
        MapPeer::Namespace(name) => json!({ "namespace": name }),
        MapPeer::Workload(workload) => json!({
            "namespace": workload.namespace, "name": workload.name, "kind": workload.kind.as_str(),
        }),
        MapPeer::Pod { namespace, name, .. } => {
            json!({ "namespace": namespace, "name": name, "kind": "Pod" })
        }
        MapPeer::Outside(set) => {
            let networks: Vec<String> = networks(set).iter().map(ToString::to_string).collect();
            json!({ "ranges": ranges(set), "networks": networks })
        }
    }
}

/// As in a connection map; protocols without ports are one entry without `ports`.
fn traffic_value(traffic: &Traffic) -> Value {
    let of = |protocol: Protocol| {
        let ports = traffic.ports(protocol).filter(|ports| !ports.is_empty())?;
        Some(json!({ "protocol": protocol.to_string(), "ports": ports.to_string() }))
    };
    let other = traffic.other.then(|| json!({ "protocol": "other" }));
    Protocol::WITH_PORTS.into_iter().filter_map(of).chain(other).collect()
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Rule(_) => "rule",
        Cause::Isolation(_) => "isolation",
        Cause::NoPolicy => "no-policy",
        Cause::NotAPod => "not-a-pod",
        Cause::OwnNode => "own-node",
        Cause::SelfTraffic => "self-traffic",
    }
}

fn outcome(outcome: TierOutcome) -> &'static str {
    match outcome {
        TierOutcome::NoPolicies => "no-policies",
        TierOutcome::NoMatch => "no-match",
        TierOutcome::Passes(_) => "pass",
        TierOutcome::Accepts(_) => "allow",
        TierOutcome::Denies(_) => "deny",
        TierOutcome::DeniesByDefault => "deny-by-default",
        TierOutcome::NotAsked => "not-asked",
    }
}

fn extend<const N: usize>(value: &mut Value, fields: [(&str, Value); N]) {
    if let Some(object) = value.as_object_mut() {
        object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    }
}
