//! A recorded exchange, and sending it again.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// How the recorded node stored its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Postgres,
    Dbless,
}

/// One line of a recording.
#[derive(Debug, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) line: u32,
    pub(crate) mode: Mode,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) request_content_type: Option<String>,
    /// JSON, or the raw body as a string.
    pub(crate) request: Option<Value>,
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// JSON, the raw body as a string, or the beginning of a long one with `...(N bytes)`.
    pub(crate) response: Option<Value>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn read(text: &str) -> Vec<Exchange> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A raw body; of long ones, which are one document with one long tag, the recording keeps the beginning.
fn whole(text: &str) -> String {
    const END: &str = "\"]}]}";
    let Some((start, length)) = text.rsplit_once("...(") else { return text.to_owned() };
    let length: usize = length.trim_end_matches(" bytes)").parse().unwrap();
    let filling = "x".repeat(length - start.len() - END.len());
    [start, &filling, END].concat()
}

impl Exchange {
    /// The id of the entity that this exchange may have made: Kong chose it or the client did.
    pub(crate) fn new_id(&self) -> Option<String> {
        let response = self.response.as_ref()?;
        let id = response.get("id").or_else(|| response.pointer("/fields/id"));
        id?.as_str().map(str::to_owned)
    }

    /// Of these the recording keeps a part only, so that their length says nothing.
    pub(crate) fn is_trimmed(&self) -> bool {
        matches!(self.path.as_str(), "/" | "/status")
    }

    pub(crate) async fn send(&self, client: &reqwest::Client, admin_url: &str) -> Answer {
        let method = reqwest::Method::from_bytes(self.method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("{admin_url}{}", self.path));
        if let Some(content_type) = &self.request_content_type {
            request = request.header("Content-Type", content_type);
        }
        if let Some(body) = &self.request {
            request = request.body(body.as_str().map_or_else(|| body.to_string(), whole));
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().iter();
        Answer {
            status: response.status().as_u16(),
            headers: headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }
}
