//! Requests to one server.

use std::time::Duration;

use bytes::Bytes;
use causeway_gateways::http::client_builder;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};

use super::answer::{Applications, parse};
use super::schedule::List;
use super::{EurekaError, EurekaSettings};
use crate::config::Secret;
use crate::registries::http::{CONNECT_TIMEOUT, quoted, root_cause};
use crate::registries::polling::Polling;
use crate::registries::server::Server;
use crate::registries::tls::Trust;

/// A list of 10,000 instances from a busy server takes a while.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A client with our credentials.
pub(super) struct Http {
    client: Polling,
    user: Option<(String, Option<Secret>)>,
}

impl Http {
    pub(super) fn new(settings: &EurekaSettings) -> Result<Self, EurekaError> {
        let trust = Trust::read(settings.tls.as_ref()).map_err(EurekaError::Settings)?;
        // Without it the answer is XML.
        let json = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let builder = client_builder()
            .gzip(true)
            .default_headers(json)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        let client = Polling::new(&trust, builder).map_err(EurekaError::Settings)?;
        let password = settings.password.clone();
        Ok(Self { client, user: settings.user.clone().map(|user| (user, password)) })
    }

    /// As [`Polling::was_renewed`].
    pub(super) fn was_renewed(&self) -> bool {
        self.client.was_renewed()
    }

    /// Reads a list.
    ///
    /// # Errors
    /// Whatever isn't a good and whole answer.
    pub(super) async fn read(&self, server: &Server, list: List) -> Result<Applications, EurekaError> {
        let what = what(list);
        let path = match list {
            List::Full => "apps",
            List::Delta => "apps/delta",
        };
        let (status, body) = self.answer(server, self.request(Method::GET, server, path)).await?;
        if status != StatusCode::OK {
            return Err(refused(server.label.clone(), what, status, &body));
        }
        parse(&body).map_err(|reason| EurekaError::Unreadable { server: server.label.clone(), what, reason })
    }

    /// A request below the API's path.
    pub(super) fn request(&self, method: Method, server: &Server, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}/{path}", server.base));
        match &self.user {
            Some((user, password)) => request.basic_auth(user, password.as_ref().map(Secret::expose)),
            None => request,
        }
    }

    /// Whether something is there: what is said of it, or that it isn't.
    ///
    /// # Errors
    /// Whatever is no such answer.
    pub(super) async fn find<T>(
        &self,
        server: &Server,
        what: &'static str,
        path: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, EurekaError> {
        let (status, body) = self.answer(server, self.request(Method::GET, server, path)).await?;
        let unreadable = |reason| EurekaError::Unreadable { server: server.label.clone(), what, reason };
        match status {
            StatusCode::OK => parse(&body).map(Some).map_err(unreadable),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(server.label.clone(), what, status, &body)),
        }
    }

    /// Sends a write to what may not be there; whether it was.
    ///
    /// # Errors
    /// Whatever is no such answer.
    pub(super) async fn write(
        &self,
        server: &Server,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<bool, EurekaError> {
        let (status, body) = self.answer(server, request).await?;
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(EurekaError::ReadOnly { server: server.label.clone(), what, status: status.as_u16() })
            }
            _ => Err(refused(server.label.clone(), what, status, &body)),
        }
    }

    async fn answer(
        &self,
        server: &Server,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Bytes), EurekaError> {
        let unreachable = |error: reqwest::Error| EurekaError::Unreachable {
            server: server.label.clone(),
            reason: if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(&error) },
        };
        self.client.exchange(request).await.map_err(unreachable)
    }
}

fn what(list: List) -> &'static str {
    match list {
        List::Full => "the list of applications",
        List::Delta => "the list of changes",
    }
}

fn refused(server: String, what: &'static str, status: StatusCode, body: &[u8]) -> EurekaError {
    match status {
        StatusCode::UNAUTHORIZED => EurekaError::Denied { server },
        StatusCode::FORBIDDEN => EurekaError::Forbidden { server, what },
        _ => {
            let message = quoted(&String::from_utf8_lossy(body));
            EurekaError::Refused { server, what, status: status.as_u16(), message }
        }
    }
}
