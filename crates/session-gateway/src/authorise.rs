//! May this be? The gateway's own rules first, then the cluster; each refusal is an entry in the ledger and one
//! sentence for the person.

use crate::caller::{Caller, Cluster};
use crate::chain::chain;
use crate::clock;
use crate::config::Limits;
use crate::evidence::Refusal;
use crate::gateway::Gateway;
use crate::identify;
use crate::metrics::RefusedBy;
use crate::reply::Failure;
use crate::session::{self, Begun};
use access_checks::Permission;
use access_model::{Ask, Decision, DurabilityMode, Grant, PodFacts, Privileges, Request, Verb};
use session_record::{Access, Client, Durability, Opening, User};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A privileged access that somebody asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) caller: Caller,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) request: Request,
    /// Of the body, where the request brings pods.
    pub(crate) privileges: Privileges,
    /// How the client will be spoken to.
    pub(crate) protocol: String,
}

/// An access that may be, and is recorded from here on.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) begun: Begun,
    pub(crate) limits: SessionLimits,
}

/// When a session ends by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLimits {
    /// After so long without a byte in either direction.
    pub(crate) idle: Duration,
    /// At this moment, whatever goes on; and what the limit is called.
    pub(crate) end: Instant,
    pub(crate) end_is: &'static str,
}

type Refused = (RefusedBy, Failure);

/// Decides, and begins the recording. A refusal is noted before it is given back.
pub(crate) async fn admit(gateway: &Gateway, wanted: &Wanted) -> Result<Admitted, Failure> {
    match decide_and_begin(gateway, wanted).await {
        Ok(admitted) => Ok(admitted),
        Err((by, failure)) => {
            note(gateway, wanted, by, &failure).await;
            Err(failure)
        }
    }
}

/// Whether plain use of the API may be, as far as the gateway's rules go; the cluster decides by itself.
pub(crate) async fn permit(gateway: &Gateway, wanted: &Wanted) -> Result<Grant, Failure> {
    match decide(gateway, wanted, None) {
        Ok(grant) => Ok(grant),
        Err((by, failure)) => {
            note(gateway, wanted, by, &failure).await;
            Err(failure)
        }
    }
}

async fn note(gateway: &Gateway, wanted: &Wanted, by: RefusedBy, failure: &Failure) {
    gateway.metrics.refusal(by);
    let refusal = Refusal {
        user: wanted.caller.identity.user.clone(),
        cluster: wanted.cluster.upstream.name.clone(),
        verb: wanted.request.verb().word(),
        object: object(&wanted.request),
        why: failure.message.clone(),
    };
    gateway.evidence.refused(refusal).await;
}

async fn decide_and_begin(gateway: &Gateway, wanted: &Wanted) -> Result<Admitted, Refused> {
    let Wanted { caller, cluster, request, .. } = wanted;
    let pod = match request.pod() {
        None => None,
        Some((namespace, name)) => {
            let found = cluster.api.pod(namespace, name).await;
            found.map_err(|error| unanswered(&error))?
        }
    };
    let grant = decide(gateway, wanted, pod.as_ref())?;
    let permission = cluster.api.permission(&caller.identity, request.review()).await;
    match permission.map_err(|error| unanswered(&error))? {
        Permission::Granted => {}
        Permission::Refused { reason } => {
            return Err((RefusedBy::Cluster, forbidden(wanted, &reason)));
        }
    }
    // Whoever may reach into pods of this namespace may know which there are.
    if let (Some((_, name)), None) = (request.pod(), &pod) {
        let failure = Failure::not_found(format!("pods {name:?} not found"));
        return Err((RefusedBy::Cluster, failure));
    }
    let limits = limits(&gateway.limits, caller, &grant).ok_or_else(|| {
        (RefusedBy::Identity, Failure::unauthenticated("your proof of who you are has expired"))
    })?;
    let opening = opening(gateway, wanted, &grant, pod.as_ref())?;
    let begun = session::begin(gateway, request.verb(), opening).await?;
    Ok(Admitted { begun, limits })
}

fn decide(gateway: &Gateway, wanted: &Wanted, pod: Option<&PodFacts>) -> Result<Grant, Refused> {
    let ask = Ask {
        identity: &wanted.caller.identity,
        cluster: &wanted.cluster.upstream.name,
        request: &wanted.request,
        pod,
        privileges: &wanted.privileges,
        reason: wanted.caller.reason.as_deref(),
        now: clock::now_s(),
    };
    match gateway.rules.decide(&ask) {
        Decision::Allowed(grant) => Ok(grant),
        Decision::Refused(denial) => {
            Err((RefusedBy::Rules, Failure::forbidden(denial.to_string())))
        }
    }
}

