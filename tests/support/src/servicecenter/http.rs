//! What tests do to a service-center over its HTTP API, as applications and operators would.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Registration, Service};
use crate::http_client;
use crate::process::Failure;

/// The server's word for a service that it doesn't know.
const NO_SERVICE: &str = "400012";

/// The HTTP API of one server, in one domain and project.
#[derive(Clone, Debug)]
pub struct ServiceCenterHttp {
    client: reqwest::Client,
    base: String,
    domain: String,
    project: String,
    token: Option<String>,
}

impl ServiceCenterHttp {
    /// In the default domain and project, without an account.
    pub fn new(base: &str) -> Self {
        let [domain, project] = ["default", "default"].map(str::to_owned);
        Self { client: http_client(), base: base.to_owned(), domain, project, token: None }
    }

    /// The same server in another domain and project, which need not be made first.
    #[must_use]
    pub fn within(&self, domain: &str, project: &str) -> Self {
        Self { domain: domain.to_owned(), project: project.to_owned(), ..self.clone() }
    }

    /// The same server as this account.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn logged_in(&self, user: &str, password: &str) -> Result<Self, Failure> {
        let body = json!({ "name": user, "password": password });
        let granted = self.send(Method::POST, "/v4/token", Some(&body)).await?;
        let token = granted["token"].as_str().ok_or("a login without a token")?.to_owned();
        Ok(Self { token: Some(token), ..self.clone() })
    }

    /// Makes an account with the role `developer`.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn create_account(&self, user: &str, password: &str) -> Result<(), Failure> {
        let body = json!({ "name": user, "password": password, "role": "developer" });
        self.send(Method::POST, "/v4/account", Some(&body)).await.map(drop)
    }

    /// Removes an account. Tokens that it was given stay good for half an hour.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn delete_account(&self, user: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, &format!("/v4/account/{user}"), None).await.map(drop)
    }

    /// Registers a service, or finds it; its id.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn create(&self, service: &Service) -> Result<String, Failure> {
        let created = self.registry(Method::POST, "microservices", Some(&service.body())).await?;
        Ok(created["serviceId"].as_str().ok_or("a service without an id")?.to_owned())
    }

    /// Gives a service these properties and no others.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn set_service_properties(
        &self,
        service: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let path = format!("microservices/{service}/properties");
        self.registry(Method::PUT, &path, Some(&json!({ "properties": properties }))).await.map(drop)
    }

    /// Removes a service with all its instances.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn delete_service(&self, service: &str) -> Result<(), Failure> {
        self.registry(Method::DELETE, &format!("microservices/{service}?force=1"), None).await.map(drop)
    }

    /// Registers an instance of the service with this id.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn register(&self, service: &str, instance: &Registration) -> Result<(), Failure> {
        let path = format!("microservices/{service}/instances");
        self.registry(Method::POST, &path, Some(&instance.body())).await.map(drop)
    }

    /// Gives a registered instance its properties.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn set_properties(&self, service: &str, instance: &Registration) -> Result<(), Failure> {
        let path = format!("microservices/{service}/instances/{}/properties", instance.id);
        let body = json!({ "properties": instance.properties });
        self.registry(Method::PUT, &path, Some(&body)).await.map(drop)
    }

    /// Gives a registered instance its status.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn set_status(&self, service: &str, instance: &Registration) -> Result<(), Failure> {
        let path =
            format!("microservices/{service}/instances/{}/status?value={}", instance.id, instance.status);
        self.registry(Method::PUT, &path, None).await.map(drop)
    }

    /// Says that an instance is alive.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn heartbeat(&self, service: &str, instance: &Registration) -> Result<(), Failure> {
        let path = format!("microservices/{service}/instances/{}/heartbeat", instance.id);
        self.registry(Method::PUT, &path, None).await.map(drop)
    }

    /// Deregisters an instance.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn deregister(&self, service: &str, instance: &Registration) -> Result<(), Failure> {
        let path = format!("microservices/{service}/instances/{}", instance.id);
        self.registry(Method::DELETE, &path, None).await.map(drop)
    }

    /// What the server's cache holds of a service's instances.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn instances(&self, service: &str) -> Result<Value, Failure> {
        let path = format!("microservices/{service}/instances");
        Ok(self.registry(Method::GET, &path, None).await?["instances"].clone())
    }

    /// The instances of all versions of a service, as consumers ask for them; none where it isn't known.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn find(&self, app: &str, service: &str) -> Result<Vec<Value>, Failure> {
        let asked = json!({ "service": { "appId": app, "serviceName": service, "version": "0+" } });
        let body = json!({ "services": [asked] });
        let found = self.registry(Method::POST, "instances/action?type=query", Some(&body)).await?;
        let failed = &found["services"]["failed"][0]["error"];
        if !failed.is_null() && failed["errorCode"] != NO_SERVICE {
            return Err(format!("{app}/{service} was answered {failed}").into());
        }
        let updated = &found["services"]["updated"][0]["instances"];
        Ok(updated.as_array().cloned().unwrap_or_default())
    }

    /// Does what the console does when somebody opens it.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn open_console(&self) -> Result<(), Failure> {
        let path = format!("/v4/{}/govern/microservices?options=all", self.project);
        self.send(Method::GET, &path, None).await.map(drop)
    }

    /// Whether it serves.
    pub(super) async fn is_healthy(&self) -> bool {
        self.send(Method::GET, "/health", None).await.is_ok()
    }

    /// Whether it reads its store.
    pub(super) async fn serves(&self) -> bool {
        self.registry(Method::GET, "microservices?noCache=1", None).await.is_ok()
    }

    async fn registry(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.send(method, &format!("/v4/{}/registry/{path}", self.project), body).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let what = format!("{method} {path}");
        let request = self.client.request(method, format!("{}{path}", self.base));
        let mut request = request.header("X-Domain-Name", &self.domain);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, words) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("{what} was answered {status}: {words}").into());
        }
        // What has nothing to say says it in no JSON.
        Ok(serde_json::from_str(&words).unwrap_or_default())
    }
}
