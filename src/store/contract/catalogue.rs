//! Tests the provider's templates, and what was asked about them.

use super::*;
use crate::store::{FetchedTemplates, StoredTemplate, TemplatePlace, TemplateRequest, TemplateRequestKind};

for_every_store!(
    a_channels_templates_are_replaced_as_a_whole,
    an_earlier_list_does_not_replace_a_later_one,
    templates_are_read_by_name_in_all_languages,
    requests_are_read_by_account_and_time,
);

fn place(channel: &str) -> TemplatePlace {
    TemplatePlace { account_id: "acme-1".to_owned(), channel_id: channel.to_owned() }
}

pub(super) fn template(name: &str, language: &str) -> StoredTemplate {
    StoredTemplate {
        name: name.to_owned(),
        language: language.to_owned(),
        category: "MARKETING".to_owned(),
        status: "APPROVED".to_owned(),
        components: r#"[{"type":"BODY","text":"Hi {{1}}, \"hello\""}]"#.to_owned(),
        updated_at: Some(at(1)),
    }
}

pub(super) fn fetched(channel: &str, second: i64, templates: Vec<StoredTemplate>) -> FetchedTemplates {
    FetchedTemplates { place: place(channel), fetched_at: at(second), templates }
}

async fn a_channels_templates_are_replaced_as_a_whole(desk: Desk) {
    assert!(desk.templates(None).await.unwrap().is_empty(), "nothing was fetched");
    let other = fetched("wa-2", 3, vec![template("promo", "en")]);
    desk.replace_templates(other.clone()).await.unwrap();
    let first = fetched("wa-1", 2, vec![template("gone", "en"), template("promo", "en")]);
    assert!(desk.replace_templates(first).await.unwrap());
    let before = desk.seq().await.unwrap();
    let nameless = StoredTemplate { updated_at: None, status: "PAUSED".to_owned(), ..template("promo", "de") };
    let second = fetched("wa-1", 5, vec![nameless, template("promo", "en")]);
    assert!(desk.replace_templates(second.clone()).await.unwrap());
    assert_eq!(desk.templates(None).await.unwrap(), [second, other.clone()]);
    assert!(desk.seq().await.unwrap() > before, "waiting campaigns look again");
    let empty = fetched("wa-1", 6, Vec::new());
    assert!(desk.replace_templates(empty.clone()).await.unwrap());
    assert_eq!(desk.templates(None).await.unwrap(), [empty, other], "a channel without templates was fetched as well");
}

async fn an_earlier_list_does_not_replace_a_later_one(desk: Desk) {
    let later = fetched("wa-1", 5, vec![template("promo", "en")]);
    desk.replace_templates(later.clone()).await.unwrap();
    assert!(!desk.replace_templates(fetched("wa-1", 4, Vec::new())).await.unwrap());
    assert_eq!(desk.templates(None).await.unwrap(), [later]);
}

async fn templates_are_read_by_name_in_all_languages(desk: Desk) {
    let all = vec![template("hello", "en"), template("promo", "de"), template("promo", "en")];
    desk.replace_templates(fetched("wa-1", 5, all)).await.unwrap();
    let names = vec!["promo".to_owned(), "missing".to_owned()];
    let found = desk.templates(Some(names)).await.unwrap();
    assert_eq!(found, [fetched("wa-1", 5, vec![template("promo", "de"), template("promo", "en")])]);
    let none = desk.templates(Some(vec!["missing".to_owned()])).await.unwrap();
    assert_eq!(none, [fetched("wa-1", 5, Vec::new())]);
}

async fn requests_are_read_by_account_and_time(desk: Desk) {
    let request = |account: &str, kind, second| TemplateRequest {
        account_id: account.to_owned(),
        name: "promo".to_owned(),
        language: "en".to_owned(),
        kind,
        at: at(second),
    };
    let created = request("acme-1", TemplateRequestKind::Created, 2);
    let removed = request("acme-1", TemplateRequestKind::Removed, 3);
    let refused = request("acme-1", TemplateRequestKind::RefusedAsLocked, 4);
    for request in [&refused, &created, &removed, &request("acme-2", TemplateRequestKind::Created, 3)] {
        desk.record_template_request(request.clone()).await.unwrap();
    }
    let of = async |since| desk.template_requests("acme-1".to_owned(), at(since)).await.unwrap();
    assert_eq!(of(2).await, [created, removed.clone(), refused.clone()]);
    assert_eq!(of(3).await, [removed, refused]);
}
