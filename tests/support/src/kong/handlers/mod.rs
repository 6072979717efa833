//! The Admin API by path: which methods a path takes and who answers.

mod entities;
mod health;
mod node;
mod read_only;
mod tags;
mod targets;

use axum::http::Method;

use super::answer::Answer;
use super::call::Call;
use super::declarative;
use super::errors;
use super::store::{Kind, Store};

/// What the handlers work on.
pub(super) struct Node<'a> {
    pub(super) store: &'a mut Store,
    pub(super) health: &'a super::health::Health,
    pub(super) node_id: &'a str,
    pub(super) db_less: bool,
    /// Requests since its start.
    pub(super) served: u64,
}

/// A path that the Admin API has, with what its segments name.
#[derive(Debug)]
pub(super) enum Place<'a> {
    Root,
    Status,
    Endpoints,
    Config,
    Schema(&'a str),
    Validate(&'a str),
    Tags,
    Tag(&'a str),
    List(Kind),
    Entity(Kind, &'a str),
    /// The children of a parent: `/services/{s}/routes`, `/services/{s}/plugins`, …
    Children(Kind, &'a str, Kind),
    Child(Kind, &'a str, Kind, &'a str),
    RouteService(&'a str),
    Targets(&'a str),
    AllTargets(&'a str),
    Target(&'a str, &'a str),
    TargetHealth(&'a str, &'a str, bool),
    UpstreamHealth(&'a str),
    /// A kind of which the stand-in stores nothing.
    Empty(&'a str),
}

/// Lists that exist and are empty, since the stand-in keeps none of these.
pub(super) const EMPTY_LISTS: [&str; 8] = [
    "certificates",
    "ca_certificates",
    "snis",
    "vaults",
    "keys",
    "key-sets",
    "filter-chains",
    "consumer_groups",
];

/// What the stand-in says of an entity that a real Kong would take.
pub(super) const NOT_STORED: &str = "the stand-in stores no such entities";

impl<'a> Place<'a> {
    /// Finds the place that a path names.
    pub(super) fn find(path: &'a [String]) -> Option<Self> {
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match segments.as_slice() {
            [] => Self::Root,
            ["status"] => Self::Status,
            ["endpoints"] => Self::Endpoints,
            ["config"] => Self::Config,
            ["schemas", name] => Self::Schema(name),
            ["schemas", name, "validate"] => Self::Validate(name),
            ["tags"] => Self::Tags,
            ["tags", tag] => Self::Tag(tag),
            [list] if EMPTY_LISTS.contains(list) => Self::Empty(list),
            [list] => Self::List(top_level(list)?),
            [list, key] => Self::Entity(top_level(list)?, key),
            ["routes", route, "service"] => Self::RouteService(route),
            ["upstreams", upstream, rest @ ..] => Self::under_upstream(upstream, rest)?,
            [parents, parent, children] => {
                let (parents, children) = nested(parents, children)?;
                Self::Children(parents, parent, children)
            }
            [parents, parent, children, child] => {
                let (parents, children) = nested(parents, children)?;
                Self::Child(parents, parent, children, child)
            }
            _ => return None,
        })
    }

    fn under_upstream(upstream: &'a str, rest: &[&'a str]) -> Option<Self> {
        Some(match rest {
            ["health"] => Self::UpstreamHealth(upstream),
            ["targets"] => Self::Targets(upstream),
            ["targets", "all"] => Self::AllTargets(upstream),
            ["targets", target] => Self::Target(upstream, target),
            ["targets", target, "healthy"] => Self::TargetHealth(upstream, target, true),
            ["targets", target, "unhealthy"] => Self::TargetHealth(upstream, target, false),
            _ => return None,
        })
    }

    /// The methods of the place besides HEAD and OPTIONS.
    fn methods(&self) -> &'static [Method] {
        const READ: &[Method] = &[Method::GET];
        const LIST: &[Method] = &[Method::GET, Method::POST];
        const ENTITY: &[Method] = &[Method::DELETE, Method::GET, Method::PATCH, Method::PUT];
        match self {
            Self::Root | Self::Status | Self::Endpoints | Self::Schema(_) | Self::Tag(_) => READ,
            Self::UpstreamHealth(_) | Self::AllTargets(_) => READ,
            Self::Config | Self::Tags | Self::List(_) | Self::Children(..) => LIST,
            Self::Targets(_) | Self::Empty(_) => LIST,
            Self::Validate(_) => &[Method::POST],
            Self::TargetHealth(..) => &[Method::PUT],
            Self::Entity(..) | Self::Child(..) | Self::RouteService(_) | Self::Target(..) => ENTITY,
        }
    }

    fn allow(&self) -> String {
        let mut methods: Vec<&str> = self.methods().iter().map(Method::as_str).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.sort_unstable();
        methods.join(", ")
    }
}

/// `/targets` is not here: Kong lists it among its endpoints and answers 404.
fn top_level(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name && *kind != Kind::Targets)
}

fn nested(parents: &str, children: &str) -> Option<(Kind, Kind)> {
    match (parents, children) {
        ("services", "routes") => Some((Kind::Services, Kind::Routes)),
        ("services", "plugins") => Some((Kind::Services, Kind::Plugins)),
        ("routes", "plugins") => Some((Kind::Routes, Kind::Plugins)),
        ("consumers", "plugins") => Some((Kind::Consumers, Kind::Plugins)),
        _ => None,
    }
}

/// Answers one request.
pub(super) fn handle(node: &mut Node<'_>, call: &Call) -> Answer {
    let Some(place) = Place::find(&call.path) else { return errors::not_found() };
    if call.method == Method::OPTIONS {
        let allow = place.allow();
        return Answer::empty(204)
            .with_header("Allow", allow.clone())
            .with_header("Access-Control-Allow-Methods", allow);
    }
    if let Some(refusal) = call.refused() {
        return refusal;
    }
    let method = if call.method == Method::HEAD { Method::GET } else { call.method.clone() };
    if !place.methods().contains(&method) {
        return errors::method_not_allowed();
    }
    if node.db_less
        && let Some(refusal) = read_only::refusal(node, &place, &method)
    {
        return refusal;
    }
    dispatch(node, call, &place, &method).unwrap_or_else(|error| error)
}

fn dispatch(node: &mut Node<'_>, call: &Call, place: &Place<'_>, method: &Method) -> Result<Answer, Answer> {
    match *place {
        Place::Root => Ok(node::root(node)),
        Place::Status => Ok(node::status(node)),
        Place::Endpoints => Ok(node::endpoints()),
        Place::Config if !node.db_less => Err(node::no_config_with_database()),
        Place::Config if method == Method::POST => declarative::post(node.store, call),
        Place::Config => Ok(declarative::get(node.store)),
        Place::Schema(name) => node::schema(name),
        Place::Validate(name) => node::validate(call, name),
        Place::Empty(_) if method == Method::POST => Err(errors::bad_field("name", NOT_STORED)),
        Place::Empty(name) => Ok(super::paging::list(&format!("/{name}"), Vec::new(), None, &[])),
        Place::Tags if method == Method::POST => Err(tags::no_writes()),
        Place::Tags => tags::all(node, call),
        Place::Tag(tag) => tags::one(node, call, tag),
        Place::Targets(upstream) if method == Method::POST => targets::create(node, call, upstream),
        Place::Targets(upstream) => targets::list(node, call, upstream),
        Place::AllTargets(upstream) => targets::list_all(node, call, upstream),
        Place::Target(upstream, target) => targets::one(node, call, method, upstream, target),
        Place::TargetHealth(upstream, target, up) => health::set(node, upstream, target, up),
        Place::UpstreamHealth(upstream) => health::show(node, call, upstream),
        Place::List(kind) if method == Method::POST => entities::create(node, call, kind, None),
        Place::List(kind) => entities::list(node, call, kind),
        Place::Entity(kind, key) => entities::one(node, call, method, kind, key),
        Place::Children(parents, parent, kind) if method == Method::POST => {
            entities::create(node, call, kind, Some((parents, parent)))
        }
        Place::Children(parents, parent, kind) => entities::children(node, call, (parents, parent), kind),
        Place::Child(parents, parent, kind, key) => {
            entities::child(node, call, method, (parents, parent), kind, key)
        }
        Place::RouteService(route) => entities::service_of_route(node, call, method, route),
    }
}

/// How many targets Kong reads or rebuilds for a request about one of them: all of its upstream's for a
/// balancer, all of them again to find one by its address.
pub(super) fn scanned_targets(store: &Store, call: &Call) -> usize {
    let (upstream, passes) = match Place::find(&call.path) {
        Some(Place::Targets(upstream)) if call.method == Method::POST => (upstream, 1),
        Some(Place::Target(upstream, target)) => {
            let by_address = usize::from(!super::store::is_uuid(target));
            (upstream, by_address + usize::from(call.method != Method::GET))
        }
        _ => return 0,
    };
    let id = store.find(Kind::Upstreams, upstream).map(super::store::id_of);
    id.map_or(0, |id| passes * store.table(Kind::Targets).count_children("upstream", &id))
}
