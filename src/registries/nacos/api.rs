//! Nacos' HTTP API of each generation: namespaces, names of services, and instances with those that are switched off.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::NacosError;
use super::auth::{Auth, Grant};
use super::http::{Call, Http, Reply};
use super::info::Host;
use super::names::{Namespace, ServiceName};
use super::pages::{AdminPage, CatalogInstances, CatalogPage, GroupPage, Listing, Page};

/// v1 and v3 take this; v2 would cap it at 500 without saying so.
const PAGE_SIZE: usize = 10_000;
/// How often a list that changes under the reading is begun again.
const READINGS: usize = 4;

/// Which API a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// 3.x: the admin API.
    V3,
    /// 1.x and 2.x.
    V1,
}

/// One way to list the services of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `/v3/admin/ns/service/list`: every group.
    Admin,
    /// `/v1/ns/catalog/services`: every group.
    Catalog,
    /// `/v1/ns/service/list`: one group at a time.
    Groups,
}

/// The HTTP API with our credentials.
pub(super) struct Api {
    pub(super) http: Http,
    pub(super) auth: Auth,
    generation: Mutex<Option<Generation>>,
    /// What works in each namespace, by its id: rights differ.
    listings: Mutex<BTreeMap<String, Way>>,
}

impl Api {
    pub(super) fn new(http: Http, auth: Auth) -> Self {
        Self { http, auth, generation: Mutex::default(), listings: Mutex::default() }
    }

    /// Forgets what was found out about the servers: there may be another version now.
    pub(super) async fn forget(&self) {
        *self.generation.lock().await = None;
        self.listings.lock().await.clear();
    }

    /// The ids of all namespaces.
    pub(super) async fn namespaces(&self) -> Result<Vec<String>, NacosError> {
        let path = match self.generation().await? {
            Generation::V3 => "/v3/admin/core/namespace/list",
            Generation::V1 => "/v1/console/namespaces",
        };
        #[derive(Deserialize)]
        struct Told {
            namespace: String,
        }
        let told: Vec<Told> = self.data(Call::get(path), "the list of namespaces").await?;
        Ok(told.into_iter().map(|told| told.namespace).collect())
    }

    /// Every service of a namespace. Where the credentials allow no list of all groups, those of `groups`, when these are
    /// known to be all that is wanted.
    pub(super) async fn services(
        &self,
        namespace: &Namespace,
        groups: Option<&BTreeSet<String>>,
    ) -> Result<Listing, NacosError> {
        let known = self.listings.lock().await.get(&namespace.id).copied();
        let ways = match known {
            Some(way) => vec![way],
            None if self.generation().await? == Generation::V3 => {
                vec![Way::Admin, Way::Catalog, Way::Groups]
            }
            None => vec![Way::Catalog, Way::Groups],
        };
        let mut refusal = None;
        for way in ways.into_iter().filter(|way| *way != Way::Groups || groups.is_some()) {
            match self.services_by(way, namespace, groups).await {
                Ok(services) => {
                    self.listings.lock().await.insert(namespace.id.clone(), way);
                    return Ok(services);
                }
                Err(error) if error.asks_for_another_way() => refusal = more_telling(refusal, error),
                Err(error) => return Err(error),
            }
        }
        self.listings.lock().await.remove(&namespace.id);
        Err(refusal.unwrap_or_else(|| NacosError::Settings("no way to list services".to_owned())))
    }

    async fn services_by(
        &self,
        way: Way,
        namespace: &Namespace,
        groups: Option<&BTreeSet<String>>,
    ) -> Result<Listing, NacosError> {
        if way != Way::Groups {
            return self.complete_list(way, "", namespace).await;
        }
        let mut services = Listing::new();
        for group in groups.into_iter().flatten() {
            services.extend(self.complete_list(way, group, namespace).await?);
        }
        Ok(services)
    }

    /// Reads all pages. A list that changed meanwhile may have moved a name from a page to come to one already read, so it
    /// counts only when it holds as many as the server says, or the same twice.
    async fn complete_list(
        &self,
        way: Way,
        group: &str,
        namespace: &Namespace,
    ) -> Result<Listing, NacosError> {
        let mut before: Option<Listing> = None;
        for _ in 0..READINGS {
            let (total, services) = self.all_pages(way, group, namespace).await?;
            if services.len() == total || before.is_some_and(|before| before.keys().eq(services.keys())) {
                return Ok(services);
            }
            before = Some(services);
        }
        Err(NacosError::Unreadable {
            server: "Nacos".to_owned(),
            what: format!("the list of services in {}", namespace.key),
            reason: format!("it changed during each of {READINGS} readings"),
        })
    }

