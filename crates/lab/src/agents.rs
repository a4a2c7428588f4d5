//! The agents of all nodes: started, told what to enforce, listened to, and started again when they end.

mod answers;

use crate::agent::{HookChoice, Order, Report, Word, is_detached, pins};
use crate::error::LabError;
use crate::flow_log::FlowLog;
use crate::folder::Folder;
use crate::network::Network;
use crate::plan::Plan;
use crate::state::State;
use crate::wire::{AgentStatus, PlaneStatus, read_line, write_line};
use dataplane::{Inspection, PlaneLoad};
use net_fabric::Namespace;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a change may take on the slowest node.
const PATIENCE: Duration = Duration::from_secs(60);
/// An agent that ends at once is not started more often than this.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a reader of flows waits for an agent that is busy.
const CATCH_UP: Duration = Duration::from_secs(2);
/// Of what an agent said last on standard error.
const MOST_BYTES: u64 = 4096;

#[derive(Debug)]
pub(crate) struct Agents {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    nodes: Mutex<Vec<Known>>,
    told: Condvar,
    /// Questions that were asked.
    asked: AtomicU64,
    /// The lab stood at least once.
    stands: AtomicBool,
    flows: Arc<FlowLog>,
}

/// What is known of one node's agent.
#[derive(Debug, Default)]
struct Known {
    name: String,
    /// What it is to enforce; whoever starts it tells it.
    order: Option<Order>,
    /// Who writes what it is to hear: a process that does not read holds up nobody else.
    input: Option<Sender<Word>>,
    /// The last question that it answered at once.
    answered: u64,
    /// The last question that it answered.
    told: u64,
    pid: Option<Pid>,
    /// The newest change that it enforces.
    applied: u64,
    problems: Vec<String>,
    /// The change that it could not write, and why.
    failed: Option<(u64, String)>,
    trouble: Option<String>,
    restarts: usize,
    repaired: usize,
    /// How it ended last.
    ended: Option<String>,
}

impl Agents {
    /// Starts an agent on each node, and returns when all enforce the state.
    pub(crate) fn start(
        folder: &Folder,
        (plan, network): (&Plan, &Network),
        (state, hook): (&State, HookChoice),
        flows: &Arc<FlowLog>,
    ) -> Result<Self, LabError> {
        let known = plan.nodes.iter().enumerate().map(|(node, planned)| Known {
            name: planned.name.clone(),
            order: Some(Order { node, state: state.clone(), hook }),
            ..Known::default()
        });
        let shared = Arc::new(Shared {
            folder: folder.clone(),
            nodes: Mutex::new(known.collect()),
            told: Condvar::new(),
            asked: AtomicU64::new(0),
            stands: AtomicBool::new(false),
            flows: Arc::clone(flows),
        });
        for (node, namespace) in network.nodes().iter().enumerate() {
            let (shared, namespace) = (Arc::clone(&shared), Arc::clone(namespace));
            thread::spawn(move || shared.supervise(node, &namespace));
        }
        let agents = Self { shared };
        agents.wait(state.epoch)?;
        Ok(agents)
    }

    /// Returns when all nodes enforce the state.
    ///
    /// # Errors
    /// Some do not: their pods may deny everything, and their agents go on trying.
    pub(crate) fn enforce(&self, state: &State) -> Result<(), LabError> {
        for known in self.shared.lock().iter_mut() {
            if let Some(order) = &mut known.order {
                order.state = state.clone();
            }
            known.tell();
        }
        self.wait(state.epoch)
    }

