//! What tests do to a Consul over its HTTP API, as applications and operators would.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::Registration;
use crate::http_client;
use crate::process::Failure;

/// The server takes so many operations in one transaction.
const OPERATIONS: usize = 128;

/// The HTTP API of one server, with one token.
#[derive(Clone, Debug)]
pub struct ConsulHttp {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl ConsulHttp {
    /// Without a token.
    pub fn new(base: &str) -> Self {
        Self { client: http_client(), base: base.to_owned(), token: None }
    }

    /// The same server with this token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Registers an instance, or replaces it; checks that it had and that aren't named stay.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn register(&self, instance: &Registration) -> Result<(), Failure> {
        self.put("/v1/catalog/register", &instance.body()).await.map(drop)
    }

    /// Registers many instances, 128 at a time, without their checks. Their node must be there.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn register_all(&self, instances: &[Registration]) -> Result<(), Failure> {
        for some in instances.chunks(OPERATIONS) {
            let operations = some.iter().map(Registration::operation).collect();
            self.put("/v1/txn", &Value::Array(operations)).await?;
        }
        Ok(())
    }

    /// Deregisters an instance with its checks.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn deregister(&self, instance: &Registration) -> Result<(), Failure> {
        let body = json!({ "Node": instance.node, "ServiceID": instance.id });
        self.put("/v1/catalog/deregister", &body).await.map(drop)
    }

    /// Removes one check.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn remove_check(&self, node: &str, check: &str) -> Result<(), Failure> {
        let body = json!({ "Node": node, "CheckID": check });
        self.put("/v1/catalog/deregister", &body).await.map(drop)
    }

    /// Gives an instance's node the address that the instance names for it.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn move_node(&self, instance: &Registration) -> Result<(), Failure> {
        let body = json!({ "Node": instance.node, "Address": instance.node_address });
        self.put("/v1/catalog/register", &body).await.map(drop)
    }

    /// Gives an instance's node other metadata.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn touch_node(&self, instance: &Registration, value: &str) -> Result<(), Failure> {
        let (node, address) = (&instance.node, &instance.node_address);
        let body = json!({ "Node": node, "Address": address, "NodeMeta": { "touched": value } });
        self.put("/v1/catalog/register", &body).await.map(drop)
    }

    /// Makes a policy of these rules, or gives it these.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn set_policy(&self, name: &str, rules: &str) -> Result<(), Failure> {
        let known = self.get(&format!("/v1/acl/policy/name/{name}")).await;
        let body = json!({ "Name": name, "Rules": rules });
        match known.as_ref().ok().and_then(|policy| policy["ID"].as_str()) {
            Some(id) => self.put(&format!("/v1/acl/policy/{id}"), &body).await.map(drop),
            None => self.put("/v1/acl/policy", &body).await.map(drop),
        }
    }

    /// Makes a token with this secret (a UUID) and policy; its accessor, by which it is deleted.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn create_token(&self, secret: &str, policy: &str) -> Result<String, Failure> {
        let body = json!({ "SecretID": secret, "Policies": [{ "Name": policy }] });
        let created: Value = self.put("/v1/acl/token", &body).await?.json().await?;
        Ok(created["AccessorID"].as_str().ok_or("a token without an accessor")?.to_owned())
    }

    /// Deletes the token with this accessor.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn delete_token(&self, accessor: &str) -> Result<(), Failure> {
        let path = format!("/v1/acl/token/{accessor}");
        self.send(Method::DELETE, &path, None).await.map(drop)
    }

    /// A JSON answer.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.send(Method::GET, path, None).await?.json().await?)
    }

    async fn put(&self, path: &str, body: &Value) -> Result<Response, Failure> {
        self.send(Method::PUT, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response, Failure> {
        let what = format!("{method} {path}");
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("X-Consul-Token", token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let (status, words) = (answer.status(), answer.text().await?);
        Err(format!("{what} was answered {status}: {words}").into())
    }
}
