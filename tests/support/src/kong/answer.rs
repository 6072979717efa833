//! What the stand-in answers, before it becomes an HTTP response.

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// The version that the stand-in says it is; the recordings come from this one.
pub(super) const VERSION: &str = "3.9.1";

/// A status, its body and the headers that depend on the case.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Option<Payload>,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// Kong answers in JSON, nginx in HTML when it refuses a request before Kong sees it.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    Json(Value),
    Html(String),
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(Payload::Json(body)), headers: Vec::new() }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    pub(super) fn message(status: u16, text: &str) -> Self {
        Self::json(status, serde_json::json!({ "message": text }))
    }

    /// The page that nginx makes for a status.
    pub(super) fn html(status: u16) -> Self {
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let title = format!("{status} {}", nginx_reason(code));
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        Self { status, body: Some(Payload::Html(page)), headers: Vec::new() }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The bytes of the body as Kong would send them.
    fn bytes(&self) -> Bytes {
        match &self.body {
            None => Bytes::new(),
            Some(Payload::Html(text)) => Bytes::from(text.clone()),
            Some(Payload::Json(value)) => Bytes::from(to_json(value)),
        }
    }

    /// The HTTP response, with its body also for HEAD.
    pub(super) fn into_response(self) -> Response<Bytes> {
        let bytes = self.bytes();
        let mut builder = Response::builder()
            .status(self.status)
            .header(SERVER, format!("kong/{VERSION}"))
            .header("X-Kong-Admin-Latency", "1");
        if let Some(payload) = &self.body {
            builder =
                builder.header(CONTENT_TYPE, payload.content_type()).header(CONTENT_LENGTH, bytes.len());
        }
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        builder.body(bytes).unwrap_or_default()
    }
}

impl Payload {
    fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json; charset=utf-8",
            Self::Html(_) => "text/html; charset=UTF-8",
        }
    }
}

/// nginx keeps the older names of some statuses.
fn nginx_reason(code: StatusCode) -> &'static str {
    match code.as_u16() {
        413 => "Request Entity Too Large",
        503 => "Service Temporarily Unavailable",
        _ => code.canonical_reason().unwrap_or("Error"),
    }
}

/// Kong's JSON library escapes `/`; a client must not compare bodies as text.
struct EscapeSlash;

impl Formatter for EscapeSlash {
    fn write_string_fragment<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        CompactFormatter.write_string_fragment(writer, &fragment.replace('/', "\\/"))
    }
}

fn to_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, EscapeSlash);
    // A `Value` has string keys only, and a `Vec` takes every write.
    let _ = value.serialize(&mut serializer);
    out
}
