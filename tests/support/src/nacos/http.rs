//! What tests do to a Nacos over its HTTP API, as applications and operators would.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use crate::http_client;
use crate::process::Failure;

/// The server's user cache is reloaded about every two seconds; a new user can log in only then.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);

/// One instance as an application registers it. Every POST replaces all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Namespace id, empty for the default one.
    pub namespace: String,
    /// Group.
    pub group: String,
    /// Service name without its group.
    pub service: String,
    /// Host.
    pub ip: String,
    /// Port.
    pub port: u16,
    /// Cluster within the service.
    pub cluster: String,
    /// 1.0 is the default.
    pub weight: f64,
    /// As the application says.
    pub healthy: bool,
    /// Switched on.
    pub enabled: bool,
    /// Gone with its owner; otherwise it stays until deregistered.
    pub ephemeral: bool,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Registration {
    /// A healthy instance that lives for an hour without beats (`preserved.*` in its metadata says so).
    pub fn new(namespace: &str, service: &str, ip: &str, port: u16) -> Self {
        let hour = "3600000".to_owned();
        let times = ["heart.beat.interval", "heart.beat.timeout", "ip.delete.timeout"];
        Self {
            namespace: namespace.to_owned(),
            group: "DEFAULT_GROUP".to_owned(),
            service: service.to_owned(),
            ip: ip.to_owned(),
            port,
            cluster: "DEFAULT".to_owned(),
            weight: 1.0,
            healthy: true,
            enabled: true,
            ephemeral: true,
            metadata: times.iter().map(|time| (format!("preserved.{time}"), hour.clone())).collect(),
        }
    }

    /// The same with one more metadata pair.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        vec![
            ("namespaceId", self.namespace.clone()),
            ("groupName", self.group.clone()),
            ("serviceName", self.service.clone()),
            ("ip", self.ip.clone()),
            ("port", self.port.to_string()),
            ("clusterName", self.cluster.clone()),
            ("ephemeral", self.ephemeral.to_string()),
        ]
    }

    fn whole(&self) -> Vec<(&'static str, String)> {
        let mut query = self.query();
        query.push(("weight", self.weight.to_string()));
        query.push(("healthy", self.healthy.to_string()));
        query.push(("enabled", self.enabled.to_string()));
        query.push(("metadata", serde_json::json!(self.metadata).to_string()));
        query
    }
}

/// A Nacos' HTTP API, with or without a token.
#[derive(Clone, Debug)]
pub struct NacosHttp {
    base: String,
    client: reqwest::Client,
    token: Option<String>,
}

