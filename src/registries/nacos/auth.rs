//! Credentials: a token that is fetched and renewed, a fixed one, or signatures.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::NacosError;
use super::http::{Call, Http, Reply};
use super::sign::AccessKey;
use crate::config::Secret;

/// A server that refused a login isn't asked again before this, so that a wrong password doesn't lock the account.
const LOGIN_PAUSE: Duration = Duration::from_secs(3);
/// A token is renewed when this share of its life is over.
const RENEW_AFTER: f64 = 0.9;
/// For servers that don't say how long a token lives.
const DEFAULT_LIFE: Duration = Duration::from_secs(300);
const LOGINS: [&str; 2] = ["/v3/auth/user/login", "/v1/auth/login"];

/// How we prove who we are.
pub(super) enum Credentials {
    Nobody,
    Token(Secret),
    User { name: String, password: Secret },
    Key(AccessKey),
}

/// What a request carries: over gRPC as headers of the envelope; over HTTP tokens as headers, signatures in the query.
#[derive(Clone, Default)]
pub(super) struct Grant {
    token: Option<Secret>,
    signed: Vec<(&'static str, String)>,
}

impl Grant {
    /// For the envelope's headers.
    pub(super) fn grpc_headers(&self) -> impl Iterator<Item = (String, String)> {
        let token = self.token.iter().map(|token| ("accessToken".to_owned(), token.expose().to_owned()));
        token.chain(self.signed.iter().map(|(key, value)| ((*key).to_owned(), value.clone())))
    }

    /// Puts it into an HTTP request.
    pub(super) fn put_into(&self, call: &mut Call) {
        if let Some(token) = &self.token {
            call.headers.push(("accessToken", token.expose().to_owned()));
            call.headers.push(("Authorization", format!("Bearer {}", token.expose())));
        }
        call.query.extend(self.signed.iter().cloned());
    }
}

#[derive(Default)]
struct State {
    token: Option<(Secret, Instant)>,
    refused: Option<(NacosError, Instant)>,
}

/// The credentials of one registry, shared by all its connections.
pub(super) struct Auth {
    credentials: Credentials,
    state: Mutex<State>,
}

impl Auth {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, state: Mutex::default() }
    }

    /// What a request about `resource` (`group@@service`, or nothing) carries; logs in where that is due.
    pub(super) async fn grant(&self, http: &Http, resource: &str) -> Result<Grant, NacosError> {
        let token = match &self.credentials {
            Credentials::Nobody => None,
            Credentials::Token(token) => Some(token.clone()),
            Credentials::User { name, password } => Some(self.token(http, name, password).await?),
            Credentials::Key(key) => {
                return Ok(Grant { token: None, signed: key.sign(resource, millis_now()) });
            }
        };
        Ok(Grant { token, signed: Vec::new() })
    }

    /// A request with this grant was refused. True when another one may do better: the token is fetched anew.
    pub(super) async fn refused(&self, grant: &Grant) -> bool {
        if !matches!(self.credentials, Credentials::User { .. }) {
            return false;
        }
        let mut state = self.state.lock().await;
        if state.token.as_ref().map(|(token, _)| token) == grant.token.as_ref() {
            state.token = None;
        }
        true
    }

    async fn token(&self, http: &Http, user: &str, password: &Secret) -> Result<Secret, NacosError> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some((token, renew_at)) = &state.token
            && now < *renew_at
        {
            return Ok(token.clone());
        }
        if let Some((error, at)) = &state.refused
            && now < *at + LOGIN_PAUSE
        {
            return Err(error.clone());
        }
        match login(http, user, password).await {
            Ok((token, life)) => {
                *state =
                    State { token: Some((token.clone(), now + life.mul_f64(RENEW_AFTER))), refused: None };
                Ok(token)
            }
            Err(error) => {
                if !error.is_passing() {
                    state.refused = Some((error.clone(), Instant::now()));
                }
                Err(error)
            }
        }
    }
}

/// Logs in by the newest path that the server has. A token with its life.
async fn login(http: &Http, user: &str, password: &Secret) -> Result<(Secret, Duration), NacosError> {
    let form = vec![("username", user.to_owned()), ("password", password.expose().to_owned())];
    let mut message = String::new();
    for path in LOGINS {
        let reply = http.send(&Call::post(path, form.clone())).await?;
        if reply.status.is_success() {
            return token_of(&reply);
        }
        message = reply.words();
        if reply.status != reqwest::StatusCode::NOT_FOUND {
            break;
        }
    }
    Err(NacosError::Login { user: user.to_owned(), message })
}

fn token_of(reply: &Reply) -> Result<(Secret, Duration), NacosError> {
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    // Some versions wrap it as they do every other answer.
    let told = if json["accessToken"].is_string() { &json } else { &json["data"] };
    let token = told["accessToken"].as_str().ok_or_else(|| NacosError::Unreadable {
        server: reply.server.clone(),
        what: "the login".to_owned(),
        reason: "it holds no accessToken".to_owned(),
    })?;
    let life = told["tokenTtl"].as_u64().filter(|ttl| *ttl > 0).map_or(DEFAULT_LIFE, Duration::from_secs);
    Ok((Secret::new(token), life))
}

fn millis_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &str) -> Reply {
        Reply { server: "s".into(), status: reqwest::StatusCode::OK, body: body.to_owned().into() }
    }

    #[test]
    fn a_token_is_read_bare_or_wrapped() {
        for body in
            [r#"{"accessToken":"t","tokenTtl":10}"#, r#"{"code":0,"data":{"accessToken":"t","tokenTtl":10}}"#]
        {
            let (token, life) = token_of(&reply(body)).unwrap();
            assert_eq!((token.expose(), life), ("t", Duration::from_secs(10)));
        }
        assert_eq!(token_of(&reply(r#"{"accessToken":"t"}"#)).unwrap().1, DEFAULT_LIFE);
        assert!(token_of(&reply("<html>")).is_err());
    }

    #[test]
    fn a_grant_goes_where_each_protocol_wants_it() {
        let grant = Grant { token: Some(Secret::new("t")), signed: vec![("ak", "k".to_owned())] };
        let mut call = Call::get("/x");
        grant.put_into(&mut call);
        assert_eq!(call.headers, [("accessToken", "t".to_owned()), ("Authorization", "Bearer t".to_owned())]);
        assert_eq!(call.query, [("ak", "k".to_owned())]);
        let headers: Vec<_> = grant.grpc_headers().map(|(key, _)| key).collect();
        assert_eq!(headers, ["accessToken", "ak"]);
    }
}
