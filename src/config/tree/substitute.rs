//! `${NAME}` and `${NAME:-default}` in scalars. Keys are left alone.

use super::{Node, Scalar, Value};
use crate::config::mistakes::{Findings, Path};

/// Looks up a variable of the environment.
pub(crate) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Substitutes in every scalar of the tree; `$${` stands for a literal `${`.
pub(crate) fn substitute(node: &mut Node, env: Env<'_>, findings: &mut Findings) {
    each_scalar(node, &Path::default(), &mut |scalar, at, path| {
        if let Err(message) = in_scalar(scalar, env) {
            findings.mistake(at, path, message);
        }
    });
}

/// Warns of what looks like a substitution in a document whose tool knows none.
pub(crate) fn tell_unsubstituted(node: &mut Node, findings: &mut Findings) {
    each_scalar(node, &Path::default(), &mut |scalar, at, path| {
        if scalar.text.contains("${") {
            let message = "`${…}` is plain text here: it is substituted only under `version: 1`";
            findings.warning(at, path, message);
        }
    });
}

fn each_scalar(node: &mut Node, path: &Path, visit: &mut dyn FnMut(&mut Scalar, usize, &Path)) {
    match &mut node.value {
        Value::Scalar(scalar) => visit(scalar, node.at, path),
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                each_scalar(item, &path.index(index), visit);
            }
        }
        Value::Table(entries) => {
            for entry in entries {
                each_scalar(&mut entry.value, &path.key(&entry.key), visit);
            }
        }
    }
}

fn in_scalar(scalar: &mut Scalar, env: Env<'_>) -> Result<(), String> {
    if !scalar.written.contains("${") {
        return Ok(());
    }
    let mut text = String::with_capacity(scalar.written.len());
    let mut rest = scalar.written.as_str();
    while let Some(dollar) = rest.find("${") {
        let (before, inner) = (&rest[..dollar], &rest[dollar + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            text.push_str(before);
            text.push_str("${");
            rest = inner;
            continue;
        }
        let Some(end) = inner.find('}') else {
            return Err("`${` has no `}` (a literal `${` is written `$${`)".to_owned());
        };
        text.push_str(before);
        text.push_str(&value_of(&inner[..end], env)?);
        rest = &inner[end + 1..];
    }
    text.push_str(rest);
    scalar.substituted_whole = is_one_substitution(&scalar.written);
    scalar.text = text;
    Ok(())
}

fn is_one_substitution(written: &str) -> bool {
    written.starts_with("${") && written.find('}') == Some(written.len() - 1)
}

/// As in a shell, a default also stands in for an empty value.
fn value_of(inner: &str, env: Env<'_>) -> Result<String, String> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let starts_well = name.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic());
    if !starts_well || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
        return Err(format!("`${{{name}}}` names no variable (a literal `${{` is written `$${{`)"));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            Err(format!("the variable `{name}` is not set (`${{{name}:-…}}` gives it a default)"))
        }
    }
}
