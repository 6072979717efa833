//! The answers of the REST API, version 4, as a server of 1.4.8 gives them. It omits whatever is empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Metadata;

/// Nothing is registered under the key that was asked for. It comes with HTTP status 400, not 404.
pub(super) const NO_SERVICE: &str = "400012";
/// There is no such instance, in whatever a request is about. It comes with HTTP status 400, too.
pub(super) const NO_INSTANCE: &str = "400017";
/// There are as many services or instances as the server holds.
pub(super) const NO_QUOTA: &str = "400100";

/// One version of a service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Service {
    pub(super) service_id: String,
    pub(super) environment: String,
    pub(super) app_id: String,
    pub(super) service_name: String,
    pub(super) version: String,
    pub(super) properties: Metadata,
    /// When it was registered first, in seconds since 1970.
    pub(super) timestamp: String,
    /// When it was written last.
    pub(super) mod_timestamp: String,
}

/// One instance of one version of a service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Described {
    pub(super) instance_id: String,
    pub(super) service_id: String,
    pub(super) endpoints: Vec<String>,
    pub(super) host_name: String,
    pub(super) status: String,
    pub(super) properties: Metadata,
    pub(super) mod_timestamp: String,
    pub(super) version: String,
    pub(super) data_center_info: DataCenterInfo,
}

/// Where an instance runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DataCenterInfo {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) available_zone: String,
}

/// What the server says of one service that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// It has the revision that we know.
    Unchanged,
    /// All its instances, at this revision.
    Shows { revision: String, instances: Vec<Described> },
    /// There is no such service.
    Missing { words: String },
    /// It can't be read.
    Failed { words: String },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Listed {
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Answered {
    services: Results,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Results {
    failed: Vec<FailedOnes>,
    not_modified: Vec<usize>,
    updated: Vec<Updated>,
}

#[derive(Deserialize)]
struct FailedOnes {
    indexes: Vec<usize>,
    error: Refusal,
}

#[derive(Deserialize)]
struct Updated {
    index: usize,
    #[serde(default)]
    rev: String,
    #[serde(default)]
    instances: Vec<Described>,
}

/// What the server says when it refuses.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Refusal {
    error_code: String,
    error_message: String,
    detail: String,
}

impl Refusal {
    fn words(&self) -> String {
        let parts = [&self.error_code, &self.error_message, &self.detail];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }
}

#[derive(Deserialize)]
struct Granted {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    service_id: String,
}

/// Reads the list of all services of a domain's project.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_services(body: &[u8]) -> Result<Vec<Service>, String> {
    read::<Listed>(body).map(|listed| listed.services)
}

/// Reads what was found of so many services that were asked for at once; each must be told of.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_found(body: &[u8], asked: usize) -> Result<Vec<Found>, String> {
    let Results { failed, not_modified, updated } = read::<Answered>(body)?.services;
    let mut all = BTreeMap::new();
    all.extend(not_modified.into_iter().map(|index| (index, Found::Unchanged)));
    for FailedOnes { indexes, error } in failed {
        let words = error.words();
        let missing = error.error_code == NO_SERVICE;
        let found = || {
            if missing {
                Found::Missing { words: words.clone() }
            } else {
                Found::Failed { words: words.clone() }
            }
        };
        all.extend(indexes.into_iter().map(|index| (index, found())));
    }
    all.extend(
        updated
            .into_iter()
            .map(|Updated { index, rev, instances }| (index, Found::Shows { revision: rev, instances })),
    );
    if all.keys().copied().ne(0..asked) {
        return Err(format!("it tells of {} services where {asked} were asked for", all.len()));
    }
    Ok(all.into_values().collect())
}

/// Reads the token that a login is answered with.
///
/// # Errors
/// What is wrong with it, without a word of it.
pub(super) fn parse_token(body: &[u8]) -> Result<String, String> {
    let granted: Granted = serde_json::from_slice(body).map_err(|_| "it holds no token".to_owned())?;
    Ok(granted.token)
}

/// Reads the id that a registered service was given, or has had for long.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_created(body: &[u8]) -> Result<String, String> {
    read::<Created>(body).map(|created| created.service_id)
}

/// The server's own code in an answer that isn't a success; empty where there is none.
pub(super) fn refusal_code(body: &[u8]) -> String {
    serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.error_code).unwrap_or_default()
}

