//! The scenarios that every registry plays.

use std::time::Duration;

use super::{Inst, Scenario, Step};
use Step::{Close, Cut, Known, NeverRead, Open, Put, PutOff, Remove, Shows, Unknown};

/// All of them.
pub fn all() -> Vec<Scenario> {
    vec![
        one_instances_life(),
        several_instances(),
        found_later(),
        cut_and_healed(),
        away_for_a_while(),
        put_off(),
        put_off_and_away(),
    ]
}

fn a() -> Inst {
    Inst::new("orders", "10.0.0.1", 8080)
}

fn b() -> Inst {
    Inst::new("orders", "10.0.0.2", 8080)
}

/// Register, change each field, go.
fn one_instances_life() -> Scenario {
    let versioned = || a().with("version", "1.0.0").with("空", "值 with spaces, and = signs");
    let changes = [a().weight(2.5), a().weight(0.0), versioned(), versioned().unhealthy(), versioned()];
    let mut steps = vec![Shows("orders", vec![])];
    for change in changes {
        steps.extend([Put(change.clone()), Shows("orders", vec![change])]);
    }
    steps.extend([Remove(a()), Shows("orders", vec![]), Put(a()), Shows("orders", vec![a()])]);
    Scenario { name: "one instance's life", wanted: &["orders"], before: vec![], steps }
}

/// One of several changes, is switched off, leaves; the last one leaves.
fn several_instances() -> Scenario {
    let v6 = || Inst::new("orders", "2001:db8::1", 8080);
    let steps = vec![
        Put(b().disabled()),
        Shows("orders", vec![a(), b().disabled(), v6()]),
        Put(b().weight(3.0)),
        Shows("orders", vec![a(), b().weight(3.0), v6()]),
        Remove(v6()),
        Shows("orders", vec![a(), b().weight(3.0)]),
        Put(a().unhealthy()),
        Put(b().unhealthy()),
        Shows("orders", vec![a().unhealthy(), b().unhealthy()]),
        Remove(a()),
        Shows("orders", vec![b().unhealthy()]),
        Remove(b()),
        Shows("orders", vec![]),
    ];
    Scenario { name: "several instances", wanted: &["orders"], before: vec![a(), b(), v6()], steps }
}

/// A glob: services that are there, that come, that aren't wanted.
fn found_later() -> Scenario {
    let there = Inst::new("shop-cart", "10.0.0.1", 80);
    let late = Inst::new("shop-late", "10.0.0.2", 80);
    let other = Inst::new("bank-books", "10.0.0.3", 80);
    let steps = vec![
        Shows("shop-cart", vec![there.clone()]),
        Put(late.clone()),
        Shows("shop-late", vec![late.clone()]),
        Put(late.clone().weight(2.0)),
        Shows("shop-late", vec![late.clone().weight(2.0)]),
        Remove(late),
        Shows("shop-late", vec![]),
        NeverRead("bank-books"),
    ];
    Scenario { name: "found later", wanted: &["shop-*"], before: vec![there, other], steps }
}

/// The connections end at once; a change made meanwhile arrives.
fn cut_and_healed() -> Scenario {
    let steps = vec![
        Close,
        Unknown,
        Put(b()),
        Remove(a()),
        Put(Inst::new("books", "10.0.0.9", 1)),
        Open,
        Shows("orders", vec![b()]),
        Shows("books", vec![Inst::new("books", "10.0.0.9", 1)]),
        Known,
        Cut,
        Put(a()),
        Shows("orders", vec![a(), b()]),
        Known,
    ];
    Scenario { name: "cut and healed", wanted: &["orders", "books"], before: vec![a()], steps }
}

/// Nothing changes while the registry can't be reached: the last snapshot is in force.
fn away_for_a_while() -> Scenario {
    let steps = vec![
        Close,
        Unknown,
        Shows("orders", vec![a(), b()]),
        Open,
        Known,
        Shows("orders", vec![a(), b()]),
        Remove(b()),
        Shows("orders", vec![a()]),
    ];
    Scenario { name: "away for a while", wanted: &["*"], before: vec![a(), b()], steps }
}

/// What may be read late is read in the end: a change, a service that comes, and one that goes.
fn put_off() -> Scenario {
    let late = Inst::new("shop-late", "10.0.0.2", 80);
    let there = Inst::new("shop-cart", "10.0.0.1", 80);
    let changed = there.clone().weight(2.0).with("version", "2");
    let a_while = Duration::from_millis(1500);
    let steps = vec![
        PutOff(a_while),
        Put(changed.clone()),
        Put(late.clone()),
        Shows("shop-cart", vec![changed]),
        Shows("shop-late", vec![late.clone()]),
        PutOff(a_while),
        Remove(late),
        Shows("shop-late", vec![]),
    ];
    Scenario { name: "put off", wanted: &["shop-*"], before: vec![there], steps }
}

/// A server that goes away while it may be read late is found out.
fn put_off_and_away() -> Scenario {
    let changed = a().weight(2.0).with("version", "2");
    let steps = vec![
        PutOff(Duration::from_millis(1500)),
        Put(changed.clone()),
        Close,
        Unknown,
        Open,
        Known,
        Shows("orders", vec![changed]),
    ];
    Scenario { name: "put off and away", wanted: &["orders"], before: vec![a()], steps }
}
