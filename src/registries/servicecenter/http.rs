//! Requests to one of the servers, with the token that they ask for.

use std::time::Duration;

use bytes::Bytes;
use causeway_gateways::http::client_builder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::answer::{Found, Service, parse_found, parse_services, parse_token, refusal_words};
use super::copy::Question;
use super::login::{Login, Pass};
use super::{ServiceCenterError, ServiceCenterSettings};
use crate::config::Secret;
use crate::registries::http::{CONNECT_TIMEOUT, quoted, root_cause};
use crate::registries::polling::Polling;
use crate::registries::server::Server;
use crate::registries::tls::Trust;

/// A list of 10,000 services from a busy server takes a while.
const TIMEOUT: Duration = Duration::from_secs(10);
const DOMAIN: HeaderName = HeaderName::from_static("x-domain-name");
/// Every version of a service.
const ALL_VERSIONS: &str = "0+";

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The server's cache, which costs it little.
    Cache,
    /// Its store.
    Store,
}

impl Place {
    fn query(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Cache => &[],
            Self::Store => &[("noCache", "1")],
        }
    }
}

/// HTTP to several servers of one cluster, one of which is asked.
pub(super) struct Http {
    client: Polling,
    servers: Vec<Server>,
    current: usize,
    /// `/v4/{project}/registry`.
    path: String,
    environment: String,
    login: Login,
}

/// What is sent, but for the token.
struct Request<'a> {
    what: &'static str,
    method: Method,
    path: &'a str,
    query: &'a [(&'static str, &'static str)],
    body: Option<Value>,
}

impl Http {
    pub(super) fn new(settings: &ServiceCenterSettings) -> Result<Self, ServiceCenterError> {
        let trust = Trust::read(settings.tls.as_ref()).map_err(ServiceCenterError::Settings)?;
        let unusable = |_| ServiceCenterError::Settings("`domain` can't be sent in a header".to_owned());
        let domain = HeaderValue::from_str(&settings.domain).map_err(unusable)?;
        let builder = client_builder()
            .default_headers(HeaderMap::from_iter([(DOMAIN, domain)]))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        Ok(Self {
            client: Polling::new(&trust, builder).map_err(ServiceCenterError::Settings)?,
            servers: settings.servers()?,
            current: 0,
            path: format!("/v4/{}/registry", encoded(&settings.project)),
            environment: settings.environment.clone(),
            login: Login::new(settings.account()?, settings.token_life),
        })
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// From now on the next server is asked.
    pub(super) fn turn_to_the_next(&mut self) {
        self.current = (self.current + 1) % self.servers.len();
    }

    /// As [`Polling::was_renewed`].
    pub(super) fn was_renewed(&self) -> bool {
        self.client.was_renewed()
    }

    /// All services of the domain's project.
    ///
    /// # Errors
    /// Whatever isn't a good and whole answer.
    pub(super) async fn services(&mut self, from: Place) -> Result<Vec<Service>, ServiceCenterError> {
        let path = format!("{}/microservices", self.path);
        let what = "the list of services";
        let request = Request { what, method: Method::GET, path: &path, query: from.query(), body: None };
        let body = self.send(&request).await?;
        parse_services(&body).map_err(|reason| self.unreadable(what, reason))
    }

    /// What moved of some services, in their order.
    ///
    /// # Errors
    /// Whatever isn't a good and whole answer.
    pub(super) async fn find(
        &mut self,
        questions: &[Question],
        from: Place,
    ) -> Result<Vec<Found>, ServiceCenterError> {
        let path = format!("{}/instances/action", self.path);
        let what = "the services' instances";
        let query: Vec<_> = [("type", "query")].iter().chain(from.query()).copied().collect();
        let body = Some(self.question(questions));
        let body =
            self.send(&Request { what, method: Method::POST, path: &path, query: &query, body }).await?;
        parse_found(&body, questions.len()).map_err(|reason| self.unreadable(what, reason))
    }

    fn question(&self, questions: &[Question]) -> Value {
        let one = |Question { key, revision }: &Question| {
            let service = json!({ "environment": self.environment, "appId": key.namespace,
                "serviceName": key.service, "version": ALL_VERSIONS });
            json!({ "service": service, "rev": revision })
        };
        json!({ "services": questions.iter().map(one).collect::<Vec<_>>() })
    }

    /// Sends it; when the token isn't taken, once more with a new one.
    async fn send(&mut self, request: &Request<'_>) -> Result<Bytes, ServiceCenterError> {
        let sent = Instant::now();
        let token = self.token().await?;
        let (status, body) = self.exchange(request, token.as_ref()).await?;
        if status == StatusCode::UNAUTHORIZED && self.login.token_refused(sent) {
            let token = self.token().await?;
            let (status, body) = self.exchange(request, token.as_ref()).await?;
            return self.judge(request.what, status, body);
        }
        self.judge(request.what, status, body)
    }

    async fn token(&mut self) -> Result<Option<Secret>, ServiceCenterError> {
        match self.login.pass(Instant::now()) {
            Pass::Nobody => Ok(None),
            Pass::Token(token) => Ok(Some(token)),
            Pass::Refused(error) => Err(error),
            Pass::LogIn(user, password) => self.log_in(&user, &password).await.map(Some),
        }
    }

    async fn log_in(&mut self, user: &str, password: &Secret) -> Result<Secret, ServiceCenterError> {
        let what = "the login";
        let body = Some(json!({ "name": user, "password": password.expose() }));
        let request = Request { what, method: Method::POST, path: "/v4/token", query: &[], body };
        let (status, body) = self.exchange(&request, None).await?;
        let body = match self.judge(what, status, body) {
            Err(error @ ServiceCenterError::Denied { .. }) => {
                self.login.refused(error.clone(), Instant::now());
                return Err(error);
            }
            answer => answer?,
        };
        let token = parse_token(&body).map_err(|reason| self.unreadable(what, reason))?;
        let token = Secret::new(token);
        self.login.granted(token.clone(), Instant::now());
        Ok(token)
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        token: Option<&Secret>,
    ) -> Result<(StatusCode, Bytes), ServiceCenterError> {
        let server = &self.servers[self.current];
        let unreachable = |error: reqwest::Error| ServiceCenterError::Unreachable {
            server: server.label.clone(),
            reason: if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(&error) },
        };
        let url = format!("{}{}", server.base, request.path);
        let mut prepared = self.client.request(request.method.clone(), url).query(request.query);
        if let Some(token) = token {
            prepared = prepared.bearer_auth(token.expose());
        }
        if let Some(body) = &request.body {
            prepared = prepared.json(body);
        }
        self.client.exchange(prepared).await.map_err(unreachable)
    }

