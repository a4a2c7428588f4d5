//! May this be? The gateway's own rules first, then the cluster's, and then a recording or nothing.
//!
//! [`admit`] is the only way to a [`Begun`]. Each refusal is one sentence for the person and an entry in the ledger.

use crate::caller::Caller;
use crate::chain::chain;
use crate::config::Limits;
use crate::evidence::Refusal;
use crate::gateway::Gateway;
use crate::metrics::RefusedBy;
use crate::reply::Failure;
use crate::session::{self, Begun};
use crate::upstream::Upstream;
use crate::{headers, impersonate};
use access_checks::Permission;
use access_model::{
    Ask, Decision, DurabilityMode, Grant, PodFacts, Privileges, Proof, Request, Verb,
};
use http::{HeaderMap, Uri};
use session_record::{Access, Client, Durability, Opening, SessionId, User};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Why a person wants this, for rules that ask for a reason.
const REASON: &str = "weir-reason";
/// Longest header of a client that is kept.
const KEPT_BYTES: usize = 512;

/// A privileged access that somebody asks for.
pub(crate) struct Wanted {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) caller: Caller,
    pub(crate) request: Request,
    /// As the client sent them.
    pub(crate) headers: HeaderMap,
    /// Written again from what was parsed.
    pub(crate) target: Uri,
    /// The protocol of the client's side.
    pub(crate) protocol: String,
}

impl Wanted {
    /// What the API server gets to see: the caller, the session, and nothing that the client could have made up.
    pub(crate) fn upstream_headers(&self, session: SessionId) -> Result<HeaderMap, Failure> {
        let mut kept = HeaderMap::new();
        for name in [http::header::USER_AGENT, http::header::ACCEPT] {
            if let Some(value) = self.headers.get(&name) {
                kept.insert(name, value.clone());
            }
        }
        headers::strip_request(&mut kept);
        impersonate::add(&mut kept, &self.caller.identity, Some(session))?;
        Ok(kept)
    }

    /// When the session ends whatever goes on, and why then.
    pub(crate) fn end(&self, limits: &Limits) -> (Instant, &'static str) {
        let longest = Instant::now() + limits.duration;
        let left = self.caller.identity.expires_at.map(|end| end.saturating_sub(now()));
        match left.and_then(|left| u64::try_from(left).ok()) {
            Some(left) if Duration::from_secs(left) < limits.duration => (
                Instant::now() + Duration::from_secs(left),
                "your proof of who you are has expired",
            ),
            Some(_) | None => (longest, "it has lasted as long as a session may"),
        }
    }

    fn object(&self) -> String {
        let parts = [self.request.namespace(), self.request.name()];
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    }

