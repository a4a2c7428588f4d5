//! A lab's state, worked out: the plan, and the policies that hold in it.

use crate::error::LabError;
use crate::network::Host;
use crate::plan::Plan;
use crate::state::{Change, PolicyMode, Profile, State};
use finding_model::{Severity, SourceFiles};
use kube_import::{Changed, Imported, ObjectName, Options};
use policy_engine::{Assumptions, End, PodId, Program, Semantics};
use policy_model::{PolicyId, Snapshot, WorkloadRef};
use policy_tables::{Mode, Modes};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) struct World {
    pub plan: Plan,
    pub program: Arc<Program>,
    /// Without the policies that are not enforced: what packets must meet.
    pub enforced: Arc<Program>,
    pub files: Arc<SourceFiles>,
    pub modes: Modes,
    /// In the order of the snapshot's pods.
    pub pods: Vec<PodId>,
    /// Of each workload that makes pods, a number for what is written of them.
    pub templates: BTreeMap<WorkloadRef, u64>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl World {
    /// What a state means. The same state means the same in every process.
    pub(crate) fn new(state: &State) -> Result<Self, LabError> {
        Self::of(state, imported(state)?)
    }

    /// `imported` is what the state's objects say.
    pub(crate) fn of(state: &State, imported: Imported) -> Result<Self, LabError> {
        let Imported { snapshot, replicas, files, templates, .. } = imported;
        let plan = planned(state, snapshot, &replicas)?;
        if let Some(clash) = plan.clash() {
            return Err(LabError::Setup(clash));
        }
        let semantics = match state.setup.profile {
            Profile::Upstream => Semantics::Upstream,
            Profile::Cilium => Semantics::Cilium,
        };
        let compile = |snapshot| Arc::new(Program::compile(snapshot, Assumptions::new(semantics)));
        let program = compile(plan.snapshot.clone());
        let modes = modes(state, &plan);
        let is_enforced = |id: &PolicyId| modes.of(id) == Mode::Enforce;
        let enforced = if plan.snapshot.policies.keys().all(is_enforced) {
            Arc::clone(&program)
        } else {
            let mut snapshot = plan.snapshot.clone();
            snapshot.policies.retain(|id, _| is_enforced(id));
            compile(snapshot)
        };
        let by_name: HashMap<(&str, &str), PodId> =
            program.pods().map(|(id, pod)| ((&*pod.namespace, &*pod.name), id)).collect();
        let pods = plan.snapshot.pods.iter();
        let pods = pods.filter_map(|pod| by_name.get(&(&*pod.namespace, &*pod.name)).copied());
        let pods = pods.collect();
        Ok(Self { plan, program, enforced, files: Arc::new(files), modes, pods, templates })
    }

    /// Pods of one host network share its addresses, so the place has to tell them apart.
    pub(crate) fn end(&self, host: Host, address: IpAddr) -> End {
        let pod = match host {
            Host::Pod(place) => self.pods.get(place).copied(),
            Host::Node(_) | Host::External(_) => None,
        };
        pod.map_or(End::Address(address), End::Pod)
    }
}

/// Pods that are still to be replaced are those of the state before.
fn planned(
    state: &State,
    snapshot: Snapshot,
    replicas: &BTreeMap<WorkloadRef, u32>,
) -> Result<Plan, LabError> {
    let mut options = state.plan_options();
    if let Some(before) = &state.before {
        let Imported { snapshot, replicas, .. } = imported(before)?;
        let before = Plan::new(snapshot, &replicas, &before.plan_options(), &before.assigned);
        options.old = Some(before.snapshot.pods);
    }
    Ok(Plan::new(snapshot, replicas, &options, &state.assigned))
}

/// The state with a change of its objects. What cannot be read or removed is an error: nothing of a change
/// is left out in silence. Beside it what its objects say.
pub(crate) fn with_objects(state: &State, change: &Change) -> Result<(State, Imported), LabError> {
    let setup = |text: String| LabError::Setup(text);
    let names = change.removed.iter().map(|name| name.parse());
    let removed: Result<Vec<ObjectName>, kube_import::ObjectNameError> = names.collect();
    let removed = removed.map_err(|error| setup(error.to_string()))?;
    let mut state = state.clone();
    // What was left out once stays among the files.
    state.setup.keep_going |= change.keep_going;
    let Changed { standing, imported, not_found, there } = state
        .standing()
        .changed(&change.files, &removed, &options(&state))
        .map_err(|error| setup(error.to_string()))?;
    if let Some(missing) = not_found.first() {
        let near = nearby(&missing.to_string(), &there);
        let near = question_syntax::did_you_mean(&near);
        return Err(setup(format!("{missing} is not there, so it cannot be deleted{near}")));
    }
    let imported = readable(&state, imported)?;
    state.hold(standing);
    Ok((state, imported))
}

/// Objects of nearly this name, and those that only the namespace is missing of.
fn nearby(missing: &str, there: &[String]) -> Vec<String> {
    let is_same = |name: &&String| {
        let parts = name.to_ascii_lowercase();
        let without_namespace = parts
            .split_once('/')
            .and_then(|(kind, rest)| Some(format!("{kind}/{}", rest.split_once('/')?.1)));
        without_namespace.as_deref() == Some(missing)
    };
    let lower: Vec<String> = there.iter().map(|name| name.to_ascii_lowercase()).collect();
    let near = question_syntax::near(missing, lower.iter().map(String::as_str));
    let is_near = |name: &&String| near.contains(&name.to_ascii_lowercase());
    let found = there.iter().filter(is_same).chain(there.iter().filter(is_near));
    found.take(4).cloned().collect()
}

fn imported(state: &State) -> Result<Imported, LabError> {
    let imported = state.standing().import(&options(state));
    readable(state, imported.map_err(|error| LabError::Setup(error.to_string()))?)
}

fn options(state: &State) -> Options {
    Options { keep_going: state.setup.keep_going, ..Options::default() }
}

fn readable(state: &State, imported: Imported) -> Result<Imported, LabError> {
    if imported.has_errors() && !state.setup.keep_going {
        let error = imported.findings.iter().find(|finding| finding.severity == Severity::Error);
        let error = error.map(|finding| match finding.span {
            Some(span) => format!("{}: {}", imported.files.place(span), finding.message),
            None => finding.message.clone(),
        });
        return Err(LabError::Setup(error.unwrap_or_default()));
    }
    Ok(imported)
}

/// A policy that went takes its mode along.
fn modes(state: &State, plan: &Plan) -> Modes {
    let mode = |mode: PolicyMode| match mode {
        PolicyMode::Enforce => Mode::Enforce,
        PolicyMode::Observe => Mode::Observe,
        PolicyMode::Staged => Mode::Staged,
    };
    let mut modes = Modes::default();
    for id in plan.snapshot.policies.keys() {
        if let Some(wanted) = state.modes.get(&id.to_string()) {
            modes.set(id.clone(), mode(*wanted));
        }
    }
    modes
}
