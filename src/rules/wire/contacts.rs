//! The provider's contacts: groups of an account, and the contacts in them.
//!
//! The pages describe two requests alone: the search for a group by its name, and a new contact in a group.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::Hidden;

/// A group of contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactGroup {
    pub id: Option<i64>,
    pub name: Option<String>,
}

/// Reads the answer to a search for groups: a list, or an object with a list. The page says "a JSON object, the first item
/// in the array should contain your new group", and does not name the array.
pub fn contact_groups(body: &[u8]) -> Option<Vec<ContactGroup>> {
    let list = match serde_json::from_slice(body).ok()? {
        Value::Array(list) => list,
        Value::Object(object) => object.into_iter().find_map(|(_, value)| match value {
            Value::Array(list) => Some(list),
            _ => None,
        })?,
        _ => return None,
    };
    let group = |value: Value| {
        let id = value.get("id").and_then(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()));
        let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
        ContactGroup { id, name }
    };
    Some(list.into_iter().map(group).collect())
}

/// A contact to add to groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewContact<'a> {
    pub groups: Vec<GroupId>,
    #[serde(borrow)]
    pub addresses: ContactAddresses<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupId {
    pub id: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactAddresses<'a> {
    #[serde(borrow)]
    pub msisdn: Hidden<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_from_a_list_and_from_an_object_with_one() {
        for body in [r#"[{"id":11344,"name":"Opt-outs"}]"#, r#"{"total":1,"data":[{"id":"11344","name":"Opt-outs"}]}"#]
        {
            let groups = contact_groups(body.as_bytes()).unwrap();
            assert_eq!((groups.len(), groups[0].id, groups[0].name.as_deref()), (1, Some(11_344), Some("Opt-outs")));
        }
        assert_eq!((contact_groups(b"{}"), contact_groups(b"7"), contact_groups(b"[")), (None, None, None));
    }

    #[test]
    fn a_contact_is_written_as_the_page_has_it() {
        let contact = NewContact {
            groups: vec![GroupId { id: 11_344 }],
            addresses: ContactAddresses { msisdn: "+6591234567".into() },
        };
        let written = serde_json::to_string(&contact).unwrap();
        assert_eq!(written, r#"{"groups":[{"id":11344}],"addresses":{"msisdn":"+6591234567"}}"#);
    }
}
