//! Who may do what: one user, who may do everything.

use serde_json::{Value, json};

use super::super::answers::{Answer, Outcome, one};
use super::super::codes::{DENIED, NO_USER, OK, UNDECODABLE, info};
use super::super::messages::LOGIN;
use super::super::store::text;
use super::Node;
use crate::stand_in::Asked;

/// Name and password of the account that an empty store is shipped with.
const NAME: &str = "polaris";

/// The user, and the token that the server takes.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Account {
    /// Whether the token in the header, or else the one in the body, is the account's.
    pub(super) fn accepts(&self, header: Option<&str>, body: &[u8]) -> bool {
        let in_body =
            || serde_json::from_slice::<Value>(body).ok()?["service_token"].as_str().map(str::to_owned);
        header.map(str::to_owned).or_else(in_body).is_some_and(|token| token == self.token)
    }
}

pub(super) fn status(node: &mut Node<'_>, _: &Asked) -> Option<Answer> {
    let on = node.guarded.to_string();
    let options = json!({ "auth": on, "clientOpen": on, "consoleOpen": on });
    Some(one(OK, Some(("optionSwitch", json!({ "options": options })))))
}

pub(super) fn login(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    let row = match LOGIN.read_one(&asked.body) {
        Ok(row) => row,
        Err(why) => {
            let told = Outcome { code: UNDECODABLE, info: format!("request decode failed:{why}") };
            return Some(one(told, None));
        }
    };
    Some(if text(&row, "name") != NAME {
        one(NO_USER, None)
    } else if text(&row, "password") != NAME {
        let info = format!("{}:name or password is wrong", info(DENIED));
        one(Outcome { code: DENIED, info }, None)
    } else {
        let Account { id, token } = node.account;
        let user = json!({ "user_id": id, "name": NAME, "role": "main", "owner_id": "", "token": token });
        one(OK, Some(("loginResponse", user)))
    })
}
