//! The provider's contacts, as far as its pages describe them: one blacklisted group, and the contacts that are added to it.

use serde::Serialize;

use super::{Model, Reply};
use crate::domain::Timestamp;
use crate::wire::NewContact;

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

impl Model {
    /// Lists the groups. The query is not part of a call, and there is one group only.
    pub(super) fn contact_groups() -> Reply {
        Reply::ok(&Groups { data: vec![Group { id: GROUP, name: NAME }] })
    }

    pub(super) fn add_contact(&mut self, body: &[u8], now: Timestamp) -> Reply {
        match serde_json::from_slice::<NewContact<'_>>(body) {
            Ok(contact) if contact.groups.iter().any(|group| group.id == GROUP) => {
                self.blacklisted.insert(contact.addresses.msisdn.to_string());
                Reply::ok(&serde_json::json!({}))
            }
            Ok(_) => self.not_found("Object wasn't found or is already expired", now),
            Err(error) => self.unreadable(&error, now),
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
    use crate::simulator::Profile;

    #[test]
    fn a_contact_joins_the_group_once_and_another_group_is_unknown() {
        let mut model = Model::new(Profile::perfect(), 1);
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
}
