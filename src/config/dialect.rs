//! Which tool a document was written for, told by its shape.

use super::{
    check::quoted,
    model::Dialect,
    tree::{Node, Value},
};

/// Tells a document's dialect, or what is missing to tell it, with its place.
pub(super) fn of(root: &Node) -> Result<Dialect, (usize, String)> {
    match &root.value {
        Value::Table(_) => {}
        _ if root.is_nothing() => {
            return Err((root.at, "the document is empty: it begins with `version: 1`".into()));
        }
        _ => return Err((root.at, "expected a table of keys, beginning with `version: 1`".into())),
    }
    if let Some(entry) = root.entries().iter().find(|entry| entry.key == "version") {
        let scalar = entry.value.as_scalar();
        return match scalar {
            Some(scalar) if scalar.text == "1" => Ok(Dialect::Native),
            Some(scalar) if !scalar.is_nothing() => {
                let said = quoted(&scalar.written);
                Err((
                    entry.value.at,
                    format!("version: this Causeway reads `version: 1`, not version `{said}`"),
                ))
            }
            _ => Err((entry.value.at, "version: expected `version: 1`".to_owned())),
        };
    }
    if is_polaris_sync(root) {
        return Ok(Dialect::PolarisSync);
    }
    if has(root, "clusters") && has(root, "tasks") {
        return Ok(Dialect::MseSync);
    }
    Err((root.at, missing_version(root)))
}

/// Whether this is a document of polaris-sync's.
pub(super) fn is_polaris_sync(root: &Node) -> bool {
    !has(root, "version") && has(root, "tasks") && has(root, "methods")
}

fn has(root: &Node, key: &str) -> bool {
    root.entries().iter().any(|entry| entry.key == key)
}

fn missing_version(root: &Node) -> String {
    let native = ["owner", "registries", "gateways", "admin", "defaults"].iter().any(|key| has(root, key));
    if native {
        return "`version` is missing: add `version: 1`".to_owned();
    }
    "`version` is missing: add `version: 1` (without it, a document is polaris-sync's when it has `tasks` and \
     `methods`, and MSE Sync's when it has `clusters` and `tasks`)"
        .to_owned()
}