fn unanswered(error: &dyn std::error::Error) -> Refused {
    let why = chain(error);
    tracing::warn!(error = why, "an access could not be judged");
    let message = format!("whether this is allowed cannot be judged now: {why}");
    (RefusedBy::Cluster, Failure::unavailable(message))
}

fn forbidden(wanted: &Wanted, reason: &str) -> Failure {
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Failure::forbidden(format!(
        "{} may not {} {} in cluster {}{why}",
        wanted.caller.identity.user,
        wanted.request.verb().word(),
        object(&wanted.request),
        wanted.cluster.upstream.name,
    ))
}

/// `None` when the caller's proof has expired already.
fn limits(limits: &Limits, caller: &Caller, grant: &Grant) -> Option<SessionLimits> {
    let seconds = |at: i64| u64::try_from(at - clock::now_s()).ok().map(Duration::from_secs);
    let of_rule = grant.terms.longest_s.map_or(limits.duration, Duration::from_secs);
    let mut end = (of_rule.min(limits.duration), "it was as long as a session may be");
    if let Some(at) = grant.ends_at {
        end = end.min((seconds(at)?, "the rule that allowed it applies no longer"));
    }
    if let Some(at) = caller.identity.expires_at.filter(|_| !limits.outlast_proof) {
        let left = seconds(at).filter(|left| !left.is_zero())?;
        end = end.min((left, "your proof of who you are has expired"));
    }
    Some(SessionLimits {
        idle: grant.terms.idle_s.map_or(limits.idle, Duration::from_secs).min(limits.idle),
        end: Instant::now() + end.0,
        end_is: end.1,
    })
}

fn opening(
    gateway: &Gateway,
    wanted: &Wanted,
    grant: &Grant,
    pod: Option<&PodFacts>,
) -> Result<Opening, Refused> {
    let Wanted { caller, cluster, request, privileges: _, protocol } = wanted;
    let container = request.container().map(str::to_owned);
    let takes_container = matches!(request.verb(), Verb::Exec | Verb::Attach | Verb::Logs);
    let container = container.or_else(|| {
        pod.filter(|_| takes_container).and_then(PodFacts::only_container).map(str::to_owned)
    });
    let terminal = request.terminal();
    Ok(Opening {
        session: session::new_id().map_err(|failure| (RefusedBy::Recording, failure))?,
        at_ms: clock::now_ms(),
        gateway: gateway.name.clone(),
        cluster: cluster.upstream.name.clone(),
        user: user(caller),
        client: Client {
            address: caller.address.to_string(),
            user_agent: caller.user_agent.clone(),
            kubectl_session: caller.kubectl_session.clone(),
            kubectl_command: caller.kubectl_command.clone(),
            protocol: protocol.clone(),
        },
        access: Access {
            verb: request.verb().word().to_owned(),
            namespace: request.namespace().map(str::to_owned),
            name: request.name().map(str::to_owned),
            uid: pod.map(|pod| pod.uid.clone()),
            container,
            command: request.command().to_vec(),
            terminal,
        },
        reason: caller.reason.clone(),
        rule: grant.rule.word().to_owned(),
        durability: durability(gateway, grant, terminal),
    })
}

pub(crate) fn user(caller: &Caller) -> User {
    User {
        name: caller.identity.user.clone(),
        uid: caller.identity.uid.clone(),
        groups: caller.identity.groups.clone(),
        proof: identify::shown(&caller.identity.proof),
    }
}

fn durability(gateway: &Gateway, grant: &Grant, terminal: bool) -> Durability {
    match grant.terms.durability {
        Some(DurabilityMode::Group) => Durability::Group,
        Some(DurabilityMode::Intent) => Durability::Intent,
        Some(DurabilityMode::Strict) => Durability::Strict,
        None if terminal => gateway.recordings.of_terminals,
        None => gateway.recordings.of_others,
    }
}

/// What the ledger calls it.
pub(crate) fn object(request: &Request) -> String {
    match (request.namespace(), request.name()) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name.to_owned(),
        (Some(_) | None, None) => request.path.clone(),
    }
}
