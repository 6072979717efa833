//! The routes of a service: one to the service, and one for each instance group that a request may choose by its headers. Pure.
//!
//! ```text
//!  route    {service's name}            ─▶ service {service's name}          ─▶ its upstream
//!  route    {service's name}~{group}    ─▶ service {service's name}~{group}  ─▶ that group's upstream
//!           (matches the same, and `group_headers` besides)
//! ```
//!
//! Parts of a path or host are written as in the names of Kong's objects, in lower case in a host: two parts that differ are written
//! differently, but for the case of letters in a host. What two services make of one template may still be the same (`{service}-{group}`);
//! the diff tells that, since it knows the routes that stand.

use causeway_gateways::{Conflict, Desired, Fields, ObjectKey, Route, Service};
use serde_json::{Map, Value};

use super::naming::{self, group_service_name, service_name};
use super::{Group, Projection, conflict, marks, template, with_template};
use crate::config::{Placeholder, RouteTemplate, Template};
use crate::model::ServiceKey;

/// What Kong takes as the beginning of a regular expression: of a path, and of a header's value.
const REGEX_PATH: &str = "~";
const REGEX_VALUE: &str = "~*";

/// Adds the routes of a service, and the services of its groups, to what is desired.
pub(super) fn add(
    request: &Projection<'_>,
    key: &ServiceKey,
    groups: &[Group<'_>],
    desired: &mut Desired,
    conflicts: &mut Vec<Conflict>,
) {
    let Some(route) = &request.entry.route else { return };
    let maker = Maker { request, key, route };
    let name = service_name(&request.task.source, key);
    let fields = match maker.fields() {
        Ok(fields) => fields,
        Err(reason) => {
            conflicts.push(Conflict { key: ObjectKey::Route(name), reason });
            return;
        }
    };
    if !route.group_headers.is_empty() {
        for group in groups.iter().skip(1).filter(|group| !group.summary.name_taken) {
            maker.add_group(group, &fields, desired, conflicts);
        }
    }
    let tags = with_template(marks(request, key, None), request.entry);
    desired.routes.insert(name.clone(), Route { service: name, tags, fields });
}

struct Maker<'a> {
    request: &'a Projection<'a>,
    key: &'a ServiceKey,
    route: &'a RouteTemplate,
}

impl Maker<'_> {
    /// What all routes of the service have, or why it can have none.
    fn fields(&self) -> Result<Fields, String> {
        let mut fields: Fields =
            self.route.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let lists = [("paths", &self.route.paths, Part::Path), ("hosts", &self.route.hosts, Part::Host)];
        for (name, templates, part) in lists {
            if let Some(templates) = templates {
                let texts = templates.iter().map(|template| self.text(template, part));
                fields.insert(name.to_owned(), texts.collect());
            }
        }
        if let Some(headers) = &self.route.headers {
            let values = |name: &str, templates: &[Template]| {
                let values = templates.iter().map(|template| self.header(template, None));
                values
                    .collect::<Result<Value, _>>()
                    .map_err(|why| format!("it gets no route by the header {name}: {why}"))
            };
            let headers = headers.iter().map(|(name, of)| Ok((name.clone(), values(name, of)?)));
            fields.insert("headers".to_owned(), Value::Object(headers.collect::<Result<_, String>>()?));
        }
        Ok(fields)
    }

    fn add_group(
        &self,
        group: &Group<'_>,
        shared: &Fields,
        desired: &mut Desired,
        conflicts: &mut Vec<Conflict>,
    ) {
        let group_name = &group.summary.name;
        let name = group_service_name(&self.request.task.source, self.key, group_name);
        let mut fields = shared.clone();
        match self.group_headers(group, shared) {
            Ok(headers) => fields.insert("headers".to_owned(), Value::Object(headers)),
            Err(reason) => {
                conflicts.push(Conflict { key: ObjectKey::Route(name), reason });
                return;
            }
        };
        let tags = with_template(marks(self.request, self.key, Some(group_name)), self.request.entry);
        let filled = template::of_service(&self.request.entry.kong.service, &group.members);
        conflicts.extend(conflict(ObjectKey::Service(name.clone()), &filled.told));
        let host = group.summary.upstream.clone();
        desired.services.insert(name.clone(), Service { host, tags: tags.clone(), fields: filled.fields });
        desired.routes.insert(name.clone(), Route { service: name, tags, fields });
    }

    /// The headers of a group's route, or why it can have none.
    fn group_headers(&self, group: &Group<'_>, shared: &Fields) -> Result<Map<String, Value>, String> {
        let mut headers = shared.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, template) in &self.route.group_headers {
            let why = |why: String| {
                format!("group {} gets no route by the header {name}: {why}", group.summary.name)
            };
            let value = self.header(template, Some(group)).map_err(why)?;
            headers.insert(name.clone(), Value::from(vec![value]));
        }
        Ok(headers)
    }

    /// A path or host; its templates name nothing that a service may lack.
    fn text(&self, template: &Template, part: Part) -> String {
        let is_regex = part == Part::Path && template.begins_with(REGEX_PATH);
        let fill = |placeholder: &Placeholder| {
            let text = match placeholder {
                Placeholder::Source => naming::label(&self.request.task.source),
                Placeholder::Namespace => naming::label(&self.key.namespace),
                Placeholder::Service => naming::dotted(&self.key.service),
                Placeholder::Group | Placeholder::Metadata(_) => return None,
            };
            Some(if is_regex { regex::escape(&text) } else { text })
        };
        let text = template.render(fill).unwrap_or_default();
        if part == Part::Host { text.to_lowercase() } else { text }
    }

    /// The value of a header: parts stand there as they are.
    fn header(&self, template: &Template, group: Option<&Group<'_>>) -> Result<String, String> {
        let is_regex = template.begins_with(REGEX_VALUE);
        let fill = |placeholder: &Placeholder| {
            let text: &str = match placeholder {
                Placeholder::Source => &self.request.task.source,
                Placeholder::Namespace => &self.key.namespace,
                Placeholder::Service => &self.key.service,
                Placeholder::Group => &group?.summary.name,
                Placeholder::Metadata(key) => group?.filter.value_of(key)?,
            };
            Some(if is_regex { regex::escape(text) } else { text.to_owned() })
        };
        match template.render(fill) {
            Ok(value) if value.is_empty() => Err("its value would be empty".to_owned()),
            Ok(value) if !is_regex && value.starts_with(REGEX_VALUE) => {
                Err(format!("Kong would take `{value}` for a regular expression"))
            }
            Ok(value) => Ok(value),
            Err(Placeholder::Metadata(key)) => Err(format!("it is not chosen by the metadata `{key}`")),
            Err(_) => Err("nothing says its value".to_owned()),
        }
    }
}

/// Where a text is to stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
}
