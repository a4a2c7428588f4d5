//! What all calls share, and which path is which call.

use crate::answer::Refused;
use crate::catalog::{Catalog, InFolder};
use crate::going::{Going, Phase};
use crate::index::LedgerIndex;
use crate::known::{Known, State};
use crate::reading::{Turns, in_turn};
use crate::watching::Watching;
use crate::{acts, detail, guard, list, live, page, proof, search, stream};
use access_model::{Identity, Permission, SessionGrants};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use axum::{BoxError, Router};
use ledger_model::Fact;
use ledger_store::Ledger;
use session_record::SessionId;
use session_store::{Clock, FetchError, Recorder, Recordings, SystemClock, UnwrapKey};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tower::ServiceExt as _;

/// Of what a request brings.
pub(crate) const BODY_BYTES: usize = 32 << 10;
/// Entries of one commit.
const A_COMMIT: usize = 256;

/// What the API is told.
#[derive(Debug)]
pub struct ApiConfig {
    /// The folder of the recordings, in which the recorder writes.
    pub recordings: PathBuf,
    /// The folder of the ledger that is written.
    pub ledger: PathBuf,
    pub grants: SessionGrants,
    /// What opens recordings. Without, there are facts and what is live.
    pub keys: Vec<Arc<dyn UnwrapKey>>,
    /// How long who watches a session may take nothing while something waits.
    pub patience: Duration,
}

/// Answers requests about sessions. Clones are the same.
#[derive(Debug, Clone)]
pub struct Api {
    shared: Arc<Shared>,
    router: Router,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) grants: SessionGrants,
    pub(crate) keys: Vec<Arc<dyn UnwrapKey>>,
    pub(crate) recordings: Recordings,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) index: LedgerIndex,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    pub(crate) going: Arc<dyn Going>,
    pub(crate) clock: SystemClock,
    /// Held while notes or holds are written: each is read, changed and written as a whole.
    pub(crate) beside: Mutex<()>,
    pub(crate) turns: Turns,
    pub(crate) watching: Watching,
    pub(crate) patience: Duration,
}

/// A session that the caller may list, and what else it may.
#[derive(Debug)]
pub(crate) struct Visible {
    pub(crate) known: Known,
    pub(crate) may: BTreeSet<Permission>,
}

impl Api {
    #[must_use]
    pub fn new(
        config: ApiConfig,
        recorder: Recorder,
        ledger: Ledger,
        going: Arc<dyn Going>,
    ) -> Self {
        let ApiConfig { recordings, ledger: folder, grants, keys, patience } = config;
        let recordings = Recordings::new(&recordings);
        let shared = Arc::new(Shared {
            grants,
            keys,
            catalog: Arc::new(Catalog::new(recordings.clone())),
            recordings,
            index: LedgerIndex::new(ledger.clone(), folder),
            ledger,
            recorder,
            going,
            clock: SystemClock::start(),
            beside: Mutex::new(()),
            turns: Turns::default(),
            watching: Watching::default(),
            patience,
        });
        let router = router(Arc::clone(&shared));
        Self { shared, router }
    }