/// The server's words in an answer that isn't a success.
pub(super) fn refusal_words(body: &[u8]) -> String {
    let words = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.words()).unwrap_or_default();
    if words.is_empty() { String::from_utf8_lossy(body).trim().to_owned() } else { words }
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registries::servicecenter::instance::Entry;

    #[test]
    fn what_a_server_lists() {
        let services = parse_services(include_bytes!("testdata/services.json")).unwrap();
        let Service { app_id, service_name, version, properties, timestamp, .. } = &services[0];
        assert_eq!((app_id.as_str(), service_name.as_str(), version.as_str()), ("a1", "orders", "1.2.3"));
        assert_eq!((properties["p"].as_str(), timestamp.as_str()), ("1", "1795264001"));
        assert_eq!((services[1].environment.as_str(), services[1].properties.len()), ("production", 1));
        assert_eq!(parse_services(b"{}").unwrap(), [], "an unknown domain is empty, not an error");
    }

    #[test]
    fn what_a_server_finds() {
        let found = parse_found(include_bytes!("testdata/found.json"), 3).unwrap();
        let Found::Shows { revision, instances } = &found[0] else { panic!("{:?}", found[0]) };
        assert_eq!(revision, "190f90599b558d3294fd6ce135f4597c7b24f260");
        let one = &instances[0];
        assert_eq!(
            (one.instance_id.as_str(), one.status.as_str(), one.version.as_str()),
            ("i1", "UP", "1.2.3")
        );
        assert_eq!(one.properties["k"], "v");
        assert_eq!(found[1], Found::Unchanged);
        assert!(matches!(&found[2], Found::Missing { words } if words.contains("400012")), "{:?}", found[2]);
    }

    #[test]
    fn other_failures_are_told_apart_and_an_empty_service_is_shown() {
        let body = br#"{"services":{"failed":[{"indexes":[0],"error":{"errorCode":"500003","errorMessage":"Internal server error"}}],
            "updated":[{"index":1,"rev":"r"}]}}"#;
        let found = parse_found(body, 2).unwrap();
        assert_eq!(found[0], Found::Failed { words: "500003 Internal server error".to_owned() });
        assert_eq!(found[1], Found::Shows { revision: "r".to_owned(), instances: Vec::new() });
    }

    #[test]
    fn what_does_not_tell_of_each_is_no_answer() {
        for (body, asked) in [
            ("", 0),
            ("{}", 0),
            (r#"{"services":{"notModified":[0]}}"#, 2),
            (r#"{"services":{"notModified":[0,2]}}"#, 2),
            (r#"{"services":{"notModified":[0,1]}}"#, 1),
        ] {
            assert!(parse_found(body.as_bytes(), asked).is_err(), "{body}");
        }
    }

    #[test]
    fn a_refusal_is_quoted_and_a_token_never() {
        let refused = br#"{"errorCode":"401002","errorMessage":"Request unauthorized","detail":"no header"}"#;
        assert_eq!(refusal_words(refused), "401002 Request unauthorized no header");
        assert_eq!(refusal_words(b" bad gateway\n"), "bad gateway");
        assert_eq!((refusal_code(refused).as_str(), refusal_code(b"bad gateway").as_str()), ("401002", ""));
        assert_eq!(parse_token(br#"{"token":"t"}"#).unwrap(), "t");
        let told = parse_token(br#"{"token":7,"x":"secret"}"#).unwrap_err();
        assert_eq!(told, "it holds no token");
    }

    #[test]
    fn fuzz_servicecenter_answers() {
        let seeds: [&[u8]; 4] = [
            include_bytes!("testdata/services.json"),
            include_bytes!("testdata/found.json"),
            br#"{"errorCode":"401002","errorMessage":"Request unauthorized","detail":"no header"}"#,
            br#"{"token":"t"}"#,
        ];
        crate::fuzz::fuzz(&seeds, |bytes| {
            drop((parse_services(bytes), parse_token(bytes), parse_created(bytes), refusal_words(bytes)));
            for found in parse_found(bytes, 3).into_iter().flatten() {
                if let Found::Shows { instances, .. } = found {
                    drop(
                        instances
                            .into_iter()
                            .filter_map(Entry::of)
                            .map(|entry| entry.within(None))
                            .collect::<Vec<_>>(),
                    );
                }
            }
        });
    }
}
