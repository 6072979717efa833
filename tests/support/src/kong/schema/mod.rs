//! The entities' schemas as Kong publishes them under `/schemas/{entity}`, and checking by them.
//!
//! ```text
//!  request body ──complete──▶ row with every field ──check──▶ row, or errors by field
//! ```
//!
//! Kong keeps some checks in code that the published schema does not show: those of names, hosts, addresses
//! and tags are in [`formats`], those that look at several fields in [`entity`].

mod complete;
mod entity;
mod field;
pub(super) mod formats;
mod lua;

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::store::{Kind, Row};
use entity::EntityCheck;
use field::Field;

/// Errors by field.
pub(super) type Errors = Map<String, Value>;

/// The schema of one kind.
pub(super) struct Schema {
    kind: Kind,
    published: Value,
    fields: Vec<Field>,
    checks: Vec<EntityCheck>,
}

static SERVICES: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse(Kind::Services, include_str!("../../../data/kong/schemas/services.json")));
static CONSUMERS: LazyLock<Schema> = LazyLock::new(|| {
    Schema::parse(Kind::Consumers, include_str!("../../../data/kong/schemas/consumers.json"))
});
static PLUGINS: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse(Kind::Plugins, include_str!("../../../data/kong/schemas/plugins.json")));
static ROUTES: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse(Kind::Routes, include_str!("../../../data/kong/schemas/routes.json")));
static UPSTREAMS: LazyLock<Schema> = LazyLock::new(|| {
    Schema::parse(Kind::Upstreams, include_str!("../../../data/kong/schemas/upstreams.json"))
});
static TARGETS: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse(Kind::Targets, include_str!("../../../data/kong/schemas/targets.json")));

impl Schema {
    /// The schema of a kind.
    pub(super) fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Consumers => &CONSUMERS,
            Kind::Services => &SERVICES,
            Kind::Routes => &ROUTES,
            Kind::Upstreams => &UPSTREAMS,
            Kind::Targets => &TARGETS,
            Kind::Plugins => &PLUGINS,
        }
    }

    fn parse(kind: Kind, text: &str) -> Self {
        let published: Value = serde_json::from_str(text).unwrap_or_default();
        let fields = Field::parse_all(&published["fields"]);
        let checks = EntityCheck::parse_all(kind, &published["entity_checks"]);
        Self { kind, published, fields, checks }
    }

    /// What `GET /schemas/{entity}` answers.
    pub(super) fn published(&self) -> &Value {
        &self.published
    }

    /// The type of a field, for reading form bodies.
    pub(super) fn type_of(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.kind.as_str())
    }

    /// A whole row from what a client sent: defaults where it said nothing, then every check.
    pub(super) fn create(&self, sent: Row) -> Result<Row, Errors> {
        self.checked(complete::record(&self.fields, sent))
    }

    /// `current` with what a client sent laid over it, record by record, then every check.
    pub(super) fn update(&self, current: &Row, sent: Row) -> Result<Row, Errors> {
        let mut row = current.clone();
        complete::merge(&self.fields, &mut row, sent);
        self.checked(complete::record(&self.fields, row))
    }

    fn checked(&self, row: Row) -> Result<Row, Errors> {
        let mut errors = field::check_record(self.kind, &self.fields, &row);
        for check in &self.checks {
            check.run(&row, &mut errors);
        }
        if errors.is_empty() { Ok(row) } else { Err(errors) }
    }
}
