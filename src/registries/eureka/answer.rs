//! The answers of `/apps` and `/apps/delta` in JSON. Jackson's and XStream's forms are both read: the latter writes a list of one as
//! its only element.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// All applications, or those that changed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Applications {
    /// Goes up with every delta that the server makes, and starts anew with the server; an answer of the same kind only can be compared.
    pub(super) version: Option<u64>,
    /// How many instances there are in each status, as in `DOWN_1_UP_11_`.
    pub(super) hash: Option<String>,
    pub(super) instances: Vec<Described>,
}

/// One instance with the application that it is listed under.
#[derive(Debug, PartialEq)]
pub(super) struct Described {
    pub(super) app: String,
    pub(super) instance: InstanceInfo,
}

/// One instance as the server describes it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct InstanceInfo {
    #[serde(deserialize_with = "text")]
    pub(super) instance_id: String,
    #[serde(deserialize_with = "text")]
    pub(super) host_name: String,
    #[serde(deserialize_with = "text")]
    pub(super) ip_addr: String,
    /// What counts: operators' overrides are in it already.
    #[serde(deserialize_with = "text")]
    pub(super) status: String,
    /// An operator's word; `UNKNOWN` where there is none.
    #[serde(deserialize_with = "text", alias = "overriddenstatus")]
    pub(super) overridden_status: String,
    pub(super) port: Port,
    pub(super) secure_port: Port,
    #[serde(deserialize_with = "pairs")]
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) data_center_info: DataCenterInfo,
    #[serde(deserialize_with = "text")]
    pub(super) action_type: String,
    /// Milliseconds since 1970, by the server's clock.
    #[serde(deserialize_with = "number")]
    pub(super) last_updated_timestamp: u64,
    /// Milliseconds since 1970 by the writer's clock. A registration with an older one is ignored.
    #[serde(deserialize_with = "number")]
    pub(super) last_dirty_timestamp: u64,
}

impl InstanceInfo {
    /// Unique within its application. An instance that registered none goes by its host's name.
    pub(super) fn id(&self) -> &str {
        if self.instance_id.is_empty() { &self.host_name } else { &self.instance_id }
    }
}

/// A port that may be off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Port {
    #[serde(rename = "$", deserialize_with = "number")]
    number: u64,
    #[serde(rename = "@enabled", deserialize_with = "truth")]
    enabled: bool,
}

impl Port {
    /// This port, or one that is off.
    pub(super) fn of(port: Option<u16>) -> Self {
        Self { number: port.unwrap_or(0).into(), enabled: port.is_some() }
    }

    /// The port, when it is on.
    pub(super) fn on(self) -> Option<u16> {
        u16::try_from(self.number).ok().filter(|port| self.enabled && *port > 0)
    }
}

/// Where the instance runs; on AWS with its availability zone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct DataCenterInfo {
    #[serde(deserialize_with = "pairs")]
    pub(super) metadata: BTreeMap<String, String>,
}

/// Reads what `/apps/…` says of one application.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_application(body: &[u8]) -> Result<Vec<InstanceInfo>, String> {
    #[derive(Deserialize)]
    struct Answer {
        application: Application,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(answer.application.instance)
}

/// Reads what `/apps/…/…` says of one instance.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_instance(body: &[u8]) -> Result<InstanceInfo, String> {
    #[derive(Deserialize)]
    struct Answer {
        instance: InstanceInfo,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(answer.instance)
}

#[derive(Deserialize)]
struct Answer {
    applications: Written,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "versions__delta", default)]
    version: Value,
    #[serde(rename = "apps__hashcode", default)]
    hash: Option<String>,
    #[serde(default = "none", deserialize_with = "one_or_many")]
    application: Vec<Application>,
}

#[derive(Deserialize)]
struct Application {
    name: String,
    #[serde(default = "none", deserialize_with = "one_or_many")]
    instance: Vec<InstanceInfo>,
}

/// Reads an answer.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<Applications, String> {
    let Answer { applications } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let described = |application: Application| {
        let app = application.name;
        application.instance.into_iter().map(move |instance| Described { app: app.clone(), instance })
    };
    Ok(Applications {
        version: to_number(&applications.version),
        hash: applications.hash,
        instances: applications.application.into_iter().flat_map(described).collect(),
    })
}

