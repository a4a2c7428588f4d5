//! `GET /whoami` and `GET /sessions`.

use crate::answer::{Answer, Refused};
use crate::api::Shared;
use crate::caller::By;
use crate::filter::{Filter, InQuery, asked, cursor};
use crate::going::Phase;
use crate::known::Known;
use access_model::Permission;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) async fn whoami(By(caller): By) -> Answer {
    Answer(json!({ "user": caller.user, "groups": caller.groups }))
}

pub(crate) async fn sessions(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    query: InQuery,
) -> Result<Answer, Refused> {
    let asked = asked(query)?;
    if asked.text.is_some() {
        return Err(Refused::bad_request("`text` is searched for by /search"));
    }
    let filter = Filter::of(asked)?;
    let all = shared.all().await?;
    let mut wanted = all.iter().filter(|known| {
        filter.wants(known) && shared.may(&caller, known).contains(&Permission::List)
    });
    let shown: Vec<&Arc<Known>> = wanted.by_ref().take(filter.limit).collect();
    let items: Vec<Value> = shown.iter().map(|known| facts(&shared, known)).collect();
    let next = wanted.next().and(shown.last()).map(|last| cursor(last));
    Ok(Answer(match next {
        Some(next) => json!({ "items": items, "next": next }),
        None => json!({ "items": items }),
    }))
}

/// The members of one session in a list.
pub(crate) fn facts(shared: &Shared, known: &Known) -> Value {
    let mut facts = known.json();
    let phase = shared.going_on(known.session);
    if let Some(members) = facts.as_object_mut() {
        members.insert("live".to_owned(), json!(phase.is_some()));
        members.insert("frozen".to_owned(), json!(phase == Some(Phase::Frozen)));
        if phase.is_some() {
            let so_far_ms = shared.now_ms().saturating_sub(known.at_ms).max(0);
            members.insert("durationUs".to_owned(), json!(so_far_ms.saturating_mul(1000)));
        }
    }
    facts
}