    fn header(&self, name: &str) -> Option<String> {
        let text = self.headers.get(name)?.to_str().ok()?;
        Some(text.chars().take(KEPT_BYTES).collect())
    }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Decides, and begins the recording of what may be.
pub(crate) async fn admit(gateway: &Gateway, wanted: &Wanted) -> Result<Begun, Failure> {
    let admitted = match decide(gateway, wanted).await {
        Ok((grant, pod)) => {
            let id = session::new_id()?;
            let opening = opening(gateway, wanted, id, &grant, pod.as_ref());
            session::begin(gateway, wanted.request.verb(), opening).await
        }
        Err(refused) => Err(refused),
    };
    match admitted {
        Ok(begun) => Ok(begun),
        Err((by, failure)) => {
            gateway.metrics.refusal(by);
            let refusal = Refusal {
                user: wanted.caller.identity.user.clone(),
                cluster: wanted.upstream.name.clone(),
                verb: wanted.request.verb().word(),
                object: wanted.object(),
                why: failure.message.clone(),
            };
            gateway.evidence.refused(refusal).await;
            Err(failure)
        }
    }
}

async fn decide(
    gateway: &Gateway,
    wanted: &Wanted,
) -> Result<(Grant, Option<PodFacts>), (RefusedBy, Failure)> {
    let api = gateway.api_server(&wanted.upstream.name);
    let api = api
        .ok_or_else(|| (RefusedBy::Cluster, Failure::unavailable("the cluster cannot be asked")))?;
    let unknown = |error: &dyn std::error::Error| {
        tracing::warn!(error = chain(error), "the cluster could not be asked about an access");
        (
            RefusedBy::Cluster,
            Failure::unavailable(format!(
                "the cluster could not be asked whether this may be: {}",
                chain(error)
            )),
        )
    };
    let pod = match wanted.request.pod() {
        Some((namespace, name)) => {
            api.pod(namespace, name).await.map_err(|error| unknown(&error))?
        }
        None => None,
    };
    let reason = wanted.header(REASON);
    let ask = Ask {
        identity: &wanted.caller.identity,
        cluster: &wanted.upstream.name,
        request: &wanted.request,
        pod: pod.as_ref(),
        privileges: &Privileges::NotAsked,
        reason: reason.as_deref(),
        now: now(),
    };
    let grant = match gateway.rules.decide(&ask) {
        Decision::Allowed(grant) => grant,
        Decision::Refused(denial) => {
            return Err((RefusedBy::Rules, Failure::forbidden(denial.to_string())));
        }
    };
    let permission = api.permission(&wanted.caller.identity, wanted.request.review()).await;
    match permission.map_err(|error| unknown(&error))? {
        Permission::Granted => Ok((grant, pod)),
        Permission::Refused { reason } => {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let message = format!(
                "{} may not {} {} in cluster {}{why}",
                wanted.caller.identity.user,
                wanted.request.verb().word(),
                wanted.object(),
                wanted.upstream.name,
            );
            Err((RefusedBy::Cluster, Failure::forbidden(message)))
        }
    }
}

fn opening(
    gateway: &Gateway,
    wanted: &Wanted,
    session: SessionId,
    grant: &Grant,
    pod: Option<&PodFacts>,
) -> Opening {
    let identity = &wanted.caller.identity;
    let request = &wanted.request;
    let terminal = request.terminal();
    let configured =
        if terminal { gateway.recordings.of_terminals } else { gateway.recordings.of_others };
    let container = request.container().or_else(|| pod.and_then(PodFacts::only_container));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Opening {
        session,
        at_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        gateway: gateway.name.clone(),
        cluster: wanted.upstream.name.clone(),
        user: User {
            name: identity.user.clone(),
            uid: identity.uid.clone(),
            groups: identity.groups.clone(),
            proof: proof(&identity.proof),
        },
        client: Client {
            address: wanted.caller.address.to_string(),
            user_agent: wanted.header("user-agent"),
            kubectl_session: wanted.header("kubectl-session"),
            kubectl_command: wanted.header("kubectl-command"),
            protocol: wanted.protocol.clone(),
        },
        access: Access {
            verb: request.verb().word().to_owned(),
            namespace: request.namespace().map(str::to_owned),
            name: request.name().map(str::to_owned),
            uid: pod.map(|pod| pod.uid.clone()),
            container: container.map(str::to_owned),
            command: request.command().to_vec(),
            terminal,
        },
        reason: wanted.header(REASON),
        rule: grant.rule.word().to_owned(),
        durability: match grant.terms.durability {
            None => configured,
            Some(DurabilityMode::Group) => Durability::Group,
            Some(DurabilityMode::Intent) => Durability::Intent,
            Some(DurabilityMode::Strict) => Durability::Strict,
        },
    }
}

fn proof(proof: &Proof) -> String {
    match proof {
        Proof::ClientCertificate { fingerprint } => {
            format!("client certificate sha256:{fingerprint}")
        }
        Proof::OidcToken { issuer, subject, digest } => {
            format!("OIDC {issuer} subject {subject} token sha256:{digest}")
        }
        Proof::ServiceAccountToken { digest } => format!("service account token sha256:{digest}"),
    }
}

/// Whether a request goes through [`admit`], or is the cluster's own business.
pub(crate) fn is_privileged(verb: Verb) -> bool {
    verb != Verb::Api
}
