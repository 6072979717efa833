//! Requests to one of the servers, with the token that they ask for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use causeway_gateways::http::client_builder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::answer::{Found, Service, parse_found, parse_services, parse_token, refusal_code, refusal_words};
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
    pub(super) fn query(self) -> &'static [(&'static str, &'static str)] {
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
    current: AtomicUsize,
    /// `/v4/{project}/registry`.
    pub(super) path: String,
    pub(super) environment: String,
    login: Mutex<Login>,
}

/// What is sent, but for the token.
pub(super) struct Request<'a> {
    /// For people.
    pub(super) what: &'static str,
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Value>,
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
            current: AtomicUsize::new(0),
            path: format!("/v4/{}/registry", encoded(&settings.project)),
            environment: settings.environment.clone(),
            login: Mutex::new(Login::new(settings.account()?, settings.token_life)),
        })
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// The server that is asked, for [`Http::turn_from`].
    pub(super) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// From now on the next server is asked, unless another request has turned away from this one already.
    pub(super) fn turn_from(&self, server: usize) {
        let next = (server + 1) % self.servers.len();
        // Whoever comes second finds that it is done.
        let _ = self.current.compare_exchange(server, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// As [`Polling::was_renewed`].
    pub(super) fn was_renewed(&self) -> bool {
        self.client.was_renewed()
    }

    /// All services of the domain's project.
    ///
    /// # Errors
    /// Whatever isn't a good and whole answer.
    pub(super) async fn services(&self, from: Place) -> Result<Vec<Service>, ServiceCenterError> {
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
        &self,
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
    ///
    /// # Errors
    /// Whatever isn't a success.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Bytes, ServiceCenterError> {
        let sent = Instant::now();
        let token = self.token().await?;
        let answer = self.exchange(request, token.as_ref()).await?;
        let refused = answer.status == StatusCode::UNAUTHORIZED;
        if refused && self.login.lock().await.token_refused(token.as_ref(), sent) {
            let token = self.token().await?;
            return self.exchange(request, token.as_ref()).await?.judged(request.what);
        }
        answer.judged(request.what)
    }

    /// One request logs in; others wait for its token.
    async fn token(&self) -> Result<Option<Secret>, ServiceCenterError> {
        let mut login = self.login.lock().await;
        match login.pass(Instant::now()) {
            Pass::Nobody => Ok(None),
            Pass::Token(token) => Ok(Some(token)),
            Pass::Refused(error) => Err(error),
            Pass::LogIn(user, password) => self.log_in(&mut login, &user, &password).await.map(Some),
        }
    }

    async fn log_in(
        &self,
        login: &mut Login,
        user: &str,
        password: &Secret,
    ) -> Result<Secret, ServiceCenterError> {
        let what = "the login";
        let body = Some(json!({ "name": user, "password": password.expose() }));
        let request = Request { what, method: Method::POST, path: "/v4/token", query: &[], body };
        let body = match self.exchange(&request, None).await?.judged(what) {
            Err(error @ ServiceCenterError::Denied { .. }) => {
                login.refused(error.clone(), Instant::now());
                return Err(error);
            }
            answer => answer?,
        };
        let token = parse_token(&body).map_err(|reason| self.unreadable(what, reason))?;
        let token = Secret::new(token);
        login.granted(token.clone(), Instant::now());
        Ok(token)
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        token: Option<&Secret>,
    ) -> Result<Answer<'_>, ServiceCenterError> {
        let server = &self.servers[self.current()];
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
        let (status, body) = self.client.exchange(prepared).await.map_err(unreachable)?;
        Ok(Answer { server, status, body })
    }

    pub(super) fn unreadable(&self, what: &'static str, reason: String) -> ServiceCenterError {
        ServiceCenterError::Unreadable { server: self.label(), what, reason }
    }

    fn label(&self) -> String {
        self.servers[self.current()].label.clone()
    }
}

/// What one server answered.
struct Answer<'a> {
    server: &'a Server,
    status: StatusCode,
    body: Bytes,
}

impl Answer<'_> {
    /// The body of a success.
    fn judged(self, what: &'static str) -> Result<Bytes, ServiceCenterError> {
        let Self { server, status, body } = self;
        let (server, message) = (server.label.clone(), || quoted(&refusal_words(&body)));
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(ServiceCenterError::Denied { server, what, message: message() })
            }
            _ => Err(ServiceCenterError::Refused {
                server,
                what,
                status: status.as_u16(),
                code: refusal_code(&body),
                message: message(),
            }),
        }
    }
}

/// A project or an id as one segment of a path.
pub(super) fn encoded(project: &str) -> String {
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
