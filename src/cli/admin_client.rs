//! Talking to the running Causeway through its admin API.

use std::collections::BTreeSet;
use std::time::Duration;

use causeway_gateways::http::words;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::Failed;
use crate::config::Config;

/// It runs on the same machine, as a rule.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a Causeway on this machine may take to say what it does.
const PATIENCE: Duration = Duration::from_secs(2);

/// A request to the admin API of the Causeway that runs with this configuration.
pub(super) fn request(config: &Config, method: Method, path: &str) -> Result<RequestBuilder, Failed> {
    let client =
        causeway_gateways::http::client_builder().connect_timeout(CONNECT).build().map_err(Failed::work)?;
    let request = client.request(method, format!("http://{}{path}", config.admin.listen));
    Ok(match &config.admin.token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    })
}

/// Sends it; an answer other than 2xx is a failure in the server's own words.
pub(super) async fn send(config: &Config, request: RequestBuilder) -> Result<String, Failed> {
    let listen = config.admin.listen;
    let unreachable = |error| {
        let why = words(error);
        Failed::work(format!("no Causeway answers at {listen} (`admin.listen`): {why}"))
    };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.text().await.map_err(Failed::work)?;
    if status.is_success() {
        Ok(body)
    } else {
        Err(Failed::work(format!("the Causeway at {listen} answered {status}: {}", told(&body))))
    }
}

/// What an answer that is no success says: its `message`, or all of it.
fn told(body: &str) -> String {
    let json = serde_json::from_str::<Value>(body).ok();
    let message = json.as_ref().and_then(|json| json["message"].as_str());
    message.unwrap_or_else(|| body.trim()).to_owned()
}

/// The tasks that write where this configuration's admin address is answered, for the same owner; none where nobody answers.
pub(super) async fn tasks_at_work(config: &Config) -> BTreeSet<String> {
    let Ok(request) = request(config, Method::GET, "/api/v1/status") else { return BTreeSet::new() };
    let Ok(body) = send(config, request.timeout(PATIENCE)).await else { return BTreeSet::new() };
    let Ok(status) = serde_json::from_str::<Value>(&body) else { return BTreeSet::new() };
    if status["owner"] != config.owner.as_str() {
        return BTreeSet::new();
    }
    let works = |task: &&Value| {
        matches!(task["state"].as_str(), Some("running" | "starting")) && task["policy"] != "observe"
    };
    let tasks = status["tasks"].as_array().into_iter().flatten().filter(works);
    tasks.filter_map(|task| task["name"].as_str().map(str::to_owned)).collect()
}
