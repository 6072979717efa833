//! `/upstreams/{upstream}/health` and the switches beside it.

use serde_json::{Value, json};

use super::{Node, targets};
use crate::kong::answer::{Answer, Payload};
use crate::kong::call::{Call, encode};
use crate::kong::health::checks;
use crate::kong::schema::formats;
use crate::kong::store::{Kind, Row, id_of};
use crate::kong::{errors, paging};

/// What the balancer knows of one target.
struct Seen {
    host: String,
    port: u16,
    weight: i64,
    /// Null for a name that does not resolve; the stand-in resolves none.
    ip: Option<String>,
    up: bool,
}

pub(super) fn show(node: &Node<'_>, call: &Call, upstream: &str) -> Result<Answer, Answer> {
    let row = node.store.find(Kind::Upstreams, upstream).ok_or_else(errors::not_found)?;
    if call.parameter("balancer_health") == Some("1") {
        return Ok(balancer(node, row));
    }
    let (rows, next) = targets::page(node, call, &id_of(row))?;
    let data = rows.into_iter().map(|target| with_health(node, row, target)).collect();
    let mut answer = paging::list(&format!("/upstreams/{}/health", encode(upstream)), data, next, &[]);
    if let Some(Payload::Json(Value::Object(body))) = &mut answer.body {
        body.insert("node_id".to_owned(), Value::from(node.node_id));
    }
    Ok(answer)
}

/// `PUT …/targets/{target}/healthy` and `…/unhealthy`.
pub(super) fn set(node: &Node<'_>, upstream: &str, target: &str, up: bool) -> Result<Answer, Answer> {
    let row = node.store.find(Kind::Upstreams, upstream).ok_or_else(errors::not_found)?;
    let id = id_of(row);
    let target = node.store.find_target(&id, target).ok_or_else(errors::not_found)?;
    if !checks(row) {
        let name = row["name"].as_str().unwrap_or_default();
        return Err(Answer::message(400, &format!("no healthchecker found for {name}")));
    }
    node.health.set(&id, target["target"].as_str().unwrap_or_default(), up);
    Ok(Answer::empty(204))
}

fn seen(node: &Node<'_>, upstream: &Row, target: &Value) -> Seen {
    let address = target["target"].as_str().unwrap_or_default();
    let host = formats::parse_host(address);
    let (host, port, is_name) =
        host.map_or_else(Default::default, |host| (host.text, host.port.unwrap_or_default(), host.is_name));
    Seen {
        ip: (!is_name).then(|| host.clone()),
        host,
        port,
        weight: target["weight"].as_i64().unwrap_or_default(),
        up: !checks(upstream) || node.health.is_up(&id_of(upstream), address),
    }
}

impl Seen {
    fn available(&self) -> i64 {
        if self.ip.is_some() && self.up { self.weight } else { 0 }
    }

    fn total(&self) -> i64 {
        if self.ip.is_some() { self.weight } else { 0 }
    }

    fn data(&self, label: (&str, Value)) -> Value {
        let addresses = self.ip.as_ref().map_or_else(
            || json!({}),
            |ip| json!([{ "ip": ip, "port": self.port, "weight": self.weight, label.0: label.1 }]),
        );
        let dns = match &self.ip {
            None => "dns server error: 3 name error",
            Some(ip) if ip.starts_with('[') => "AAAA",
            Some(_) => "A",
        };
        let (available, total) = (self.available(), self.total());
        json!({
            "host": self.host,
            "port": self.port,
            "nodeWeight": self.weight,
            "dns": dns,
            "addresses": addresses,
            "weight": { "total": total, "available": available, "unavailable": total - available },
        })
    }
}

fn with_health(node: &Node<'_>, upstream: &Row, target: Value) -> Value {
    let seen = seen(node, upstream, &target);
    let health = match (&seen.ip, checks(upstream) && seen.weight > 0) {
        (None, _) => "DNS_ERROR",
        (_, false) => "HEALTHCHECKS_OFF",
        (_, true) if seen.up => "HEALTHY",
        (_, true) => "UNHEALTHY",
    };
    let mut target = target;
    target["data"] = seen.data(("health", Value::from(health)));
    target["health"] = Value::from(health);
    target
}

/// `?balancer_health=1`: one object for the whole upstream.
fn balancer(node: &Node<'_>, upstream: &Row) -> Answer {
    let table = node.store.table(Kind::Targets);
    let ids = table.children("upstream", &id_of(upstream)).cloned().collect::<Vec<_>>();
    let rows = ids.iter().filter_map(|id| table.get(id)).map(|row| Value::Object(row.clone()));
    let seen: Vec<Seen> = rows.map(|row| seen(node, upstream, &row)).collect();
    let total: i64 = seen.iter().map(Seen::total).sum();
    let available: i64 = seen.iter().map(Seen::available).sum();
    let hosts: Vec<Value> = seen.iter().map(|one| one.data(("healthy", Value::from(one.up)))).collect();
    let balancer_health = if available > 0 { "HEALTHY" } else { "UNHEALTHY" };
    let data = json!({
        "id": upstream["id"],
        "health": if checks(upstream) { balancer_health } else { "HEALTHCHECKS_OFF" },
        "balancer_health": balancer_health,
        "details": {
            "healthy": available > 0,
            "hosts": hosts,
            "weight": { "total": total, "available": available, "unavailable": total - available },
        },
    });
    Answer::json(200, json!({ "node_id": node.node_id, "next": null, "data": data }))
}
