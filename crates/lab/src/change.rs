//! From what is asked for to the states that a lab goes through until it is so.

use crate::error::LabError;
use crate::plan::{PodKey, Slot, workload_key};
use crate::roll::{Roll, steps};
use crate::state::{Change, PolicyMode, State};
use crate::world::{World, with_objects};
use kube_import::{Input, Options};
use policy_model::{PolicyId, WorkloadKind, WorkloadRef};
use question_syntax::{Peer, PeerArgument, PeerIndex, did_you_mean, near};
use std::collections::BTreeSet;

/// Where a change leads in the end, with the pods that are there.
pub(crate) fn changed(
    state: &State,
    change: &Change,
    before: &World,
) -> Result<(State, World), LabError> {
    let mut state = State { epoch: state.epoch + 1, ..state.clone() };
    for policy in policies(change)? {
        let was = before.plan.snapshot.policies.contains_key(&policy);
        let name = policy.to_string();
        let mode = state.modes.get(&name).copied().unwrap_or_default();
        if was && mode == PolicyMode::Enforce && change.mode != PolicyMode::Enforce {
            return Err(LabError::Refused(format!(
                "{name} is enforced: with another mode it would enforce nothing any more; give what is \
                 to be tried another name, or ask `weir lab diff` what it would change"
            )));
        }
        match change.mode {
            PolicyMode::Enforce => state.modes.remove(&name),
            PolicyMode::Observe | PolicyMode::Staged => state.modes.insert(name, change.mode),
        };
    }
    for (name, labels) in &change.labels {
        if !before.plan.snapshot.namespaces.contains_key(name) {
            if !name.contains('/') {
                let known = before.plan.snapshot.namespaces.keys().map(String::as_str);
                let near = did_you_mean(&near(name, known));
                return Err(LabError::Refused(format!("there is no namespace {name}{near}")));
            }
            require_pod(before, name)?;
        }
        state.labels.entry(name.clone()).or_default().extend(labels.clone());
    }
    let refused =
        |error| if let LabError::Setup(text) = error { LabError::Refused(text) } else { error };
    if change.files.is_empty() && change.removed.is_empty() {
        let world = World::new(&state).map_err(refused)?;
        return Ok((state, world));
    }
    let (mut state, imported) = with_objects(&state, change).map_err(refused)?;
    let world = World::of(&state, imported).map_err(refused)?;
    let keys: BTreeSet<String> = world.templates.keys().map(workload_key).collect();
    let pods = world.plan.snapshot.pods.iter();
    let there: BTreeSet<String> = pods.map(|pod| workload_key(&pod.workload)).collect();
    state.rolled.retain(|key, _| keys.contains(key) || there.contains(key));
    Ok((state, world))
}

/// The policies in the files of a change.
fn policies(change: &Change) -> Result<Vec<PolicyId>, LabError> {
    let text =
        |(name, text): &(String, String)| Input::Text { name: name.clone(), text: text.clone() };
    let inputs: Vec<Input> = change.files.iter().map(text).collect();
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let imported = kube_import::import(&inputs, &Options::default())
        .map_err(|error| LabError::Refused(error.to_string()))?;
    Ok(imported.snapshot.policies.into_keys().collect())
}

/// Pods of these names end, or come back.
pub(crate) fn stopped(
    state: &State,
    pods: &[String],
    is_stopped: bool,
    before: &World,
) -> Result<(State, World), LabError> {
    let mut state = State { epoch: state.epoch + 1, ..state.clone() };
    for pod in pods {
        if is_stopped {
            require_pod(before, pod)?;
            state.stopped.insert(pod.clone());
        } else if !state.stopped.remove(pod) {
            let stopped: Vec<&str> = state.stopped.iter().map(String::as_str).collect();
            let others = match stopped.as_slice() {
                [] => "no pod is".to_owned(),
                stopped => format!("stopped are {}", stopped.join(", ")),
            };
            return Err(LabError::Refused(format!("{pod} is not stopped; {others}")));
        }
    }
    let world = World::new(&state)?;
    Ok((state, world))
}

/// A pod of this name; a workload's are told.
fn require_pod(world: &World, name: &str) -> Result<(), LabError> {
    let pods = &world.plan.snapshot.pods;
    if pods.iter().any(|pod| pod.to_string() == name) {
        return Ok(());
    }
    let index = PeerIndex::new(&world.plan.snapshot);
    let argument = name.parse::<PeerArgument>().map_err(|error| error.to_string());
    let resolved = argument.and_then(|of| index.resolve(&of).map_err(|error| error.to_string()));
    Err(LabError::Refused(match resolved {
        Ok(Peer::Pods(places)) => {
            let of = places.iter().filter_map(|place| pods.get(*place)).map(ToString::to_string);
            let of: Vec<String> = of.collect();
            format!("there is no pod {name}: name pods of it, {}", of.join(", "))
        }
        Ok(Peer::Service(_) | Peer::Node(_) | Peer::Addresses(_)) => {
            format!("there is no pod {name}")
        }
        Err(why) => why,
    }))
}

