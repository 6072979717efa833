//! Talking to the running Causeway through its admin API.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};

use super::Failed;
use crate::config::Config;

/// It runs on the same machine, as a rule.
const CONNECT: Duration = Duration::from_secs(3);

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
    let unreachable =
        |error| Failed::work(format!("no Causeway answers at {listen} (`admin.listen`): {error}"));
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.text().await.map_err(Failed::work)?;
    if status.is_success() {
        Ok(body)
    } else {
        Err(Failed::work(format!("the Causeway at {listen} answered {status}: {}", body.trim())))
    }
}
