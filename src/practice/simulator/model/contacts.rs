//! The provider's contacts, as far as its pages describe them: one blacklisted group, and the contacts that are added to it.

use serde::Serialize;

use super::{Model, Reply};
use crate::base::domain::Timestamp;
use crate::rules::wire::{ErrorAnswer, NewContact};

/// The id of the only group, as in the provider's tutorial.
const GROUP: i64 = 11_344;
/// Its name.
const NAME: &str = "Opt-outs";

#[derive(Serialize)]
struct Groups {
    data: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    id: i64,
    name: &'static str,
}

/// Lists the groups whose names have the `name` of the query in them; all groups, if it has none.
pub(super) fn groups(query: &str) -> Reply {
    let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
    let is_asked = asked.is_none_or(|(_, name)| NAME.to_lowercase().contains(&name.to_lowercase()));
    Reply::ok(&Groups { data: is_asked.then_some(Group { id: GROUP, name: NAME }).into_iter().collect() })
}

impl Model {
    pub(super) fn add_contact(&mut self, body: &[u8], now: Timestamp) -> Reply {
        match serde_json::from_slice::<NewContact<'_>>(body) {
            Ok(contact) if contact.groups.iter().any(|group| group.id == GROUP) => {
                self.blacklisted.insert(contact.addresses.msisdn.to_string());
                Reply::ok(&serde_json::json!({}))
            }
            Ok(_) => self.error(&ErrorAnswer::NotFound, now),
            Err(error) => self.error(&ErrorAnswer::unreadable(&error), now),
        }
    }

    /// The addresses in the blacklisted group, in their order.
    pub fn blacklisted(&self) -> impl Iterator<Item = &str> {
        self.blacklisted.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Call, Method};
    use super::*;
    use crate::practice::simulator::Profile;

    #[test]
    fn a_contact_joins_the_group_once_and_another_group_is_unknown() {
        let mut model = Model::new(Profile::perfect(), 1, Timestamp::default());
        let mut post = |body: &str| {
            let call = Call {
                method: Method::Post,
                path: "/api/v1/accounts/contacts",
                authorization: None,
                body: body.as_bytes(),
            };
            match model.call(&call, Timestamp::default()).reply {
                Reply::Response { status, .. } => status,
                other => panic!("{other:?}"),
            }
        };
        let contact = r#"{"groups":[{"id":11344}],"addresses":{"msisdn":"+6591234567"}}"#;
        assert_eq!((post(contact), post(contact), post("{}")), (200, 200, 400));
        assert_eq!(post(&contact.replace("11344", "7")), 404);
        assert_eq!(model.blacklisted().collect::<Vec<_>>(), ["+6591234567"]);
    }

    #[test]
    fn groups_are_searched_by_a_part_of_their_name() {
        let mut model = Model::new(Profile::perfect(), 1, Timestamp::default());
        let mut found = |query: &str| {
            let path = format!("/api/v1/accounts/Acme/groups{query}");
            let call = Call { method: Method::Get, path: &path, authorization: None, body: b"" };
            let Reply::Response { status: 200, body, .. } = model.call(&call, Timestamp::default()).reply else {
                panic!("{query}")
            };
            let listed: serde_json::Value = serde_json::from_str(&body).unwrap();
            listed["data"].as_array().unwrap().len()
        };
        assert_eq!(["", "?name=Opt-outs", "?name=opt", "?name=Opt%2Douts&x=1"].map(&mut found), [1; 4]);
        assert_eq!(["?name=zzz", "?name=Opt-outs2"].map(found), [0; 2]);
    }
}
