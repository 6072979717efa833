//! Namespaces.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::answers::{self, Answer, Batch};
use super::super::codes::{EXISTS, HAS_SERVICES, NOT_FOUND, OK};
use super::super::messages::{NAMESPACE, Row};
use super::super::store::{Namespace, Store, object, text};
use super::query::Query;
use super::{Node, check_namespace, each};
use crate::stand_in::Asked;

pub(super) fn list(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    let query = Query::lenient(asked);
    let cache = &node.store.cache;
    let mut fitting: Vec<_> = cache.namespaces.iter().filter(|(name, _)| query.fits("name", name)).collect();
    fitting.sort_by_key(|(_, namespace)| std::cmp::Reverse(namespace.changed));
    let amount = fitting.len();
    Some(match query.page(fitting) {
        Err(refused) => refused,
        Ok(page) => {
            let shown: Vec<Value> =
                page.into_iter().map(|(name, namespace)| shown(node.store, name, namespace)).collect();
            let summary = summary(&shown);
            let mut answer = answers::list(OK, Some(("namespaces", shown)), amount);
            answer.body["summary"] = summary;
            answer
        }
    })
}

const COUNTS: [&str; 3] = ["total_service_count", "total_health_instance_count", "total_instance_count"];

fn summary(shown: &[Value]) -> Value {
    let sum = |name: &str| shown.iter().filter_map(|row| row[name].as_u64()).sum::<u64>();
    COUNTS.iter().map(|name| ((*name).to_owned(), json!(sum(name)))).collect()
}

fn shown(store: &Store, name: &str, namespace: &Namespace) -> Value {
    let services = store.cache.services.keys().filter(|(of, _)| of == name);
    let counts = services.fold([0, 0, 0], |[services, healthy, all], key| {
        let (more, well) = store.cache.counts(key);
        [services + 1, healthy + well, all + more]
    });
    let mut row = namespace.row.clone();
    row.extend(object(json!({
        "ctime": store.clock.text(namespace.created), "mtime": store.clock.text(namespace.changed),
        "id": name, "editable": true,
    })));
    row.extend(COUNTS.iter().zip(counts).map(|(name, count)| ((*name).to_owned(), json!(count))));
    NAMESPACE.whole(&row)
}

pub(super) fn create(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    each(&NAMESPACE, asked, |rows| {
        let mut batch = Batch::new("namespace", &NAMESPACE);
        for row in rows {
            match check_namespace(&row, "name") {
                Err(code) => batch.add(code, row),
                Ok(name) if node.store.namespaces.contains_key(&name) => batch.add(EXISTS, row),
                Ok(name) => {
                    let mut stored = object(json!({ "name": name, "comment": "", "owners": node.owner() }));
                    stored.extend(row);
                    let token = node.store.put_namespace(stored).token.clone();
                    batch.add(OK, object(json!({ "name": name, "token": token })));
                }
            }
        }
        batch.by_worst_code()
    })
}

pub(super) fn update(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    each(&NAMESPACE, asked, |rows| {
        let mut batch = Batch::new("namespace", &NAMESPACE);
        for row in rows {
            let outcome = check_namespace(&row, "name").and_then(|name| change(node.store, &name, &row));
            batch.add(outcome.err().unwrap_or(OK), row);
        }
        batch.by_worst_code()
    })
}

fn change(store: &mut Store, name: &str, row: &Row) -> Result<(), u32> {
    let now = store.now();
    let namespace = store.namespaces.get_mut(name).map(Arc::make_mut).ok_or(NOT_FOUND)?;
    for field in ["comment", "owners"] {
        if row.contains_key(field) {
            namespace.row.insert(field.to_owned(), json!(text(row, field)));
        }
    }
    namespace.changed = now;
    Ok(())
}

pub(super) fn delete(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    each(&NAMESPACE, asked, |rows| {
        let mut batch = Batch::new("namespace", &NAMESPACE);
        for row in rows {
            let outcome = check_namespace(&row, "name").and_then(|name| {
                if node.store.services.keys().any(|(of, _)| *of == name) {
                    return Err(HAS_SERVICES);
                }
                node.store.namespaces.remove(&name);
                Ok(())
            });
            batch.add(outcome.err().unwrap_or(OK), row);
        }
        batch.by_worst_code()
    })
}