/// The workloads that a person names, each once, in the order of the names.
pub(crate) fn workloads(world: &World, names: &[String]) -> Result<Vec<WorkloadRef>, LabError> {
    let index = PeerIndex::new(&world.plan.snapshot);
    let workload = |name: &String| {
        let refused = |why: String| LabError::Refused(format!("{name} cannot be rolled: {why}"));
        let argument: PeerArgument = name.parse().map_err(|error| refused(format!("{error}")))?;
        let of = index.resolve(&argument).map_err(|error| LabError::Refused(error.to_string()))?;
        let Peer::Pods(places) = of else {
            return Err(refused("it is no workload".to_owned()));
        };
        let pods = places.iter().filter_map(|place| world.plan.snapshot.pods.get(*place));
        let of_pods: BTreeSet<&WorkloadRef> = pods.clone().map(|pod| &pod.workload).collect();
        let of_pods: Vec<&WorkloadRef> = of_pods.into_iter().collect();
        let [workload] = of_pods.as_slice() else {
            let all: Vec<String> = of_pods.iter().map(|of| workload_key(of)).collect();
            return Err(refused(format!("it stands for {}: name one", all.join(", "))));
        };
        if workload.kind == WorkloadKind::Pod {
            let why = "nothing owns it, so nothing replaces it: stop it and start it".to_owned();
            return Err(refused(why));
        }
        let all = world.plan.snapshot.pods.iter().filter(|pod| pod.workload == **workload);
        if all.count() > pods.count() {
            let key = workload_key(workload).to_lowercase().replacen(' ', "/", 1);
            return Err(refused(format!("it is one pod of {workload}: roll {key}")));
        }
        Ok((*workload).clone())
    };
    let mut found: Vec<WorkloadRef> = Vec::with_capacity(names.len());
    for name in names {
        let workload = workload(name)?;
        if !found.contains(&workload) {
            found.push(workload);
        }
    }
    Ok(found)
}

/// What is rolled because a change writes other pods into the template of a workload.
pub(crate) fn rolls_of_templates(before: &World, after: &World) -> Vec<Roll> {
    let templates = after.templates.iter();
    let other = templates.filter(|(workload, print)| before.templates.get(workload) != Some(print));
    other.filter_map(|(workload, _)| roll(workload, before, after)).collect()
}

/// `None` where there is nothing to replace, or nothing to replace it with.
pub(crate) fn roll(workload: &WorkloadRef, before: &World, after: &World) -> Option<Roll> {
    let old = before.plan.snapshot.pods.iter().zip(&before.plan.pods);
    let old = old.filter(|(pod, _)| pod.workload == *workload);
    let all = after.plan.snapshot.pods.iter().filter(|pod| pod.namespace == workload.namespace);
    let (new, others): (Vec<_>, Vec<_>) = all.partition(|pod| pod.workload == *workload);
    let pods = old.clone().map(|(pod, _)| pod).chain(new.iter().copied());
    let roll = Roll {
        key: workload_key(workload),
        kind: workload.kind,
        name: workload.name.clone(),
        on_host_network: pods.clone().any(|pod| pod.host_network),
        old: old.map(|(pod, planned)| (pod.name.clone(), planned.node)).collect(),
        wanted: new.len(),
        taken: others.iter().map(|pod| pod.name.clone()).collect(),
    };
    (!roll.old.is_empty() && roll.wanted > 0).then_some(roll)
}

/// The states on the way to `target`, which is the last one but for the pods that were replaced; with
/// nothing to roll it is the only one.
pub(crate) fn ways(state: &State, target: State, rolls: &[Roll]) -> Vec<State> {
    let steps = steps(rolls, &target.rolled);
    let n_steps = steps.len();
    if n_steps == 0 {
        return vec![target];
    }
    let first = target.epoch;
    let states = (first..).zip(steps).enumerate().map(|(number, (epoch, rolled))| {
        let is_last = number + 1 == n_steps;
        let before = (!is_last).then(|| Box::new(State { before: None, ..state.clone() }));
        let mut step = State { epoch, rolled, before, ..target.clone() };
        for roll in rolls {
            let slots = step.rolled.get(&roll.key).into_iter().flatten();
            for slot in slots.filter(|slot| !slot.is_old) {
                // What a person gave to the pod of before is not the new one's.
                step.labels.remove(&pod_of(roll, slot));
            }
            if is_last && step.rolled.get(&roll.key).is_some_and(|slots| are_first(roll, slots)) {
                step.rolled.remove(&roll.key);
            }
        }
        step
    });
    states.collect()
}

/// `shop/web-0`.
fn pod_of(roll: &Roll, slot: &Slot) -> String {
    let workload = roll.key.rsplit_once(' ').map_or(&*roll.key, |(_, workload)| workload);
    let namespace = workload.split_once('/').map_or(workload, |(namespace, _)| namespace);
    format!("{namespace}/{}", slot.name)
}

/// Named as pods are that were never replaced.
fn are_first(roll: &Roll, slots: &[Slot]) -> bool {
    let mut slots = slots.iter().enumerate();
    roll.kind == WorkloadKind::StatefulSet
        && slots.all(|(number, slot)| slot.name == format!("{}-{number}", roll.name))
}

/// What became of the pods, for people.
pub(crate) fn told(rolls: &[Roll], before: &World, after: &World) -> Vec<String> {
    let keys = |world: &World| -> BTreeSet<PodKey> {
        world.plan.snapshot.pods.iter().map(PodKey::of).collect()
    };
    let (old, new) = (keys(before), keys(after));
    let told = |roll: &Roll| {
        let names = |world: &World, known: &BTreeSet<PodKey>| -> Vec<String> {
            let pods = world.plan.snapshot.pods.iter();
            let of = pods.filter(|pod| workload_key(&pod.workload) == roll.key);
            of.filter(|pod| !known.contains(&PodKey::of(pod))).map(|pod| pod.name.clone()).collect()
        };
        let (gone, come) = (names(before, &new), names(after, &old));
        if come.is_empty() {
            return format!("{}: its pods are new, under the names of before", roll.key);
        }
        format!("{}: {} replaced {}", roll.key, come.join(", "), gone.join(", "))
    };
    rolls.iter().map(told).collect()
}
