//! The forms in which Nacos' generations list things.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::info::Host;
use super::names::ServiceName;

/// Services with the number of their instances, those that are switched off too, where a listing tells it.
pub(super) type Listing = BTreeMap<ServiceName, Option<usize>>;

/// One page of names.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) total: usize,
    pub(super) services: Listing,
}

/// v3 admin.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdminPage {
    total_count: usize,
    #[serde(default)]
    page_items: Vec<Listed>,
}

/// v1 catalog.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CatalogPage {
    count: usize,
    #[serde(default)]
    service_list: Vec<Listed>,
}

/// v1, one group.
#[derive(Deserialize)]
pub(super) struct GroupPage {
    count: usize,
    #[serde(default)]
    doms: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    #[serde(default)]
    group_name: String,
    #[serde(default)]
    ip_count: Option<usize>,
}

/// v1 catalog, the instances of one cluster.
#[derive(Deserialize)]
pub(super) struct CatalogInstances {
    #[serde(default)]
    pub(super) list: Vec<Host>,
}

fn names(listed: &[Listed]) -> Listing {
    let name = |service: &Listed| ServiceName::from_answer(&service.group_name, &service.name);
    listed.iter().map(|service| (name(service), service.ip_count)).collect()
}

impl From<AdminPage> for Page {
    fn from(page: AdminPage) -> Self {
        Self { total: page.total_count, services: names(&page.page_items) }
    }
}

impl From<CatalogPage> for Page {
    fn from(page: CatalogPage) -> Self {
        Self { total: page.count, services: names(&page.service_list) }
    }
}

impl GroupPage {
    /// The names are bare; the group is the one that was asked for.
    pub(super) fn in_group(&self, group: &str) -> Page {
        let services = self.doms.iter().map(|name| (ServiceName::from_answer(group, name), None)).collect();
        Page { total: self.count, services }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(page: &Page) -> Vec<String> {
        let told = |count: &Option<usize>| count.map(|count| format!(" {count}")).unwrap_or_default();
        page.services.iter().map(|(name, count)| format!("{name}{}", told(count))).collect()
    }

    /// As a 3.1.0 server answers.
    #[test]
    fn each_generations_page_is_read() {
        let admin = r#"{"totalCount":2,"pageNumber":1,"pagesAvailable":3,"pageItems":[
            {"name":"orders","groupName":"TRADE","clusterCount":1,"ipCount":1,"healthyInstanceCount":1,"triggerFlag":"false"}]}"#;
        let admin: Page = serde_json::from_str::<AdminPage>(admin).unwrap().into();
        assert_eq!((admin.total, names_of(&admin)), (2, vec!["TRADE@@orders 1".to_owned()]));
        let catalog = r#"{"serviceList":[{"name":"a","groupName":"DEFAULT_GROUP","ipCount":0}],"count":1}"#;
        let catalog: Page = serde_json::from_str::<CatalogPage>(catalog).unwrap().into();
        assert_eq!((catalog.total, names_of(&catalog)), (1, vec!["DEFAULT_GROUP@@a 0".to_owned()]));
        let group = serde_json::from_str::<GroupPage>(r#"{"count":1,"doms":["b"]}"#).unwrap().in_group("G");
        assert_eq!((group.total, names_of(&group)), (1, vec!["G@@b".to_owned()]));
    }

    #[test]
    fn fuzz_nacos_pages() {
        let admin = br#"{"totalCount":2,"pageItems":[{"name":"orders","groupName":"TRADE"}]}"#;
        let catalog = br#"{"serviceList":[{"name":"a","groupName":"DEFAULT_GROUP","ipCount":0}],"count":1}"#;
        let group = br#"{"count":1,"doms":["b","G@@c"]}"#;
        let instances = br#"{"list":[{"ip":"10.0.0.1","port":80,"weight":1.0,"healthy":true,"metadata":{"a":null,"b":1}}],"count":1}"#;
        crate::fuzz::fuzz(&[admin, catalog, group, instances], |bytes| {
            let _ = serde_json::from_slice::<AdminPage>(bytes).map(Page::from);
            let _ = serde_json::from_slice::<CatalogPage>(bytes).map(Page::from);
            let _ = serde_json::from_slice::<GroupPage>(bytes).map(|page| page.in_group("g"));
            let _ = serde_json::from_slice::<CatalogInstances>(bytes).map(|instances| instances.list.len());
        });
    }
}
