//! Truth tables with real sockets: each state of the community's corpora in a lab, each of its verdicts
//! a connection that is tried.
//!
//! From one state to the next a lab is changed, as a user would change it. A
//! fixed part of the states is tried, or all with `WEIR_TRUTH_TABLES=all` (`cargo xtask bench
//! lab-truth`). Pods have an IPv6 address beside the one of the corpus, and are compared on it too where
//! no policy names an IPv4 network.

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Result, ensure};
    use corpus_cases::{Case, Expected, cluster_policies, cyclonus, or_not_run};
    use lab::{
        Cell, Change, Client, Folder, HookChoice, Observed, PodChoice, ProbeRequest, Profile, Setup,
    };
    use serde_json::{Value, json};
    use std::collections::{BTreeMap, BTreeSet, HashMap};
    use std::env;
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::{Duration, Instant};

    /// Kernels keep what they know of UDP for three minutes, and refuse new connections where their tables
    /// are full: this many states stay below half of that.
    const STATES_OF_A_LAB: usize = 32;

    const WEIR: &str = env!("CARGO_BIN_EXE_weir");

    /// Objects by the name that a change removes them by.
    type Objects = BTreeMap<String, Value>;

    /// A lab that goes away with the test.
    struct TruthLab {
        dir: PathBuf,
        client: Client,
        objects: Objects,
    }

    #[derive(Default)]
    struct Tally {
        states: usize,
        /// The slowest of all labs.
        up: Duration,
        ipv4: usize,
        ipv6: usize,
        changing: Duration,
        probing: Duration,
        slowest: Duration,
    }

    impl TruthLab {
        fn up(name: &str, case: &Case) -> Result<Self> {
            let dir = env::temp_dir().join(format!("weir-truth-{}-{name}", std::process::id()));
            fs::create_dir_all(&dir)?;
            let folder = Folder::new(&dir, "truth")?;
            let mut command = Command::new(WEIR);
            command.args(["lab", "process", "--name", "truth", "--dir"]).arg(&dir);
            let objects = objects(case)?;
            let setup = Setup {
                name: "truth".to_owned(),
                files: vec![("corpus.json".to_owned(), list(objects.values()))],
                keep_going: false,
                nodes: Some(2),
                replicas: 1,
                external: Vec::new(),
                profile: Profile::Upstream,
                pods: PodChoice::default(),
                max_connections: None,
            };
            lab::start(&folder, &mut command, setup, HookChoice::Tcx)?;
            Ok(Self { dir, client: Client::new(folder)?, objects })
        }

        /// Makes the lab this state, by what differs from the one before.
        fn become_state(&mut self, case: &Case) -> Result<()> {
            let objects = objects(case)?;
            let differs =
                |(name, object): &(&String, &Value)| self.objects.get(*name) != Some(*object);
            let new: Vec<&Value> =
                objects.iter().filter(differs).map(|(_, object)| object).collect();
            let gone = self.objects.keys().filter(|name| !objects.contains_key(*name));
            let removed: Vec<String> = gone.cloned().collect();
            let files = match new.is_empty() {
                true => Vec::new(),
                false => vec![(format!("{}.json", case.name), list(new))],
            };
            if !files.is_empty() || !removed.is_empty() {
                self.client.change(Change { files, removed, ..Change::default() })?;
            }
            self.objects = objects;
            Ok(())
        }

        fn probe(&self) -> Result<Vec<Cell>> {
            let mut cells = Vec::new();
            self.client.probe(ProbeRequest::default(), |more| cells.extend(more))?;
            Ok(cells)
        }
    }

    fn list<'a>(objects: impl IntoIterator<Item = &'a Value>) -> String {
        let items: Vec<&Value> = objects.into_iter().collect();
        json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
    }

    /// The objects of a state, made fit for being tried: pods have both address families, and listen on
    /// whatever port is asked about.
    fn objects(case: &Case) -> Result<Objects> {
        let mut objects = Objects::new();
        for object in &case.objects {
            let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
            let (kind, name) = (text("/kind"), text("/metadata/name"));
            let (kind, name) = (kind.context("no kind")?, name.context("no name")?);
            let mut object = object.clone();
            let path = match text_of(&object, "/metadata/namespace") {
                Some(namespace) => format!("{kind}/{namespace}/{name}"),
                None => format!("{kind}/{name}"),
            };
            if kind == "Pod" {
                listen_on_what_is_asked(&mut object, case)?;
                add_ipv6(&mut object)?;
            }
            objects.insert(path, object);
        }
        Ok(objects)
    }

    fn text_of(object: &Value, pointer: &str) -> Option<String> {
        object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
    }

    /// A port without a name means nothing to a policy.
    fn listen_on_what_is_asked(pod: &mut Value, case: &Case) -> Result<()> {
        let path = text_of(pod, "/metadata/namespace").zip(text_of(pod, "/metadata/name"));
        let path =
            path.map(|(namespace, name)| format!("{namespace}/{name}")).context("no name")?;
        let known = case.pod(&path).context("no such pod")?;
        let asked = case.checks.iter().filter(|check| check.to == path);
        let asked: BTreeSet<_> = asked.map(|check| (check.protocol, check.port)).collect();
        let listens =
            |asked: &(_, u16)| known.ports.iter().any(|port| (port.protocol, port.port) == *asked);
        let ports: Vec<Value> = asked.into_iter().filter(|asked| !listens(asked)).map(|(protocol, port)| {
            json!({"protocol": protocol.to_string().to_uppercase(), "containerPort": port})
        }).collect();
        let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
        let containers = containers.context("no containers")?;
        for (place, port) in ports.into_iter().enumerate() {
            containers.push(json!({"name": format!("asked-{place}"), "ports": [port]}));
        }
        Ok(())
    }

    /// Host-network pods have their node's addresses.
    fn add_ipv6(pod: &mut Value) -> Result<()> {
        if pod.pointer("/spec/hostNetwork").and_then(Value::as_bool) == Some(true) {
            return Ok(());
        }
        let address = text_of(pod, "/status/podIP").context("a pod without an address")?;
        let ipv6 = format!("fd00:6::{}", address.replace('.', ":"));
        pod["status"]["podIPs"] = json!([{"ip": address}, {"ip": ipv6}]);
        Ok(())
    }

    fn names_ipv4(case: &Case) -> bool {
        let policy = |object: &&Value| {
            text_of(object, "/kind").is_some_and(|kind| kind.ends_with("NetworkPolicy"))
        };
        let texts: Vec<String> = case.objects.iter().filter(policy).map(Value::to_string).collect();
        texts.iter().any(|text| text.contains("\"cidr\"") || text.contains("\"networks\""))
    }

    fn try_state(lab: &mut TruthLab, case: &Case, tally: &mut Tally) -> Result<()> {
        let begin = Instant::now();
        lab.become_state(case).with_context(|| format!("changing the lab to {}", case.name))?;
        let changed = begin.elapsed();
        let cells = lab.probe()?;
        let probed = begin.elapsed() - changed;
        tally.states += 1;
        tally.changing += changed;
        tally.probing += probed;
        tally.slowest = tally.slowest.max(begin.elapsed());
        let mut wrong: Vec<String> = Vec::new();
        for cell in cells.iter().filter(|cell| cell.disagreement.is_some()) {
            wrong.push(told(cell));
        }
        let mut tried: HashMap<(&str, &str, &str), Vec<&Cell>> = HashMap::new();
        for cell in &cells {
            tried.entry((&cell.from, &cell.to, &cell.port)).or_default().push(cell);
        }
        let ipv6_too = !names_ipv4(case);
        for check in &case.checks {
            let port = format!("{}/{}", check.port, check.protocol.to_string().to_lowercase());
            let cells =
                tried.get(&(&*check.from, &*check.to, &*port)).map_or(&[][..], Vec::as_slice);
            ensure!(
                cells.iter().any(|cell| cell.address.is_ipv4()),
                "{}: {} → {} {port} was not tried",
                case.name,
                check.from,
                check.to
            );
            let allowed = match check.expected {
                Expected::Sides { egress, ingress } => egress && ingress,
                Expected::Connection(allowed) => allowed,
            };
            for cell in cells.iter().filter(|cell| ipv6_too || cell.address.is_ipv4()) {
                *(if cell.address.is_ipv4() { &mut tally.ipv4 } else { &mut tally.ipv6 }) += 1;
                if passed(cell) != Some(allowed) {
                    let truth = if allowed { "allowed" } else { "denied" };
                    wrong.push(format!("the truth is {truth}: {}", told(cell)));
                }
            }
        }
        let shown: Vec<&str> = wrong.iter().take(20).map(String::as_str).collect();
        ensure!(
            wrong.is_empty(),
            "{} (state {}): {} connections are not as they should be:\n{}\nagents: {:?}",
            case.name,
            tally.states,
            wrong.len(),
            shown.join("\n"),
            lab.client.status()?.agents
        );
        Ok(())
    }

    /// `None`: it could not be tried.
    fn passed(cell: &Cell) -> Option<bool> {
        match cell.observed {
            Observed::Open { .. } | Observed::Refused => Some(true),
            Observed::NoAnswer | Observed::Unreachable => Some(false),
            Observed::Failed(_) => None,
        }
    }

    fn told(cell: &Cell) -> String {
        let Cell { from, to, port, address, observed, expected, disagreement } = cell;
        let why = expected.as_ref().map(|expected| &expected.why);
        format!("{from} → {to} {port} at {address}: {observed:?}; {why:?}; {disagreement:?}")
    }

    fn is_all() -> bool {
        env::var_os("WEIR_TRUTH_TABLES").is_some_and(|value| value == "all")
    }

    #[expect(clippy::print_stderr, reason = "the figures are what the bench shows")]
    fn agree(
        name: &str,
        cases: Result<Vec<Case>, corpus_cases::CorpusError>,
        step: usize,
    ) -> Result<()> {
        let Some(cases) = or_not_run(name, cases) else { return Ok(()) };
        let step = if is_all() { 1 } else { step };
        let cases: Vec<&Case> = cases.iter().step_by(step).collect();
        ensure!(!cases.is_empty(), "the corpus is empty");
        let begin = Instant::now();
        let mut tally = Tally::default();
        for cases in cases.chunks(STATES_OF_A_LAB) {
            let [first, ..] = cases else { continue };
            let before = Instant::now();
            let mut lab = TruthLab::up(name, first)?;
            tally.up = tally.up.max(before.elapsed());
            let result = cases.iter().try_for_each(|case| try_state(&mut lab, case, &mut tally));
            lab.client.stop()?;
            fs::remove_dir_all(&lab.dir)?;
            result?;
        }
        let Tally { states, ipv4, ipv6, up, changing, probing, slowest } = tally;
        let each = u32::try_from(states)?;
        eprintln!(
            "{name}: {states} states, {ipv4} verdicts on IPv4 and {ipv6} on IPv6; up in {up:.1?}, a change {:.0?}, a \
             probe {:.0?}, the slowest state {slowest:.1?}, in all {:.1?}",
            changing / each,
            probing / each,
            begin.elapsed()
        );
        Ok(())
    }

    #[test]
    fn network_policies_hold_as_their_truth_tables_say() -> Result<()> {
        agree("cyclonus", cyclonus(), 5)
    }

    #[test]
    fn cluster_policies_hold_as_their_conformance_suite_says() -> Result<()> {
        agree("cluster-policies", cluster_policies(), 3)
    }
}
