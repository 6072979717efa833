//! Settings for Kong's entities, the nearest over the farther ones.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::config::{
    formats::{Form, Text},
    model::{FieldType, FromMetadata, KongTemplates, RouteTemplate, Setting},
    template::Template,
    written::{self, SERVICE_FIELDS, Shared, UPSTREAM_FIELDS, Values},
};

/// Lays nearer templates over farther ones, field by field; nearer tags stand in place of farther ones. The nearest comes
/// last.
pub(super) fn layered(layers: [&Shared; 3]) -> KongTemplates {
    let mut all = KongTemplates::default();
    for kong in layers.into_iter().filter_map(|shared| shared.kong.as_ref()) {
        all.service.extend(settings(&kong.service.0, SERVICE_FIELDS));
        all.upstream.extend(settings(&kong.upstream.0, UPSTREAM_FIELDS));
        if let Some(tags) = &kong.tags {
            all.tags.clone_from(tags);
        }
    }
    all
}

fn settings(
    written: &BTreeMap<String, Value>,
    table: &[(&str, FieldType)],
) -> impl Iterator<Item = (String, Setting)> {
    written.iter().map(|(name, value)| {
        let of = table.iter().find(|(known, _)| known == name).map(|(_, of)| *of);
        (
            name.clone(),
            of.and_then(|of| from_metadata(value, of)).unwrap_or_else(|| Setting::Value(value.clone())),
        )
    })
}

fn from_metadata(value: &Value, of: FieldType) -> Option<Setting> {
    let key = value.as_object().filter(|_| of.is_told_by_metadata())?.get("metadata")?.as_str()?.to_owned();
    let otherwise = value.get("else").filter(|value| !value.is_null()).cloned();
    Some(Setting::Metadata(FromMetadata { key, otherwise, of }))
}

/// The route that the layers make together, key by key; none when none of them has one or the nearest that says so
/// switches it off.
pub(super) fn route(layers: [&Shared; 3]) -> Option<RouteTemplate> {
    let written = layers.into_iter().filter_map(|shared| shared.route.as_ref());
    let route = written.fold(None, |farther: Option<written::Route>, nearer| {
        Some(farther.unwrap_or_default().under(nearer))
    })?;
    route.enable.unwrap_or(true).then(|| compiled(route))
}

fn compiled(route: written::Route) -> RouteTemplate {
    let literals = [
        ("methods", route.methods.map(|methods| Value::from(parsed(methods)))),
        ("strip_path", route.strip_path.map(Value::from)),
        ("preserve_host", route.preserve_host.map(Value::from)),
        ("protocols", route.protocols.map(|protocols| json!(protocols))),
        ("regex_priority", route.regex_priority.map(Value::from)),
        ("https_redirect_status_code", route.https_redirect_status_code.map(|status| Value::from(status.0))),
        ("path_handling", route.path_handling.map(|handling| json!(handling))),
        ("request_buffering", route.request_buffering.map(Value::from)),
        ("response_buffering", route.response_buffering.map(Value::from)),
    ];
    let group_headers = route.group_headers.unwrap_or_default().into_iter();
    RouteTemplate {
        paths: route.paths.map(parsed),
        hosts: route.hosts.map(parsed),
        headers: route
            .headers
            .map(|headers| headers.into_iter().map(|(name, values)| (name, several(values))).collect()),
        group_headers: group_headers.map(|(name, value)| (name, value.0)).collect(),
        fields: literals.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
    }
}

fn parsed<F: Form>(texts: Vec<Text<F>>) -> Vec<F::Parsed> {
    texts.into_iter().map(|text| text.0).collect()
}

fn several(values: Values) -> Vec<Template> {
    match values {
        Values::One(value) => vec![value.0],
        Values::Several(values) => parsed(values),
    }
}