    /// Answers a request, which has its [`crate::Caller`] among its extensions.
    pub async fn answer<B>(&self, parts: Parts, body: B) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request = Request::from_parts(parts, Body::new(body));
        self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// Reads what is there before somebody asks, so that the first answer is not a slow one.
    pub async fn prepare(&self) {
        if let Err(refused) = self.shared.all().await {
            tracing::warn!(why = refused.message, "recordings could not be listed at the start");
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let sessions = Router::new()
        .route("/", get(detail::detail))
        .route("/proof", get(proof::proof))
        .route("/cast", get(stream::cast))
        .route("/events", get(stream::events))
        .route("/live", get(live::live))
        .route("/kill", post(acts::kill))
        .route("/freeze", post(acts::freeze))
        .route("/thaw", post(acts::thaw))
        .route("/notes", post(acts::note))
        .route("/hold", post(acts::hold).delete(acts::lift));
    let api = Router::new()
        .route("/whoami", get(list::whoami))
        .route("/sessions", get(list::sessions))
        .route("/search", get(search::search))
        .nest("/sessions/{id}", sessions)
        .fallback(async || {
            Refused::new(StatusCode::NOT_FOUND, "not-found", "there is no such call")
        })
        .method_not_allowed_fallback(async || {
            let message = "this call has another method: docs/sessions-api.md lists them";
            Refused::new(StatusCode::METHOD_NOT_ALLOWED, "bad-request", message)
        })
        .with_state(shared);
    Router::new()
        .route("/", get(page::redirect))
        .route("/console", get(page::redirect))
        .route("/console/", get(page::page))
        .route("/console/{*file}", get(page::file))
        .nest("/api/v1", api)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(axum::middleware::from_fn(guard::guard))
}

impl Visible {
    pub(crate) fn needs(&self, permission: Permission) -> Result<(), Refused> {
        if self.may.contains(&permission) { Ok(()) } else { Err(Refused::not_allowed(permission)) }
    }
}

impl Shared {
    pub(crate) fn may(&self, caller: &Identity, known: &Known) -> BTreeSet<Permission> {
        self.grants.of(caller, known.place())
    }

    /// A session, if the caller may list it.
    pub(crate) async fn visible(&self, caller: &Identity, id: &str) -> Result<Visible, Refused> {
        let session: SessionId = id.parse().or(Err(Refused::unknown_session()))?;
        let known = self.known(session).await?;
        let may = self.may(caller, &known);
        if may.contains(&Permission::List) {
            Ok(Visible { known, may })
        } else {
            Err(Refused::unknown_session())
        }
    }

    async fn known(&self, session: SessionId) -> Result<Known, Refused> {
        let catalog = Arc::clone(&self.catalog);
        let state = match in_turn(&self.turns.looking, move || catalog.one(session)).await? {
            Ok(Some(known)) => return Ok(Known::clone(&known)),
            Ok(None) => State::Unreadable,
            Err(FetchError::NoRecording(_)) => State::Missing,
            Err(error) => return Err(Refused::failed("look for a recording", &error)),
        };
        let read = self.index.published().await;
        let read = read.map_err(|error| Refused::failed("read its ledger", &error))?;
        let of = read.of(session).filter(|of| !of.is_deleted);
        match (of.and_then(|of| Some((of.at_ms, of.opened.as_ref()?))), state) {
            (Some((at_ms, opened)), _) => Ok(Known::of_ledger(session, at_ms, opened, state)),
            (None, State::Unreadable) => Ok(Known::of_nobody(session)),
            (None, _) => Err(Refused::unknown_session()),
        }
    }

    /// Every session, newest first: those of the folder, and those that only the ledger knows.
    pub(crate) async fn all(&self) -> Result<Vec<Arc<Known>>, Refused> {
        // The ledger first: a recording is on disk before its entry, so what is here and not there is missing.
        let begun: Vec<_> = {
            let read = self.index.published().await;
            let read = read.map_err(|error| Refused::failed("read its ledger", &error))?;
            read.begun().map(|(session, of, opened)| (session, of.at_ms, opened.clone())).collect()
        };
        let catalog = Arc::clone(&self.catalog);
        let looked = in_turn(&self.turns.looking, move || catalog.all()).await?;
        let folder = looked.map_err(|error| Refused::failed("list its recordings", &error))?;
        let InFolder { known: mut all, mut unreadable, sessions } = folder;
        for (session, at_ms, opened) in begun {
            let state = if sessions.contains(&session) {
                let Some(place) = unreadable.iter().position(|other| *other == session) else {
                    continue;
                };
                unreadable.swap_remove(place);
                State::Unreadable
            } else {
                State::Missing
            };
            all.push(Arc::new(Known::of_ledger(session, at_ms, &opened, state)));
        }
        all.extend(unreadable.into_iter().map(|session| Arc::new(Known::of_nobody(session))));
        all.sort_by_key(|known| std::cmp::Reverse(known.key()));
        Ok(all)
    }

    /// Whether a session goes on here, and how.
    pub(crate) fn going_on(&self, session: SessionId) -> Option<Phase> {
        self.going.phase(session).filter(|phase| *phase != Phase::Ending)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// Puts facts into the ledger. Nothing is answered before that.
    pub(crate) async fn enter(&self, facts: Vec<Fact>) -> Result<(), Refused> {
        for facts in facts.chunks(A_COMMIT) {
            let entered = self.ledger.append_all(facts.to_vec()).await;
            entered.map_err(|error| Refused::failed("put this on record first", &error))?;
        }
        Ok(())
    }

    pub(crate) async fn viewed(
        &self,
        caller: &Identity,
        session: SessionId,
        how: &str,
    ) -> Result<(), Refused> {
        self.enter(vec![view(caller, session, how)]).await
    }
}

pub(crate) fn view(caller: &Identity, session: SessionId, how: &str) -> Fact {
    let (session, by) = (session.to_string(), caller.user.clone());
    Fact::SessionViewed { session, by, how: how.to_owned() }
}