    async fn all_pages(
        &self,
        way: Way,
        group: &str,
        namespace: &Namespace,
    ) -> Result<(usize, Listing), NacosError> {
        let mut services = Listing::new();
        for number in 1.. {
            let page = self.page(way, group, namespace, number).await?;
            let last = page.services.is_empty();
            services.extend(page.services);
            if last || services.len() >= page.total {
                return Ok((page.total, services));
            }
        }
        Ok((0, services))
    }

    async fn page(
        &self,
        way: Way,
        group: &str,
        namespace: &Namespace,
        number: usize,
    ) -> Result<Page, NacosError> {
        let call = |path| {
            namespaced(Call::get(path), namespace).query("pageNo", number).query("pageSize", PAGE_SIZE)
        };
        let what = format!("the list of services in {}", namespace.key);
        match way {
            Way::Admin => {
                let call = call("/v3/admin/ns/service/list").query("ignoreEmptyService", false);
                Ok(self.data::<AdminPage>(call, &what).await?.into())
            }
            Way::Catalog => {
                let call =
                    call("/v1/ns/catalog/services").query("hasIpCount", false).query("withInstances", false);
                let call = call.query("serviceNameParam", "").query("groupNameParam", "");
                Ok(self.bare::<CatalogPage>(call, &what).await?.into())
            }
            Way::Groups => {
                let page: GroupPage =
                    self.bare(call("/v1/ns/service/list").query("groupName", group), &what).await?;
                Ok(page.in_group(group))
            }
        }
    }

    /// All instances of a service, those that are switched off too. Every generation lists one cluster at a time. A service
    /// that the server doesn't know has none.
    pub(super) async fn instances(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
    ) -> Result<Vec<Host>, NacosError> {
        let what = format!("the instances of {service}");
        let generation = self.generation().await?;
        let mut hosts = Vec::new();
        for cluster in self.clusters(namespace, service).await? {
            let call = match generation {
                Generation::V3 => named(Call::get("/v3/admin/ns/instance/list"), namespace, &service.name),
                Generation::V1 => named(Call::get("/v1/ns/catalog/instances"), namespace, service),
            };
            let call = call.query("groupName", &service.group).query("clusterName", cluster);
            let reply = self.answered(call.query("pageNo", 1).query("pageSize", PAGE_SIZE), "").await?;
            if is_unknown(&reply) {
                continue;
            }
            let reply = checked(reply, &what)?;
            hosts.extend(match generation {
                Generation::V3 => opened(&reply, &what)?,
                Generation::V1 => parse::<CatalogInstances>(&reply, &what)?.list,
            });
        }
        Ok(hosts)
    }

    pub(super) async fn generation(&self) -> Result<Generation, NacosError> {
        let mut known = self.generation.lock().await;
        if let Some(generation) = *known {
            return Ok(generation);
        }
        let reply = self.http.send(&Call::get("/v3/admin/core/state")).await?;
        let found = match reply.status {
            StatusCode::OK => Generation::V3,
            status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                return Err(refused(&reply, "the server's state"));
            }
            _ => Generation::V1,
        };
        *known = Some(found);
        Ok(found)
    }

    /// The `data` of an answer in Nacos' envelope.
    pub(super) async fn data<T: DeserializeOwned>(&self, call: Call, what: &str) -> Result<T, NacosError> {
        opened(&self.call(call, what).await?, what)
    }

    async fn bare<T: DeserializeOwned>(&self, call: Call, what: &str) -> Result<T, NacosError> {
        parse(&self.call(call, what).await?, what)
    }

    async fn call(&self, call: Call, what: &str) -> Result<Reply, NacosError> {
        checked(self.answered(call, "").await?, what)
    }

    /// Sends it with our credentials for `resource` (`group@@service`, or nothing), and once more with fresh ones when they
    /// are refused.
    pub(super) async fn answered(&self, call: Call, resource: &str) -> Result<Reply, NacosError> {
        let grant = self.auth.grant(&self.http, resource).await?;
        let reply = self.send(&call, &grant).await?;
        if !denied(reply.status) || !self.auth.refused(&grant).await {
            return Ok(reply);
        }
        let grant = self.auth.grant(&self.http, resource).await?;
        self.send(&call, &grant).await
    }

    async fn send(&self, call: &Call, grant: &Grant) -> Result<Reply, NacosError> {
        let mut call = call.clone();
        grant.put_into(&mut call);
        self.http.send(&call).await
    }
}

/// The `data` of an answer in Nacos' envelope.
pub(super) fn opened<T: DeserializeOwned>(reply: &Reply, what: &str) -> Result<T, NacosError> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(default)]
        code: i64,
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        data: Value,
    }
    let envelope: Envelope = parse(reply, what)?;
    // v1's console says 200 where v3 says 0.
    if envelope.code != 0 && envelope.code != 200 {
        let message = envelope.message.unwrap_or_default();
        return Err(NacosError::Refused {
            server: reply.server.clone(),
            what: what.to_owned(),
            code: envelope.code,
            message,
        });
    }
    serde_json::from_value(envelope.data).map_err(|error| unreadable(reply, what, &error))
}

