//! The console's files. Every path of the page is the page; it reads its address itself.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};

const NOT_BUILT_IN: &str = "This weir was built without its page. Build it with `npm ci && npm run build` in \
     web/, then build weir again. The API and `weir sessions` work without it.\n";

pub(crate) async fn redirect() -> Redirect {
    Redirect::temporary("/console/")
}

pub(crate) async fn page() -> Response {
    served(web_assets::page())
}

pub(crate) async fn file(Path(name): Path<String>) -> Response {
    served(web_assets::asset(&name).or_else(|| {
        let is_view = !name.contains('.');
        is_view.then(web_assets::page).flatten()
    }))
}

fn served(asset: Option<web_assets::Asset>) -> Response {
    match asset {
        Some(asset) => {
            let cache =
                if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
            (
                [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, cache)],
                asset.bytes,
            )
                .into_response()
        }
        None if web_assets::is_built_in() => StatusCode::NOT_FOUND.into_response(),
        None => (StatusCode::NOT_FOUND, NOT_BUILT_IN).into_response(),
    }
}