    fn wait(&self, epoch: u64) -> Result<(), LabError> {
        let end = Instant::now() + PATIENCE;
        let mut nodes = self.shared.lock();
        let asked = self.shared.stands.load(Ordering::Relaxed).then(|| self.shared.ask(&mut nodes));
        let answer_by = Instant::now() + answers::PATIENCE;
        loop {
            if let Some(number) = asked.filter(|_| Instant::now() >= answer_by) {
                let late = |known: &&Known| known.applied < epoch && known.is_silent(number);
                let silent: Vec<String> =
                    nodes.iter().filter(late).map(|known| known.name.clone()).collect();
                if !silent.is_empty() {
                    return Err(LabError::Silent(silent));
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            let failed = nodes.iter().find_map(|known| {
                let (_, why) = known.failed.as_ref().filter(|(of, _)| *of == epoch || *of == 0)?;
                Some(format!("{}: {why}", known.name))
            });
            if let Some(why) = failed {
                return Err(LabError::Enforcement(why));
            }
            let late = nodes.iter().find(|known| known.applied < epoch);
            let Some(late) = late else { return Ok(()) };
            if left.is_zero() {
                let ended = late.ended.as_ref().map(|ended| format!(" ({ended})"));
                return Err(LabError::Enforcement(format!(
                    "the agent of {} did not answer{}",
                    late.name,
                    ended.unwrap_or_default()
                )));
            }
            let until_answer = answer_by.saturating_duration_since(Instant::now());
            let left = if until_answer.is_zero() { left } else { left.min(until_answer) };
            nodes = self.shared.wait(nodes, left);
        }
    }

    /// The lab stands: agents may do what would have held it up.
    pub(crate) fn settle(&self) {
        self.shared.stands.store(true, Ordering::Relaxed);
        for known in self.shared.lock().iter_mut() {
            known.say(Word::Settle);
        }
    }

    /// Returns when the flows of all that happened before are in the log, but for those that an agent who is
    /// not there, or too busy, reports later. Answers which nodes' are missing.
    pub(crate) fn catch_up(&self) -> Vec<String> {
        let number = self.shared.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let end = Instant::now() + CATCH_UP;
        let mut nodes = self.shared.lock();
        for known in nodes.iter_mut() {
            known.say(Word::Tell(number));
        }
        let is_late = |known: &&Known| known.input.is_some() && known.told < number;
        while nodes.iter().any(|known| is_late(&known)) && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            nodes = self.shared.wait(nodes, left);
        }
        nodes.iter().filter(is_late).map(|known| known.name.clone()).collect()
    }

    /// Ends the agent of a node, as a crash would. It is started again.
    pub(crate) fn kill(&self, node: usize) -> io::Result<()> {
        let nodes = self.shared.lock();
        match nodes.get(node).and_then(|known| known.pid) {
            Some(pid) => Ok(kill_process(pid, Signal::KILL)?),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Each with what the kernel holds, which is asked without its agent.
    pub(crate) fn status(&self) -> Vec<AgentStatus> {
        let silent = self.silent(answers::SHORT_PATIENCE);
        let mut nodes = self.known();
        for node in &mut nodes {
            node.plane = plane(&node.node);
            node.answers = node.running && !silent.contains(&node.node);
            node.detached = is_detached(&node.node);
        }
        nodes
    }

    /// What could not be written as tables, on which nodes.
    pub(crate) fn problems(&self) -> Vec<String> {
        let nodes = self.shared.lock();
        let of = |known: &Known| -> Vec<String> {
            known.problems.iter().map(|problem| format!("{}: {problem}", known.name)).collect()
        };
        nodes.iter().flat_map(of).collect()
    }

    fn known(&self) -> Vec<AgentStatus> {
        let nodes = self.shared.lock();
        let status = |known: &Known| AgentStatus {
            node: known.name.clone(),
            running: known.pid.is_some(),
            answers: false,
            detached: false,
            epoch: known.applied,
            restarts: known.restarts,
            repaired: known.repaired,
            problems: known.problems.clone(),
            failed: known.failed.as_ref().map(|(_, why)| why.clone()),
            trouble: known
                .trouble
                .clone()
                .filter(|trouble| known.failed.as_ref().is_none_or(|(_, why)| why != trouble)),
            ended: known.ended.clone(),
            plane: None,
        };
        nodes.iter().map(status).collect()
    }
}

impl Known {
    /// Who is not there, or goes away now, is told when it is started again.
    fn tell(&mut self) {
        if let Some(order) = self.order.clone() {
            self.say(Word::Enforce(Box::new(order)));
        }
    }

    fn say(&mut self, word: Word) {
        if let Some(input) = &self.input {
            // Who went away is told when it is started again.
            input.send(word).unwrap_or_default();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, node: usize, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.lock().get_mut(node) {
            change(known);
        }
        self.told.notify_all();
    }

    fn supervise(&self, node: usize, namespace: &Namespace) {
        loop {
            let ended = match self.life(node, namespace) {
                Ok(ended) => ended,
                Err(error) => error.to_string(),
            };
            self.with(node, |known| {
                known.ended = Some(ended);
                known.restarts += 1;
            });
            thread::sleep(PAUSE);
        }
    }

    /// One life of an agent; how it ended.
    fn life(&self, node: usize, namespace: &Namespace) -> Result<String, LabError> {
        let mut child = namespace.enter(|| spawn(&self.folder))??;
        let (input, output, errors) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        self.with(node, |known| {
            known.input = input.map(hear);
            known.pid = Some(Pid::from_child(&child));
            known.trouble = None;
            known.tell();
            if self.stands.load(Ordering::Relaxed) {
                known.say(Word::Settle);
            }
            // Who asked its predecessor still waits.
            let asked = self.asked.load(Ordering::Relaxed);
            known.say(Word::Tell(asked));
            known.say(Word::Answer(asked));
        });
        let last_words = errors.map(|errors| thread::spawn(move || last_words(errors)));
        let heard = match output {
            Some(output) => self.listen(node, BufReader::new(output)),
            None => Ok(()),
        };
        // Until the next one says so, nobody vouches for what the kernel holds.
        self.with(node, |known| (known.input, known.pid, known.applied) = (None, None, 0));
        let status = end(&mut child)
            .map_err(|source| LabError::Process { what: "wait for an agent", source })?;
        let words = last_words_of(last_words);
        Ok(match heard {
            Err(error) => format!("it said what nobody understands: {error}"),
            Ok(()) if words.is_empty() => status.to_string(),
            Ok(()) => format!("{status}: {words}"),
        })
    }

    fn listen(
        &self,
        node: usize,
        mut output: BufReader<std::process::ChildStdout>,
    ) -> io::Result<()> {
        while let Some(report) = read_line::<Report>(&mut output)? {
            match report {
                Report::Flows(lines) => self.flows.push(lines),
                Report::Told(number) => {
                    self.with(node, |known| known.told = known.told.max(number));
                }
                Report::Answered(number) => {
                    self.with(node, |known| known.answered = known.answered.max(number));
                }
                Report::Applied { epoch, flipped: _, entries: _, problems } => {
                    self.with(node, |known| {
                        (known.applied, known.problems, known.failed) = (epoch, problems, None);
                    });
                }
                Report::Failed { epoch, why } => {
                    self.with(node, |known| known.failed = Some((epoch, why)));
                }
                Report::Repaired { pods } => {
                    self.with(node, |known| known.repaired += pods);
                }
                Report::Trouble { why } => {
                    let trouble = (!why.is_empty()).then_some(why);
                    self.with(node, |known| known.trouble = trouble);
                }
            }
        }
        Ok(())
    }
}

/// Writes what an agent is to hear until it ends or nobody says anything any more.
fn hear(mut input: ChildStdin) -> Sender<Word> {
    let (words, said) = channel();
    thread::spawn(move || {
        for word in said {
            if write_line(&mut input, &word).is_err() {
                return;
            }
        }
    });
    words
}

/// `None` where the agent is only just making it, or makes it anew.
fn plane(node: &str) -> Option<PlaneStatus> {
    let load = Inspection::open(&pins(node)).ok()??.load().ok()?;
    let PlaneLoad { connections, max_connections, denying, waiting, counters } = load;
    let counted = counters.into_iter().filter(|(_, count)| *count > 0);
    let counted = counted.map(|(cause, count)| (cause.to_owned(), count));
    let (lost, dropped) = counted.partition(|(cause, _)| cause.starts_with("reports-lost"));
    Some(PlaneStatus { connections, max_connections, denying, waiting, dropped, lost })
}

/// Whose it is can be seen in the list of processes.
fn spawn(folder: &Folder) -> Result<Child, LabError> {
    let failed = |source| LabError::Process { what: "start an agent", source };
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["lab", "agent", "--name", folder.name(), "--dir"]).arg(folder.parent());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(failed)
}

/// It closed its output, so it is ending, or it is of no use.
fn end(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    child.kill()?;
    child.wait()
}

fn last_words(errors: ChildStderr) -> String {
    let mut last = String::new();
    let mut lines = BufReader::new(errors);
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(MOST_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return last,
            Ok(_) => {
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if !line.is_empty() {
                    last = line;
                }
            }
        }
    }
}

fn last_words_of(thread: Option<thread::JoinHandle<String>>) -> String {
    thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
}
