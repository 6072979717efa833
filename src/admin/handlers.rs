use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Backend;

type Shared = State<Arc<dyn Backend>>;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(backend): Shared) -> Response {
    match backend.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(awaited) => (StatusCode::SERVICE_UNAVAILABLE, format!("{awaited}\n")).into_response(),
    }
}

pub(super) async fn metrics(State(backend): Shared) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], backend.metrics()).into_response()
}

pub(super) async fn status(State(backend): Shared) -> Response {
    Json(backend.status()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    service: String,
}

pub(super) async fn why(State(backend): Shared, Query(named): Query<Named>) -> Response {
    Json(backend.why(&named.service).await).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfTask {
    task: String,
}

pub(super) async fn migration(State(backend): Shared, Query(of): Query<OfTask>) -> Response {
    match backend.migration(&of.task) {
        Ok(board) => Json(board).into_response(),
        Err(message) => (StatusCode::NOT_FOUND, Json(json!({ "message": message }))).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    registry: String,
}

pub(super) async fn release(State(backend): Shared, Json(wanted): Json<Release>) -> Response {
    match backend.release(&wanted.registry) {
        Ok(()) => Json(json!({ "released": wanted.registry })).into_response(),
        Err(message) => (StatusCode::NOT_FOUND, Json(json!({ "message": message }))).into_response(),
    }
}