fn none<T>() -> Vec<T> {
    Vec::new()
}

/// A list; its only element alone; or nothing.
fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct OneOrMany<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object or a list of them")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, all: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(all))
        }

        fn visit_map<A: MapAccess<'de>>(self, only: A) -> Result<Vec<T>, A::Error> {
            Ok(vec![T::deserialize(MapAccessDeserializer::new(only))?])
        }
    }

    deserializer.deserialize_any(OneOrMany(PhantomData))
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A number, also as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(to_number(&Value::deserialize(deserializer)?).unwrap_or_default())
}

fn to_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A truth value, also as text.
fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_bool().unwrap_or_else(|| value.as_str() == Some("true")))
}

/// Key-value pairs. Keys that begin with `@` are the serialiser's own.
fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let Value::Object(written) = Value::deserialize(deserializer)? else { return Ok(BTreeMap::new()) };
    let own = written.into_iter().filter(|(key, _)| !key.starts_with('@'));
    let pair = |(key, value)| match value {
        Value::String(text) => Some((key, text)),
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        plain => Some((key, plain.to_string())),
    };
    Ok(own.filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spring_cloud_answers() {
        let all = parse(include_bytes!("testdata/apps.json")).unwrap();
        assert_eq!((all.version, all.hash.as_deref()), (Some(1), Some("UP_1_")));
        let Described { app, instance } = &all.instances[0];
        assert_eq!((app.as_str(), instance.id(), instance.status.as_str()), ("ORDERSVC", "i-1", "UP"));
        assert_eq!((instance.port.on(), instance.secure_port.on()), (Some(8080), Some(8443)));
        assert_eq!(instance.metadata["version"], "1.0");
        assert_eq!(instance.last_updated_timestamp, 1_795_260_438_425);
        assert_eq!(parse(br#"{"applications":{}}"#).unwrap(), Applications::default());
    }

    #[test]
    fn what_the_older_serialiser_answers() {
        let body = br#"{"applications":{"versions__delta":7,"apps__hashcode":"DOWN_1_","application":
            {"name":"A","instance":{"hostName":"h","status":"DOWN","port":{"$":"80","@enabled":true},
             "securePort":{"$":443,"@enabled":"false"},"instanceId":null,
             "metadata":{"@class":"java.util.Collections$EmptyMap"},
             "dataCenterInfo":{"name":"Amazon","metadata":{"availability-zone":"us-east-1c"}}}}}}"#;
        let all = parse(body).unwrap();
        let instance = &all.instances[0].instance;
        assert_eq!((all.version, instance.id()), (Some(7), "h"));
        assert_eq!((instance.port.on(), instance.secure_port.on()), (Some(80), None));
        assert!(instance.metadata.is_empty());
        assert_eq!(instance.data_center_info.metadata["availability-zone"], "us-east-1c");
    }

    #[test]
    fn one_application_and_one_instance() {
        let instance = r#"{"instanceId":"i","overriddenStatus":"OUT_OF_SERVICE","lastDirtyTimestamp":"7"}"#;
        let alone = parse_instance(format!(r#"{{"instance":{instance}}}"#).as_bytes()).unwrap();
        assert_eq!((alone.overridden_status.as_str(), alone.last_dirty_timestamp), ("OUT_OF_SERVICE", 7));
        let body = format!(r#"{{"application":{{"name":"A","instance":{instance}}}}}"#);
        assert_eq!(parse_application(body.as_bytes()).unwrap(), [alone]);
        assert!(parse_application(b"{}").is_err() && parse_instance(b"{}").is_err());
    }

    #[test]
    fn fuzz_eureka_answers() {
        crate::fuzz::fuzz(
            &[
                include_bytes!("testdata/apps.json"),
                br#"{"applications":{"application":{"name":"A","instance":{}}}}"#,
            ],
            |bytes| {
                for described in parse(bytes).into_iter().flat_map(|all| all.instances) {
                    drop(super::super::instance::to_instance(described.instance));
                }
            },
        );
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for body in
            ["", "[]", "{}", "<applications/>", r#"{"applications":{"application":[{"instance":[]}]}}"#]
        {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
