//! Metrics and health, for whoever is on this machine: plain HTTP on a loopback address.

use crate::body::{Body, full};
use crate::chain::chain;
use crate::gateway::Gateway;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const CONNECTIONS: usize = 32;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves as long as anything goes on, so that the end can be watched as well.
pub(crate) async fn serve(gateway: Arc<Gateway>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = gateway.gone.cancelled() => return,
            next = next => next,
        };
        let Ok((stream, _)) = accepted else { continue };
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&gateway, request));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = gateway.gone.cancelled() => {}
                ended = served => if let Err(error) = ended {
                    tracing::debug!(error = chain(&error), "an admin connection ended early");
                }
            }
            drop(place);
        });
    }
}

async fn answer(
    gateway: &Gateway,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (code, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, gateway.metrics.text()),
        (&Method::GET, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET, "/readyz") => match gateway.not_ready() {
            None => (StatusCode::OK, "ok\n".to_owned()),
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        _ => (StatusCode::NOT_FOUND, "try /metrics, /healthz or /readyz\n".to_owned()),
    };
    let mut response = Response::new(full(text));
    *response.status_mut() = code;
    Ok(response)
}
