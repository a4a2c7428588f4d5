//! Explanations: the way to a verdict, what nearly allowed it, and what would.

pub mod json;
mod rule_text;
pub mod text;
mod words;

pub use rule_text::rule_text;

use finding_model::SourceFiles;
use net_types::Protocol;
use policy_engine::{
    Answer, End, Explanation, Fix, LabelDifference, NearMiss, NoFix, Program, ServicePortHint,
    ServiceProblem, Verdict, Wanted,
};
use policy_model::{Direction, LeftOut, LeftOutScope, WorkloadRef};

/// What all formats render.
#[derive(Debug)]
pub struct ExplainReport<'a> {
    pub program: &'a Program,
    pub files: &'a SourceFiles,
    /// The ends and the port as the person wrote them.
    pub from: &'a str,
    pub to: &'a str,
    pub port: &'a str,
    /// Through which ports of a Service, if the destination is one.
    pub routes: Vec<ServiceRoute>,
    /// Denied ones first; empty where the route leads nowhere.
    pub answers: Vec<Explained>,
}

/// How a Service's port leads to pods.
#[derive(Clone, Debug)]
pub struct ServiceRoute {
    /// `namespace/name`.
    pub service: String,
    pub protocol: Protocol,
    pub port: u16,
    /// What `targetPort` says; `None` where a client uses the pods' own ports.
    pub target: Option<String>,
    pub outcome: RouteOutcome,
}

#[derive(Clone, Debug)]
pub enum RouteOutcome {
    /// Ends and ports, each once.
    Endpoints(Vec<(End, u16)>),
    /// Nothing is behind it; with the workloads that its selector nearly selects.
    Nowhere { problem: ServiceProblem, nearly: Vec<(WorkloadRef, Vec<LabelDifference>)> },
}

/// One answer with everything that is known about it.
#[derive(Debug)]
pub struct Explained {
    pub answer: Answer,
    pub explanation: Explanation,
    /// Nearest first, by direction; only for sides that deny.
    pub near_misses: Vec<(Direction, NearMiss)>,
    /// `None` where it is allowed or was not looked for, as `fixing` says.
    pub fixing: Fixing,
    pub fix: Option<Result<Fix, NoFix>>,
    pub hint: Option<ServicePortHint>,
}

/// Whether a change that would allow it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixing {
    Wanted,
    /// It takes longer than the rest together, and nobody reads ten.
    BeyondFirst,
    /// The question names no port, and nobody wants all of them opened.
    PortLeftOut,
}

impl Fixing {
    /// As a report for programs names it; `None` where a change is looked for.
    fn skipped(self) -> Option<&'static str> {
        match self {
            Self::Wanted => None,
            Self::BeyondFirst => Some("beyond-first"),
            Self::PortLeftOut => Some("port-left-out"),
        }
    }
}

impl Explained {
    pub fn new(program: &Program, answer: Answer, fixing: Fixing) -> Self {
        let explanation = program.explain_decision(&answer.question, answer.decision);
        let question = &explanation.question;
        let near_misses = [Direction::Egress, Direction::Ingress]
            .into_iter()
            .flat_map(|direction| {
                let side = answer.decision.side(direction);
                let found = program.near_misses(question, direction, side);
                found.into_iter().map(move |near| (direction, near))
            })
            .collect();
        let is_allowed = answer.decision.verdict == Verdict::Allow;
        let fix = (fixing == Fixing::Wanted && !is_allowed).then(|| {
            let of_question = Wanted::of(question.clone());
            program.fix(&Wanted {
                traffic: of_question.traffic.union(&answer.traffic),
                addresses: of_question.addresses.union(&answer.addresses),
                ..of_question
            })
        });
        let hint = program.service_port_hint(&question.to, question.protocol, question.port);
        Self { answer, explanation, near_misses, fixing, fix, hint }
    }
}

impl ExplainReport<'_> {
    /// Allowed without exception; a route that leads nowhere is not.
    pub fn is_allowed(&self) -> bool {
        !self.answers.is_empty()
            && self
                .answers
                .iter()
                .all(|explained| explained.answer.decision.verdict == Verdict::Allow)
    }

    /// Objects that were left out and could have changed the answer.
    fn caveats(&self, explained: &Explained) -> Vec<&LeftOut> {
        let question = &explained.explanation.question;
        let pods = [&question.from, &question.to].map(|end| match end {
            End::Pod(id) => self.program.pod(*id),
            End::Address(_) | End::Name(_) => None,
        });
        let touches = |left_out: &&LeftOut| match &left_out.scope {
            LeftOutScope::Cluster => true,
            LeftOutScope::Namespace(namespace) => {
                pods.iter().flatten().any(|pod| pod.namespace == *namespace)
            }
            LeftOutScope::Object { namespace, name } => pods.iter().flatten().any(|pod| {
                pod.namespace == *namespace && (pod.name == *name || pod.workload.name == *name)
            }),
        };
        self.program.left_out().iter().filter(touches).collect()
    }
}
