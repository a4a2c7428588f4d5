//! Steps: each does one thing.

use super::{manifests, one_or_more, question};
use crate::codes;
use crate::document::{Decoder, Fields, Node, Shape, Value};
use crate::import::ObjectName;
use crate::names;
use crate::test_file::policy_or_rule;
use crate::weir_file::{optional_text, text};
use lab_scenario::{
    Action, AgentChoice, Decider, Expectation, Mode, Question, Relabel, Step, Subject, Wanted,
};
use question_syntax::{KindArgument, PeerArgument};
use std::collections::BTreeMap;

const STEP: Shape = Shape {
    name: "a step",
    fields: &[
        ("name", "the step would be called by what it does"),
        ("apply", "nothing would be applied"),
        ("mode", "what is applied would be enforced"),
        ("delete", "nothing would be deleted"),
        ("relabel", "nothing would be relabelled"),
        ("stop", "no pod would be stopped"),
        ("start", "no pod would be started"),
        ("roll", "no pods would be replaced"),
        ("killAgent", "no agent would be killed"),
        ("waitMs", "nothing would be waited for"),
        ("probe", "nothing would be tried"),
        ("expect", "nothing would be expected"),
    ],
};
const ACTIONS: [&str; 10] = [
    "apply",
    "delete",
    "relabel",
    "stop",
    "start",
    "roll",
    "killAgent",
    "waitMs",
    "probe",
    "expect",
];
const RELABEL: Shape = Shape {
    name: "`relabel`",
    fields: &[
        ("pods", "no pods would be relabelled"),
        ("namespaces", "no namespaces would be relabelled"),
        ("labels", "no labels would change"),
    ],
};
const QUESTION: Shape = Shape {
    name: "`probe`",
    fields: &[
        ("from", "everybody would try"),
        ("to", "everybody would be tried"),
        ("port", "all ports would be tried"),
    ],
};
const EXPECT: Shape = Shape {
    name: "an expectation",
    fields: &[
        ("from", "everybody would try"),
        ("to", "everybody would be tried"),
        ("port", "all ports would be tried"),
        ("verdict", "nothing would be expected"),
        ("by", "any policy could decide it"),
        ("reason", "a failure would not say why it matters"),
    ],
};
const MODES: [(&str, Mode); 3] =
    [("enforce", Mode::Enforce), ("observe", Mode::Observe), ("staged", Mode::Staged)];
const VERDICTS: [(&str, Wanted); 2] = [("allow", Wanted::Allow), ("deny", Wanted::Deny)];
const LONGEST_WAIT_MS: i64 = 600_000;
const NAME_LABEL: &str = policy_model::NAMESPACE_NAME_LABEL;

pub(super) fn step(decoder: &mut Decoder, node: &Node<'_>) -> Option<Step> {
    let fields = decoder.strict(node, &STEP)?;
    let name = optional_text(decoder, &fields, "name");
    let mut actions = ACTIONS.into_iter().filter_map(|name| Some((name, fields.field(name)?)));
    let Some((word, of)) = actions.next() else {
        let message = "the step does nothing";
        let help = format!("add one of {}", ACTIONS.join(", "));
        decoder.error(codes::MISSING_FIELD, node.place, message, help);
        return None;
    };
    if let Some((other, of)) = actions.next() {
        let message = format!("one step does both `{word}` and `{other}`");
        decoder.error(codes::TOO_MANY, of.place, message, "make it two steps");
        return None;
    }
    if let Some(mode) = fields.field("mode").filter(|_| word != "apply") {
        let message = format!("`{word}` has no mode");
        decoder.error(codes::UNKNOWN_FIELD, mode.place, message, "remove it, or use `apply`");
        return None;
    }
    let action = action(decoder, word, of, &fields);
    Some(Step { name: name?, action: action?, span: decoder.span(node.place) })
}

fn action(
    decoder: &mut Decoder,
    word: &str,
    node: &Node<'_>,
    fields: &Fields<'_, '_>,
) -> Option<Action> {
    match word {
        "apply" => {
            let mode = match fields.field("mode") {
                Some(node) => decoder.word(node, codes::BAD_VALUE, &MODES),
                None => Some(Mode::default()),
            };
            let manifests = manifests(decoder, node);
            Some(Action::Apply { manifests: manifests?, mode: mode? })
        }
        "delete" => one_or_more(decoder, node, object).map(Action::Delete),
        "relabel" => relabel(decoder, node).map(Action::Relabel),
        "stop" => one_or_more(decoder, node, pod).map(Action::Stop),
        "start" => one_or_more(decoder, node, pod).map(Action::Start),
        "roll" => one_or_more(decoder, node, workload).map(Action::Roll),
        "killAgent" => {
            let written = text(decoder, node)?;
            let choice =
                if written == "all" { AgentChoice::All } else { AgentChoice::Node(written) };
            Some(Action::KillAgent(choice))
        }
        "waitMs" => wait(decoder, node),
        "probe" => probe(decoder, node).map(Action::Probe),
        _ => one_or_more(decoder, node, expectation).map(Action::Expect),
    }
}

