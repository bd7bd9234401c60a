//! Tests the provider's templates, and what was asked about them.

use super::*;
use crate::base::events::Origin;
use crate::store::{
    AccountEvent, FetchedTemplates, HeldBy, Hold, StoredTemplate, TemplateLimit, TemplatePlace, TemplateRequest,
    TemplateRequestKind,
};

for_every_store!(
    a_channels_templates_are_replaced_as_a_whole,
    an_earlier_list_does_not_replace_a_later_one,
    a_list_is_stored_with_what_follows_from_it,
    templates_are_read_by_name_in_all_languages,
    requests_are_read_by_account_and_time,
    a_request_over_the_limit_is_not_recorded,
);

pub(super) fn place(channel: &str) -> TemplatePlace {
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
    desk.replace_templates(other.clone(), Vec::new()).await.unwrap();
    let first = fetched("wa-1", 2, vec![template("gone", "en"), template("promo", "en")]);
    assert!(desk.replace_templates(first, Vec::new()).await.unwrap());
    let before = desk.seq().await.unwrap();
    let nameless = StoredTemplate { updated_at: None, status: "PAUSED".to_owned(), ..template("promo", "de") };
    let second = fetched("wa-1", 5, vec![nameless, template("promo", "en")]);
    assert!(desk.replace_templates(second.clone(), Vec::new()).await.unwrap());
    assert_eq!(desk.templates(None).await.unwrap(), [second, other.clone()]);
    assert!(desk.seq().await.unwrap() > before, "waiting campaigns look again");
    let empty = fetched("wa-1", 6, Vec::new());
    assert!(desk.replace_templates(empty.clone(), Vec::new()).await.unwrap());
    assert_eq!(desk.templates(None).await.unwrap(), [empty, other], "a channel without templates was fetched as well");
}

async fn an_earlier_list_does_not_replace_a_later_one(desk: Desk) {
    let later = fetched("wa-1", 5, vec![template("promo", "en")]);
    desk.replace_templates(later.clone(), Vec::new()).await.unwrap();
    assert!(!desk.replace_templates(fetched("wa-1", 4, Vec::new()), vec![event(4)]).await.unwrap());
    assert_eq!(desk.templates(None).await.unwrap(), [later]);
    assert!(desk.holds().await.unwrap().is_empty(), "nor does anything follow from it");
}

async fn a_list_is_stored_with_what_follows_from_it(desk: Desk) {
    let list = fetched("wa-1", 5, vec![template("promo", "en")]);
    assert!(desk.replace_templates(list.clone(), vec![event(5)]).await.unwrap());
    assert_eq!(
        (desk.templates(None).await.unwrap(), desk.holds().await.unwrap()),
        (vec![list.clone()], event(5).holds)
    );
    // Read a second time, after an operator has released the hold.
    desk.release("wa".to_owned(), "promo".to_owned(), at(6), Origin::operator("Ann", None)).await.unwrap();
    assert!(desk.replace_templates(list, vec![event(5)]).await.unwrap());
    assert!(desk.holds().await.unwrap().is_empty());
}

/// An event of a list, which holds a template.
fn event(second: i64) -> AccountEvent {
    let [lane, template, language] = ["wa", "promo", "en"].map(str::to_owned);
    let hold = Hold {
        lane,
        template,
        language,
        by: HeldBy::Event,
        code: None,
        origin: Origin::provider("the provider has paused it"),
        since: at(second),
    };
    AccountEvent {
        id: format!("listed-{second}"),
        received: at(second),
        happened_at: at(second),
        kind: "template_status_update".to_owned(),
        raw: "{}".to_owned(),
        events: Vec::new(),
        overrides: Vec::new(),
        holds: vec![hold],
        releases: Vec::new(),
        ended: Vec::new(),
        reports: Vec::new(),
    }
}

async fn templates_are_read_by_name_in_all_languages(desk: Desk) {
    let all = vec![template("hello", "en"), template("promo", "de"), template("promo", "en")];
    desk.replace_templates(fetched("wa-1", 5, all), Vec::new()).await.unwrap();
    let names = vec!["promo".to_owned(), "missing".to_owned()];
    let found = desk.templates(Some(names)).await.unwrap();
    assert_eq!(found, [fetched("wa-1", 5, vec![template("promo", "de"), template("promo", "en")])]);
    let none = desk.templates(Some(vec!["missing".to_owned()])).await.unwrap();
    assert_eq!(none, [fetched("wa-1", 5, Vec::new())]);
}

fn request(channel: &str, kind: TemplateRequestKind, second: i64) -> TemplateRequest {
    let [name, language] = ["promo", "en"].map(str::to_owned);
    TemplateRequest { place: place(channel), name, language, kind, at: at(second) }
}

/// The same request in another account.
fn elsewhere(request: TemplateRequest) -> TemplateRequest {
    let place = TemplatePlace { account_id: "acme-2".to_owned(), ..request.place };
    TemplateRequest { place, ..request }
}

async fn requests_are_read_by_account_and_time(desk: Desk) {
    let created = request("wa-1", TemplateRequestKind::Created, 2);
    let removed = request("wa-2", TemplateRequestKind::Removed, 3);
    let refused = request("wa-1", TemplateRequestKind::Created, 4);
    for request in [&created, &removed, &elsewhere(request("wa-1", TemplateRequestKind::Created, 3))] {
        assert!(desk.begin_template_request(request.clone(), None).await.unwrap().is_some());
    }
    let id = desk.begin_template_request(refused.clone(), None).await.unwrap().unwrap();
    let of = async |since| desk.template_requests("acme-1".to_owned(), at(since)).await.unwrap();
    assert_eq!(of(2).await, [created, removed.clone(), refused.clone()]);
    assert_eq!(of(3).await, [removed.clone(), refused]);
    desk.forget_template_request(id).await.unwrap();
    assert_eq!(of(3).await, [removed]);
}

async fn a_request_over_the_limit_is_not_recorded(desk: Desk) {
    let limit = TemplateLimit { at_most: 2, since: at(10) };
    let asked = async |request| desk.begin_template_request(request, Some(limit)).await.unwrap().is_some();
    // What came by the start of the time, in another account or of another kind does not count; another channel's does.
    for request in [
        request("wa-1", TemplateRequestKind::Created, 10),
        elsewhere(request("wa-1", TemplateRequestKind::Created, 11)),
        request("wa-1", TemplateRequestKind::Removed, 11),
        request("wa-1", TemplateRequestKind::Created, 11),
        request("wa-2", TemplateRequestKind::Created, 12),
    ] {
        assert!(asked(request.clone()).await, "{request:?}");
    }
    for channel in ["wa-1", "wa-2"] {
        assert!(!asked(request(channel, TemplateRequestKind::Created, 13)).await, "{channel}");
    }
    assert!(asked(request("wa-1", TemplateRequestKind::Removed, 13)).await);
    assert!(asked(elsewhere(request("wa-1", TemplateRequestKind::Created, 13))).await);
}
