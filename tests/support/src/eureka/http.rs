//! What tests do to a Eureka over its HTTP API, as applications and operators would.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::Registration;
use crate::http_client;
use crate::process::Failure;

/// The HTTP API of one server, for nobody or for one user.
#[derive(Clone, Debug)]
pub struct EurekaHttp {
    client: reqwest::Client,
    base: String,
    user: Option<(String, String)>,
}

impl EurekaHttp {
    /// For nobody.
    pub fn new(base: &str) -> Self {
        Self { client: http_client(), base: base.to_owned(), user: None }
    }

    /// The same server for this user.
    #[must_use]
    pub fn with_user(&self, name: &str, password: &str) -> Self {
        Self { user: Some((name.to_owned(), password.to_owned())), ..self.clone() }
    }

    /// Registers an instance, or replaces it.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn register(&self, instance: &Registration) -> Result<(), Failure> {
        let request = self.request(Method::POST, &format!("/eureka/apps/{}", instance.app));
        sent(request.json(&instance.body())).await.map(drop)
    }

    /// Deregisters an instance.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn cancel(&self, instance: &Registration) -> Result<(), Failure> {
        sent(self.request(Method::DELETE, &path(instance))).await.map(drop)
    }

    /// Renews an instance's lease.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn renew(&self, instance: &Registration) -> Result<(), Failure> {
        sent(self.request(Method::PUT, &path(instance))).await.map(drop)
    }

    /// An operator's word on an instance's status, which stands above its own; `None` takes it back, and the instance is up.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn override_status(
        &self,
        instance: &Registration,
        status: Option<&str>,
    ) -> Result<(), Failure> {
        let method = if status.is_some() { Method::PUT } else { Method::DELETE };
        let path = format!("{}/status?value={}", path(instance), status.unwrap_or("UP"));
        sent(self.request(method, &path)).await.map(drop)
    }

    /// Sets one pair of an instance's metadata.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn set_metadata(&self, instance: &Registration, key: &str, value: &str) -> Result<(), Failure> {
        let path = format!("{}/metadata?{key}={value}", path(instance));
        sent(self.request(Method::PUT, &path)).await.map(drop)
    }

    /// Makes a user, or gives a user this password; anybody may.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn admit(&self, name: &str, password: &str) -> Result<(), Failure> {
        let path = format!("/test-users/{name}/{password}");
        sent(self.nobodys(Method::PUT, &path)).await.map(drop)
    }

    /// Removes a user; anybody may.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn expel(&self, name: &str) -> Result<(), Failure> {
        sent(self.nobodys(Method::DELETE, &format!("/test-users/{name}"))).await.map(drop)
    }

    /// The instances of an application; none where it isn't known.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn instances(&self, app: &str) -> Result<Vec<Value>, Failure> {
        let answer = self.request(Method::GET, &format!("/eureka/apps/{app}")).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let mut body: Value = accepted(answer).await?.json().await?;
        Ok(body["application"]["instance"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// A JSON answer.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(sent(self.request(Method::GET, path)).await?.json().await?)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.nobodys(method, path);
        match &self.user {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    }

    /// The server refuses whoever names a user that it doesn't know, even where it asks for none.
    fn nobodys(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).header("Accept", "application/json")
    }
}

fn path(instance: &Registration) -> String {
    format!("/eureka/apps/{}/{}", instance.app, instance.id)
}

async fn sent(request: RequestBuilder) -> Result<Response, Failure> {
    accepted(request.send().await?).await
}

async fn accepted(answer: Response) -> Result<Response, Failure> {
    if matches!(answer.status(), StatusCode::OK | StatusCode::NO_CONTENT) {
        return Ok(answer);
    }
    let (what, status) = (answer.url().path().to_owned(), answer.status());
    Err(format!("{what} was answered {status}: {}", answer.text().await?).into())
}
