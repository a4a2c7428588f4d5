//! A lab's state, worked out: the plan, and the policies that hold in it.

use crate::error::LabError;
use crate::network::Host;
use crate::plan::Plan;
use crate::state::{Change, PolicyMode, Profile, State};
use finding_model::{Severity, SourceFiles};
use kube_import::{Changed, Imported, Input, ObjectChange, Options, import_changed};
use policy_engine::{Assumptions, End, PodId, Program, Semantics};
use policy_model::PolicyId;
use policy_tables::{Mode, Modes};
use std::collections::HashMap;
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
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl World {
    /// What a state means. The same state means the same in every process.
    pub(crate) fn new(state: &State) -> Result<Self, LabError> {
        let Imported { snapshot, replicas, files, .. } = imported(state)?;
        let options = state.plan_options();
        let plan = Plan::new(snapshot, &replicas, &options, &state.assigned);
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
        Ok(Self { plan, program, enforced, files: Arc::new(files), modes, pods })
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

/// What cannot be read or removed is an error: nothing of a change is left out in silence.
fn imported(state: &State) -> Result<Imported, LabError> {
    let setup = |text: String| LabError::Setup(text);
    let options = Options { keep_going: state.setup.keep_going, ..Options::default() };
    let changes: Result<Vec<ObjectChange>, LabError> = state.changes.iter().map(change).collect();
    let Changed { imported, not_found } =
        import_changed(&inputs(&state.setup.files), &changes?, &options)
            .map_err(|error| setup(error.to_string()))?;
    if let Some(missing) = not_found.iter().flatten().next() {
        return Err(setup(format!("{missing} is not there, so it cannot be deleted")));
    }
    if imported.has_errors() && !state.setup.keep_going {
        let error = imported.findings.iter().find(|finding| finding.severity == Severity::Error);
        let error = error.map(|finding| match finding.span {
            Some(span) => format!("{}: {}", imported.files.place(span), finding.message),
            None => finding.message.clone(),
        });
        return Err(setup(error.unwrap_or_default()));
    }
    Ok(imported)
}

fn inputs(files: &[(String, String)]) -> Vec<Input> {
    let text =
        |(name, text): &(String, String)| Input::Text { name: name.clone(), text: text.clone() };
    files.iter().map(text).collect()
}

fn change(change: &Change) -> Result<ObjectChange, LabError> {
    let names = change.removed.iter().map(|name| name.parse());
    let removed: Result<_, kube_import::ObjectNameError> = names.collect();
    let removed = removed.map_err(|error| LabError::Setup(error.to_string()))?;
    Ok(ObjectChange { with: inputs(&change.files), removed })
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
