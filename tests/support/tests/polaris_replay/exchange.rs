//! A recorded exchange, and sending it again.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Whether the recorded server asked for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Noauth,
    Auth,
}

/// One line of the recording.
#[derive(Debug, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) mode: Mode,
    /// `group/name`.
    pub(crate) case: String,
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request: Option<Value>,
    pub(crate) status: u16,
    pub(crate) response: Value,
    #[serde(default)]
    pub(crate) wait_before_ms: u64,
    /// Where in the request what stands which earlier case's answer.
    #[serde(default)]
    bind: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) unstable: Vec<String>,
}

/// Status and body; status 0 where the connection was closed without an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

pub(crate) fn read(text: &str) -> Vec<Exchange> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Exchange {
    /// Sends it with what earlier answers bring into it.
    pub(crate) async fn send(
        &self,
        client: &reqwest::Client,
        url: &str,
        token: &str,
        earlier: &BTreeMap<String, Value>,
    ) -> Answer {
        let method = reqwest::Method::from_bytes(self.method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("{url}{}", self.path));
        request = request.header("Content-Type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, if value == "<token>" { token } else { "wrong" });
        }
        if let Some(body) = self.body(earlier) {
            request = request.body(body);
        }
        let Ok(response) = request.send().await else {
            return Answer { status: 0, body: self.response.clone() };
        };
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text)) }
    }

    fn body(&self, earlier: &BTreeMap<String, Value>) -> Option<String> {
        let mut request = self.request.clone()?;
        for (place, source) in &self.bind {
            let (case, pointer) = source.split_once(':').unwrap();
            *request.pointer_mut(place).unwrap() = earlier[case].pointer(pointer).unwrap().clone();
        }
        Some(request.as_str().map_or_else(|| request.to_string(), str::to_owned))
    }
}