/// The server says that the service, or the cluster in it, isn't there.
pub(super) fn is_unknown(reply: &Reply) -> bool {
    reply.status == StatusCode::NOT_FOUND && reply.words().ends_with("is not found!")
}

/// Being denied says more than a request that a version doesn't have.
fn more_telling(before: Option<NacosError>, error: NacosError) -> Option<NacosError> {
    Some(before.filter(|before| matches!(before, NacosError::Denied { .. })).unwrap_or(error))
}

/// The default namespace is the absent one, which all versions agree on.
fn namespaced(call: Call, namespace: &Namespace) -> Call {
    if *namespace == Namespace::new("") { call } else { call.query("namespaceId", &namespace.id) }
}

/// About a service, written as the path wants it.
pub(super) fn named(call: Call, namespace: &Namespace, service: impl ToString) -> Call {
    namespaced(call, namespace).query("serviceName", service)
}

fn denied(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

pub(super) fn checked(reply: Reply, what: &str) -> Result<Reply, NacosError> {
    let (server, what_owned) = (reply.server.clone(), what.to_owned());
    match reply.status {
        status if status.is_success() => Ok(reply),
        status if denied(status) => {
            Err(NacosError::Denied { server, what: what_owned, message: reply.words() })
        }
        StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::NOT_IMPLEMENTED
        | StatusCode::GONE => Err(NacosError::Unsupported { server, what: what_owned }),
        _ => Err(refused(&reply, what)),
    }
}

fn refused(reply: &Reply, what: &str) -> NacosError {
    let code = i64::from(reply.status.as_u16());
    NacosError::Refused { server: reply.server.clone(), what: what.to_owned(), code, message: reply.words() }
}

fn unreadable(reply: &Reply, what: &str, error: &dyn std::fmt::Display) -> NacosError {
    NacosError::Unreadable { server: reply.server.clone(), what: what.to_owned(), reason: error.to_string() }
}

pub(super) fn parse<T: DeserializeOwned>(reply: &Reply, what: &str) -> Result<T, NacosError> {
    serde_json::from_slice(&reply.body).map_err(|error| unreadable(reply, what, &error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::extract::Query;
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::super::address::Server;
    use super::super::auth::Credentials;
    use super::*;
    use crate::registries::tls::Trust;

    /// A 3.x server whose list is paged as `page` says: from the number of requests before, and that of the page, to the total and
    /// the names. It promises a wrong number of pages, as real ones do.
    async fn api(page: impl Fn(usize, usize) -> (usize, Vec<usize>) + Clone + Send + Sync + 'static) -> Api {
        let asked = Arc::new(AtomicUsize::new(0));
        let list = move |Query(query): Query<BTreeMap<String, String>>| async move {
            let number = query["pageNo"].parse().unwrap();
            let (total, names) = page(asked.fetch_add(1, Ordering::SeqCst), number);
            let names: Vec<Value> =
                names.iter().map(|n| json!({ "name": format!("s{n}"), "groupName": "G" })).collect();
            Json(
                json!({ "code": 0, "data": { "totalCount": total, "pagesAvailable": 1, "pageItems": names } }),
            )
        };
        let router = Router::new()
            .route("/nacos/v3/admin/core/state", get(async || "{}"))
            .route("/nacos/v3/admin/ns/service/list", get(list));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::parse(&listener.local_addr().unwrap().to_string(), false).unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Api::new(Http::new(vec![server], &Trust::Public).unwrap(), Auth::new(Credentials::Nobody))
    }

    async fn count(api: &Api) -> Result<usize, NacosError> {
        api.services(&Namespace::new(""), None).await.map(|services| services.len())
    }

    #[tokio::test]
    async fn pages_that_are_cut_in_silence_are_read_to_the_last() {
        let two_each = |_, number| (5, (0..5).skip(2 * (number - 1)).take(2).collect());
        assert_eq!(count(&api(two_each).await).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_list_that_changes_under_the_reading_is_no_list() {
        // The first reading is told of three and shown two: one has moved to a page that was read already.
        let once = |asked, number| match (asked, number) {
            (0, _) => (3, vec![0, 1]),
            (1, _) => (3, vec![]),
            (_, 1) => (3, vec![0, 1, 2]),
            _ => (3, vec![]),
        };
        assert_eq!(count(&api(once).await).await.unwrap(), 3);
        let always = |asked, number| if number == 1 { (9, vec![asked]) } else { (9, vec![]) };
        let error = count(&api(always).await).await.unwrap_err();
        assert!(error.to_string().contains("it changed during each of 4 readings"), "{error}");
    }
}