    fn judge(
        &self,
        what: &'static str,
        status: StatusCode,
        body: Bytes,
    ) -> Result<Bytes, ServiceCenterError> {
        let (server, words) = (self.label(), || quoted(&refusal_words(&body)));
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(ServiceCenterError::Denied { server, what, message: words() })
            }
            _ => Err(ServiceCenterError::Refused { server, what, status: status.as_u16(), message: words() }),
        }
    }

    fn unreadable(&self, what: &'static str, reason: String) -> ServiceCenterError {
        ServiceCenterError::Unreadable { server: self.label(), what, reason }
    }

    fn label(&self) -> String {
        self.servers[self.current].label.clone()
    }
}

/// A project as one segment of a path.
fn encoded(project: &str) -> String {
    let mut url = Url::parse("http://h/").expect("a constant that is a URL");
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().push(project);
    }
    url.path().trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceKey;

    #[test]
    fn a_project_is_one_segment() {
        for (project, segment) in
            [("default", "default"), ("cn-north-1", "cn-north-1"), ("a/b c?", "a%2Fb%20c%3F")]
        {
            assert_eq!(encoded(project), segment);
        }
    }

    #[test]
    fn every_version_of_a_service_is_asked_for_in_its_environment() {
        let settings = ServiceCenterSettings {
            addresses: vec!["h".to_owned()],
            environment: "production".to_owned(),
            ..ServiceCenterSettings::default()
        };
        let question = Question { key: ServiceKey::new("shop", "cart"), revision: "r".to_owned() };
        let asked = Http::new(&settings).unwrap().question(&[question]);
        let service =
            json!({ "environment": "production", "appId": "shop", "serviceName": "cart", "version": "0+" });
        assert_eq!(asked, json!({ "services": [{ "service": service, "rev": "r" }] }));
    }
}
