//! Scalars get their types from the schema, not from how they look.

use serde_json::{Value as Json, json};

use super::{
    Manners,
    shape::{Shape, found, quoted},
};
use crate::config::{
    formats,
    tree::{Node, Scalar, Value},
    words::did_you_mean,
};

/// A scalar that has found its type.
pub(super) struct Typed {
    pub(super) value: Json,
    pub(super) warning: Option<String>,
}

/// The value of a scalar by the first of the shape's types that it fits, or what is wrong with it.
pub(super) fn typed(scalar: &Scalar, shape: &Shape<'_>, manners: Manners) -> Result<Typed, String> {
    let node = Node { at: 0, value: Value::Scalar(scalar.clone()) };
    if scalar.is_nothing() {
        return Err(format!("expected {}, found {}", shape.describe(), found(&node, shape)));
    }
    if shape.scalars.is_empty() {
        let word = shape.words.iter().find(|word| **word == scalar.text);
        return match word {
            Some(word) => Ok(Typed { value: json!(word), warning: None }),
            None => Err(none_of(&node, &shape.words)),
        };
    }
    let mut mistake = None;
    for schema in &shape.scalars {
        match fit(scalar, schema, manners) {
            Some(Ok(typed)) => return Ok(typed),
            Some(Err(why)) => mistake = Some(format!("{}{why}", subject(scalar, shape))),
            None => {}
        }
    }
    Err(mistake.unwrap_or_else(|| format!("expected {}, found {}", shape.describe(), found(&node, shape))))
}

/// What a message begins with: the text itself, when there is one and it may be shown.
fn subject(scalar: &Scalar, shape: &Shape<'_>) -> String {
    let shown = quoted(&scalar.written);
    if shape.is_secret() || shown.is_empty() { String::new() } else { format!("`{shown}` ") }
}

/// None when the scalar is of another type; an error when it is of this type but out of bounds or form.
fn fit(scalar: &Scalar, schema: &Json, manners: Manners) -> Option<Result<Typed, String>> {
    let value = |value: Json| Typed { value, warning: None };
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0).and_then(Json::as_str))?;
    match kind {
        "boolean" if scalar.is_bare() => scalar.as_bool().map(|truth| Ok(value(json!(truth)))),
        "boolean" if manners == Manners::Lenient => {
            let truth = scalar.as_bool()?;
            let warning = Some(format!("a quoted truth value; taken as {truth}"));
            Some(Ok(Typed { value: json!(truth), warning }))
        }
        "integer" if scalar.is_bare() => {
            let number: i64 = scalar.text.parse().ok()?;
            Some(in_range(number as f64, schema).map(|()| value(json!(number))))
        }
        "number" if scalar.is_bare() => {
            let number: f64 = scalar.text.parse().ok().filter(|number: &f64| number.is_finite())?;
            Some(in_range(number, schema).map(|()| value(json!(number))))
        }
        "string" => Some(text(scalar, schema, manners).map(|()| value(json!(scalar.text)))),
        _ => None,
    }
}

fn in_range(number: f64, schema: &Json) -> Result<(), String> {
    let bound = |name: &str| schema[name].as_f64();
    let known: Vec<&Json> =
        schema["enum"].as_array().into_iter().flatten().filter(|it| it.is_number()).collect();
    if !known.is_empty() && known.iter().all(|it| it.as_f64() != Some(number)) {
        let known: Vec<String> = known.into_iter().map(Json::to_string).collect();
        return Err(format!("is none of {}", known.join(", ")));
    }
    match (bound("minimum"), bound("maximum"), bound("const")) {
        (Some(least), _, _) if number < least => Err(format!("is less than {least}")),
        (_, Some(most), _) if number > most => Err(format!("is more than {most}")),
        (_, _, Some(only)) if (number - only).abs() > 0.0 => Err(format!("is not {only}")),
        _ => Ok(()),
    }
}

fn text(scalar: &Scalar, schema: &Json, manners: Manners) -> Result<(), String> {
    // To other tools an empty password or token is none.
    let may_be_empty = manners == Manners::Lenient && schema["writeOnly"] == true;
    let least = schema["minLength"].as_u64().unwrap_or(0);
    if scalar.text.is_empty() && least > 0 && !may_be_empty {
        return Err("must not be empty".to_owned());
    }
    schema["format"].as_str().map_or(Ok(()), |format| formats::check(format, &scalar.text))
}

/// That a value is none of the known words.
pub(super) fn none_of(node: &Node, words: &[&str]) -> String {
    let Some(scalar) = node.as_scalar() else {
        return format!("expected one of {}, found {}", words.join(", "), found(node, &Shape::default()));
    };
    let hint = did_you_mean(&scalar.written, words.iter().copied());
    format!("`{}` is none of {}{hint}", quoted(&scalar.written), words.join(", "))
}

/// YAML's core schema, for values that nothing types.
pub(super) fn untyped(scalar: &Scalar) -> Json {
    if scalar.quoted {
        return json!(scalar.text);
    }
    if scalar.is_nothing() {
        return Json::Null;
    }
    match scalar.text.as_str() {
        "true" | "True" | "TRUE" => return json!(true),
        "false" | "False" | "FALSE" => return json!(false),
        _ => {}
    }
    if let Ok(number) = scalar.text.parse::<i64>() {
        return json!(number);
    }
    let looks_numeric = scalar.text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    match scalar.text.parse::<f64>() {
        Ok(number) if looks_numeric && number.is_finite() => json!(number),
        _ => json!(scalar.text),
    }
}