fn wait(decoder: &mut Decoder, node: &Node<'_>) -> Option<Action> {
    let written = decoder.integer(node)?;
    let is_short = (0..=LONGEST_WAIT_MS).contains(&written);
    let Some(milliseconds) = u32::try_from(written).ok().filter(|_| is_short) else {
        let message = format!("{written} is not 0 to {LONGEST_WAIT_MS}");
        decoder.error(codes::BAD_VALUE, node.place, message, "write milliseconds");
        return None;
    };
    Some(Action::Wait(milliseconds))
}

/// `all`, or what is to be tried.
fn probe(decoder: &mut Decoder, node: &Node<'_>) -> Option<Question> {
    if let Value::Text { .. } = &node.value {
        return decoder.word(node, codes::BAD_VALUE, &[("all", ())]).map(|()| Question::default());
    }
    let fields = decoder.strict(node, &QUESTION)?;
    question(decoder, &fields)
}

fn expectation(decoder: &mut Decoder, node: &Node<'_>) -> Option<Expectation> {
    let fields = decoder.strict(node, &EXPECT)?;
    let asked = question(decoder, &fields);
    let reason = optional_text(decoder, &fields, "reason");
    let by = match fields.field("by") {
        Some(node) => policy_or_rule(decoder, node).map(Some),
        None => Some(None),
    };
    let verdict = fields.required(decoder, "verdict")?;
    let verdict = decoder.word(verdict, codes::BAD_VALUE, &VERDICTS);
    Some(Expectation {
        question: asked?,
        verdict: verdict?,
        by: by?.map(|(policy, rule)| Decider { policy, rule }),
        reason: reason?,
        span: decoder.span(node.place),
    })
}

fn object(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let written = text(decoder, node)?;
    if let Err(error) = written.parse::<ObjectName>() {
        let help = "write it as `NetworkPolicy/shop/web`";
        decoder.error(codes::BAD_VALUE, node.place, error.to_string(), help);
        return None;
    }
    Some(written)
}

/// `namespace/name`.
fn pod(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let written = text(decoder, node)?;
    let is_pod = written.split_once('/').is_some_and(|(namespace, name)| {
        !namespace.is_empty() && !name.is_empty() && !name.contains('/')
    });
    if !is_pod {
        let message = format!("`{written}` names no pod");
        decoder.error(codes::BAD_VALUE, node.place, message, "write `namespace/name`");
        return None;
    }
    Some(written)
}

/// `namespace/name` or `kind/namespace/name`.
fn workload(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let written = text(decoder, node)?;
    match written.parse() {
        Ok(
            PeerArgument::Named { .. }
            | PeerArgument::OfKind { kind: KindArgument::Workload(_), .. },
        ) => Some(written),
        Ok(_) | Err(_) => {
            let message = format!("`{written}` names no workload");
            let help = "write `namespace/name`, or `deployment/namespace/name`";
            decoder.error(codes::BAD_VALUE, node.place, message, help);
            None
        }
    }
}

fn relabel(decoder: &mut Decoder, node: &Node<'_>) -> Option<Relabel> {
    let fields = decoder.strict(node, &RELABEL)?;
    let pods = fields.field("pods").map(|node| one_or_more(decoder, node, pod));
    let namespaces =
        fields.field("namespaces").map(|node| one_or_more(decoder, node, names::namespace));
    if pods.is_none() && namespaces.is_none() {
        let message = "nobody is relabelled";
        decoder.error(codes::MISSING_FIELD, node.place, message, "add `pods` or `namespaces`");
        return None;
    }
    let list = fields.required(decoder, "labels")?;
    let labels = labels(decoder, list)?;
    let of_namespaces = namespaces.unwrap_or(Some(Vec::new()))?;
    if !of_namespaces.is_empty() && labels.contains_key(NAME_LABEL) {
        let message = format!("`{NAME_LABEL}` is always the namespace's name");
        decoder.error(codes::BAD_LABEL, list.place, message, "use a label of your own");
        return None;
    }
    let pods = pods.unwrap_or(Some(Vec::new()))?.into_iter().map(Subject::Pod);
    let subjects = pods.chain(of_namespaces.into_iter().map(Subject::Namespace)).collect();
    Some(Relabel { subjects, labels })
}

/// Null takes a label away.
fn labels(decoder: &mut Decoder, node: &Node<'_>) -> Option<BTreeMap<String, Option<String>>> {
    let fields = decoder.lenient(node, "`labels`")?;
    let mut labels = BTreeMap::new();
    for entry in fields.entries() {
        names::check_label_key(decoder, &entry.key.text, entry.key.place);
        let value = if entry.value.is_null() {
            None
        } else {
            let value = decoder.string(&entry.value)?.to_owned();
            names::check_label_value(decoder, &value, entry.value.place);
            Some(value)
        };
        labels.insert(entry.key.text.clone().into_owned(), value);
    }
    if labels.is_empty() {
        decoder.error(codes::EMPTY_LIST, node.place, "there are no labels", "add a label");
        return None;
    }
    Some(labels)
}
