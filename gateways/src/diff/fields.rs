//! Comparison of what is wanted with what stands, after Kong's defaults and habits of writing are set aside.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Change, Fields, LiveObject, ObjectKey, Tags, Write, tags};

/// New values beside those that stand, of the fields that differ.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) fields: Fields,
    pub(super) before: Fields,
}

impl Differences {
    /// Those of the wanted fields that stand otherwise. Where only a part of a record is wanted, the rest of
    /// it is kept.
    pub(super) fn of(want: &Fields, live: &Fields) -> Self {
        let mut found = Self::default();
        for (name, value) in want {
            let stands = live.get(name).unwrap_or(&Value::Null);
            if !is_as_wanted(name, stands, value) {
                let value = if name == MAP { value.clone() } else { over(stands, value) };
                found.note(name, value, stands.clone());
            }
        }
        found
    }

    pub(super) fn note(&mut self, name: &str, value: Value, before: Value) {
        self.fields.insert(name.to_owned(), value);
        self.before.insert(name.to_owned(), before);
    }

    /// Adds the tags that are missing. Those of other people stay, and of ours only what says another detail
    /// goes: another group, another port.
    pub(super) fn note_tags(&mut self, want: &Tags, live: &Tags) {
        let stays = live.iter().filter(|tag| !tags::is_detail(tag) || want.contains(*tag));
        let merged: Tags = stays.chain(want).cloned().collect();
        if merged != *live {
            self.note("tags", list(&merged), list(live));
        }
    }
}

impl Differences {
    /// The change that puts them right.
    pub(super) fn into_change(self, key: ObjectKey, live: &LiveObject) -> Change {
        let reason = self.reason();
        Change {
            key,
            write: Write::Patch { id: live.id.clone(), fields: self.fields, before: self.before },
            reason,
        }
    }

    fn reason(&self) -> String {
        let one = |(name, value): (&String, &Value)| match name.as_str() {
            "tags" => "our tags are missing".to_owned(),
            name => format!("{name} is {}, wanted {value}", self.before.get(name).unwrap_or(&Value::Null)),
        };
        self.fields.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

/// Whether an entity, as the gateway writes it, has the wanted fields, and at least the wanted tags.
pub(crate) fn satisfied(want: &Fields, entity: &Value) -> bool {
    want.iter().all(|(name, value)| {
        let stands = entity.get(name).unwrap_or(&Value::Null);
        match (name.as_str(), value, stands) {
            ("tags", Value::Array(want), Value::Array(stands)) => want.iter().all(|tag| stands.contains(tag)),
            _ => is_as_wanted(name, stands, value),
        }
    })
}

/// A field that is a map, whose entries are all wanted or not at all, and no record.
const MAP: &str = "headers";

fn is_as_wanted(name: &str, stands: &Value, want: &Value) -> bool {
    covers(stands, want) && (name != MAP || covers(want, stands))
}

/// Tags as Kong writes them.
pub(super) fn list(tags: &Tags) -> Value {
    tags.iter().map(String::as_str).collect()
}

/// Whether `live` is what `want` says, as far as it says anything: null, `[]` and `{}` are one, 5 is 5.0,
/// Kong's lists of words are sets, and of a record only the named fields count.
fn covers(live: &Value, want: &Value) -> bool {
    match (live, want) {
        (Value::Object(live), Value::Object(want)) => {
            want.iter().all(|(name, value)| covers(live.get(name).unwrap_or(&Value::Null), value))
        }
        (Value::Array(live), Value::Array(want)) => live.len() == want.len() && same_list(live, want),
        (Value::Number(live), Value::Number(want)) => live.as_f64() == want.as_f64(),
        _ => live == want || (is_nothing(live) && is_nothing(want)),
    }
}

fn same_list(live: &[Value], want: &[Value]) -> bool {
    let words =
        |list: &[Value]| list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<BTreeSet<_>>>();
    match (words(live), words(want)) {
        (Some(live), Some(want)) => live == want,
        _ => live.iter().zip(want).all(|(live, want)| covers(live, want)),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(record) => record.is_empty(),
        _ => false,
    }
}

fn over(live: &Value, want: &Value) -> Value {
    match (live, want) {
        (Value::Object(live), Value::Object(want)) => {
            let mut merged = live.clone();
            for (name, value) in want {
                let stands = live.get(name).unwrap_or(&Value::Null);
                merged.insert(name.clone(), over(stands, value));
            }
            Value::Object(merged)
        }
        _ => want.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kongs_ways_of_writing_are_no_differences() {
        for (live, want) in [
            (json!(null), json!([])),
            (json!([]), json!({})),
            (json!(5), json!(5.0)),
            (json!(["b", "a"]), json!(["a", "b"])),
            (json!({"a": 1, "b": {"c": 2, "d": null}}), json!({"b": {"c": 2}})),
        ] {
            assert!(covers(&live, &want), "{live} {want}");
        }
        for (live, want) in
            [(json!(5), json!(6)), (json!(["a"]), json!(["a", "b"])), (json!({}), json!({"a": 0}))]
        {
            assert!(!covers(&live, &want), "{live} {want}");
        }
    }

    #[test]
    fn a_part_of_a_record_leaves_its_rest() {
        let want = json!({"healthchecks": {"active": {"http_path": "/up"}}});
        let live = json!({"healthchecks": {"active": {"http_path": "/", "timeout": 1}, "threshold": 0}});
        let (Value::Object(want), Value::Object(live)) = (want, live) else { unreachable!() };
        let found = Differences::of(&want, &live);
        assert_eq!(
            found.fields["healthchecks"],
            json!({"active": {"http_path": "/up", "timeout": 1}, "threshold": 0})
        );
        assert_eq!(found.before["healthchecks"], live["healthchecks"]);
    }

    /// A header that is left over would keep a route from matching.
    #[test]
    fn the_headers_of_a_route_are_wanted_as_a_whole() {
        let fields = |headers: Value| Fields::from_iter([("headers".to_owned(), headers)]);
        let live = fields(json!({"x-version": ["1"], "x-old": ["a"]}));
        let found = Differences::of(&fields(json!({"x-version": ["1"]})), &live);
        assert_eq!(found.fields["headers"], json!({"x-version": ["1"]}));
        assert!(Differences::of(&live, &live).fields.is_empty());
        assert!(Differences::of(&fields(json!({})), &fields(Value::Null)).fields.is_empty());
    }

    #[test]
    fn tags_of_other_people_stay() {
        let tags = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Tags>();
        let mut found = Differences::default();
        found.note_tags(
            &tags(&["causeway", "causeway.group:b"]),
            &tags(&["causeway", "causeway.group:a", "theirs"]),
        );
        assert_eq!(found.fields["tags"], json!(["causeway", "causeway.group:b", "theirs"]));
        let mut none = Differences::default();
        none.note_tags(&tags(&["causeway"]), &tags(&["causeway", "theirs"]));
        assert!(none.fields.is_empty());
    }
}