impl NacosHttp {
    /// The API at `base` (`http://host:port`).
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), client: http_client(), token: None }
    }

    /// The same with the token of a user.
    ///
    /// # Errors
    /// When the server doesn't accept the credentials.
    pub async fn login(&self, user: &str, password: &str) -> Result<Self, Failure> {
        let answer = self.log_in(user, password).await?;
        let token = answer["accessToken"].as_str().ok_or("the login's answer holds no accessToken")?;
        Ok(Self { token: Some(token.to_owned()), ..self.clone() })
    }

    /// The token that requests carry.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Creates the first admin and waits until it can log in. One that exists already is as good.
    ///
    /// # Errors
    /// When it still can't log in after 30 s.
    pub async fn create_admin(&self, user: &str, password: &str) -> Result<(), Failure> {
        // A second creation is refused with 409, which a restart on kept data meets.
        let _ =
            self.send(Method::POST, "/nacos/v3/auth/user/admin", &[], Some(&[("password", password)])).await;
        self.wait_for_login(user, password, true).await
    }

    /// Creates a user who may do what `action` (`r`, `w`, `rw`) says in one namespace, and waits until it can log in.
    ///
    /// # Errors
    /// When the server refuses, or the user still can't log in after 30 s.
    pub async fn create_user(
        &self,
        user: &str,
        password: &str,
        namespace: &str,
        action: &str,
    ) -> Result<(), Failure> {
        let role = format!("role-{user}");
        let account = [("username", user), ("password", password)];
        let membership = [("username", user), ("role", role.as_str())];
        self.post("/nacos/v3/auth/user", &account).await?;
        self.post("/nacos/v3/auth/role", &membership).await?;
        self.permit(user, namespace, action).await?;
        self.wait_for_login(user, password, false).await
    }

    /// Takes away what [`NacosHttp::create_user`] allowed.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn revoke(&self, user: &str, namespace: &str, action: &str) -> Result<(), Failure> {
        let (role, resource) = (format!("role-{user}"), format!("{namespace}:*:*"));
        let query = [("role", role), ("resource", resource), ("action", action.to_owned())];
        self.send(Method::DELETE, "/nacos/v3/auth/permission", &query, None).await?;
        Ok(())
    }

    /// Gives back what [`NacosHttp::revoke`] took.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn permit(&self, user: &str, namespace: &str, action: &str) -> Result<(), Failure> {
        let (role, resource) = (format!("role-{user}"), format!("{namespace}:*:*"));
        let permission = [("role", role.as_str()), ("resource", &resource), ("action", action)];
        self.post("/nacos/v3/auth/permission", &permission).await
    }

    /// Gives a user another password, which only the user itself may do.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_password(&self, user: &str, password: &str) -> Result<(), Failure> {
        let form = [("username", user), ("newPassword", password)];
        self.send(Method::PUT, "/nacos/v3/auth/user", &[], Some(&form)).await?;
        Ok(())
    }

    /// Asks the server to send a client's connection away.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn send_away(&self, connection: &str) -> Result<(), Failure> {
        let query = [("connectionId", connection.to_owned()), ("redirectAddress", String::new())];
        self.send(Method::POST, "/nacos/v3/admin/core/loader/reloadClient", &query, None).await?;
        Ok(())
    }

    /// Waits until the server knows the user, and its first admin as one: roles are cached by themselves.
    async fn wait_for_login(&self, user: &str, password: &str, admin: bool) -> Result<(), Failure> {
        let until = Instant::now() + LOGIN_LIMIT;
        loop {
            let state = match self.log_in(user, password).await {
                Ok(answer) if !admin || answer["globalAdmin"] == true => return Ok(()),
                Ok(answer) => format!("it is no admin: {}", answer["globalAdmin"]),
                Err(error) => error.to_string(),
            };
            if Instant::now() > until {
                return Err(format!("{user} can't use Nacos: {state}").into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn log_in(&self, user: &str, password: &str) -> Result<Value, Failure> {
        let form = [("username", user), ("password", password)];
        let body = self.send(Method::POST, "/nacos/v1/auth/login", &[], Some(&form)).await?;
        Ok(serde_json::from_str(&body)?)
    }

    /// Creates a namespace whose name is its id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create_namespace(&self, id: &str) -> Result<(), Failure> {
        let form = [("namespaceId", id), ("namespaceName", id), ("namespaceDesc", "test")];
        self.post("/nacos/v3/admin/core/namespace", &form).await
    }

    /// Creates a namespace that nobody else uses.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create_new_namespace(&self) -> Result<String, Failure> {
        let id = format!("t-{}", uuid::Uuid::new_v4().simple());
        self.create_namespace(&id).await?;
        Ok(id)
    }

    /// Registers an instance, or replaces all of one.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn register(&self, instance: &Registration) -> Result<(), Failure> {
        self.send(Method::POST, "/nacos/v1/ns/instance", &instance.whole(), None).await?;
        Ok(())
    }

    /// Changes an instance as an operator does: an override that outranks what its owner registers later.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn operate(&self, instance: &Registration) -> Result<(), Failure> {
        self.send(Method::PUT, "/nacos/v1/ns/instance", &instance.whole(), None).await?;
        Ok(())
    }

    /// Deregisters an instance.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn deregister(&self, instance: &Registration) -> Result<(), Failure> {
        self.send(Method::DELETE, "/nacos/v1/ns/instance", &instance.query(), None).await?;
        Ok(())
    }

    /// A light beat; false when the server doesn't know the instance.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn beat(&self, instance: &Registration) -> Result<bool, Failure> {
        let body = self.send(Method::PUT, "/nacos/v1/ns/instance/beat", &instance.query(), None).await?;
        Ok(serde_json::from_str::<Value>(&body)?["code"] == 10_200)
    }

    /// The instances of a service that are switched on, as consumers ask for them; none where it isn't known.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn instances(
        &self,
        namespace: &str,
        group: &str,
        service: &str,
    ) -> Result<Vec<Value>, Failure> {
        let query = [("namespaceId", namespace), ("groupName", group), ("serviceName", service)];
        let query = query.map(|(key, value)| (key, value.to_owned()));
        let body = self.send(Method::GET, "/nacos/v1/ns/instance/list", &query, None).await?;
        let answer: Value = serde_json::from_str(&body)?;
        Ok(answer["hosts"].as_array().cloned().unwrap_or_default())
    }

    /// Sets the ratio of healthy instances below which the server calls all of them healthy.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_protect_threshold(&self, instance: &Registration, ratio: f64) -> Result<(), Failure> {
        let query = [
            ("namespaceId", instance.namespace.clone()),
            ("groupName", instance.group.clone()),
            ("serviceName", instance.service.clone()),
            ("protectThreshold", ratio.to_string()),
        ];
        self.send(Method::PUT, "/nacos/v1/ns/service", &query, None).await?;
        Ok(())
    }

    /// The ids of the connections that clients have open, by the server's own count.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connections(&self) -> Result<Vec<String>, Failure> {
        let body = self.send(Method::GET, "/nacos/v3/admin/ns/client/list", &[], None).await?;
        let answer: Value = serde_json::from_str(&body)?;
        let ids = answer["data"].as_array().ok_or_else(|| format!("no list of clients in {body}"))?;
        // Those of HTTP instances are `ip:port#true`.
        Ok(ids.iter().filter_map(Value::as_str).filter(|id| !id.contains('#')).map(str::to_owned).collect())
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<(), Failure> {
        self.send(Method::POST, path, &[], Some(form)).await?;
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        form: Option<&[(&str, &str)]>,
    ) -> Result<String, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).query(query);
        if let Some(form) = form {
            request = request.form(form);
        }
        if let Some(token) = &self.token {
            request = request.header("accessToken", token);
        }
        accepted(path, request.send().await?).await
    }
}

async fn accepted(path: &str, answer: Response) -> Result<String, Failure> {
    let status = answer.status();
    let body = answer.text().await?;
    if status == StatusCode::OK { Ok(body) } else { Err(format!("{path} answered {status}: {body}").into()) }
}
