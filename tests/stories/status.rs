//! `status` of the binary: what it says of a Causeway that runs, and where none does.

use causeway_test_support::kong::KongStandIn;
use serde_json::Value;

use crate::program::{Desk, fleet};
use crate::why::led_to;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_causeway_tells_how_it_stands() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.write(&fleet(2));
    let (code, text, errors) = desk.call(&["status"]).await;
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(errors.contains("no Causeway answers at 127.0.0.1:0 (`admin.listen`)"), "{errors}");

    let mut program = desk.start();
    assert!(desk.kong.wait_until(crate::stage::LIMIT, |kong| kong.services().len() == 2).await);
    led_to(&desk, &program).await;
    let text = loop {
        let (code, text, errors) = desk.call(&["status"]).await;
        assert_eq!(code, 0, "{text}{errors}");
        if text.contains("running") {
            break text;
        }
    };
    assert!(text.starts_with("causeway  "), "{text}");
    assert!(text.contains("\nregistry  r (file): known, 2 of 2 services read\n"), "{text}");
    assert!(text.contains("\ntask      t: r → kong, own, running, 2 of 2 services done, "), "{text}");
    let (code, json, _) = desk.call(&["status", "--output", "json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["tasks"][0]["state"]), (0, &"running".into()));

    let (code, text, errors) = desk.call(&["status", "--migration", "t"]).await;
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(
        errors
            .contains("answered 404 Not Found: no task `t` between two registries runs (there are: none)\n"),
        "{errors}"
    );
    desk.configure("owner: me", "owner: somebody");
    let (code, _, errors) = desk.call(&["status"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("is another deployment, `me`"), "{errors}");
    assert!(program.terminate().await.success());
}
