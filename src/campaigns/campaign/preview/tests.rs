use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::route_templates::PlanTemplates;
use super::*;
use crate::base::domain::{Channel, Countries, Country, Fields, Plan};

fn columns() -> Vec<String> {
    ["Name", "Code"].map(str::to_owned).to_vec()
}

fn msisdn(n: u64) -> Msisdn {
    (6_590_000_000 + n).try_into().unwrap()
}

fn recipient(n: u64, country: &str, fields: [&str; 2]) -> Recipient {
    Recipient {
        address: Some(msisdn(n).into()),
        country: country.parse::<Country>().unwrap(),
        client_message_id: None,
        fields: Fields::pack(fields),
    }
}

fn request(to: &[u64], seed: u64) -> PreviewRequest {
    let to = to.iter().map(|n| msisdn(*n)).collect();
    PreviewRequest { to, seed, sms_parts_max: 10 }
}

fn steps() -> Vec<Step> {
    let viber = Step::of_text(Channel::Viber, "viber", "Hi {{Name|there}}, {{Code}}");
    let only = Countries::Only(["DE".parse().unwrap()].into());
    let sms = Step { countries: only, ..Step::of_text(Channel::Sms, "sms", "{{Code}}") };
    vec![viber, sms]
}

/// A hundred recipients, ten of them in Germany; number 7 has no code, and 8 and 9 have long ones.
fn recipients() -> Vec<Recipient> {
    let code = |n: u64| match n {
        7 => String::new(),
        8 => "x".repeat(1_000),
        9 => "x".repeat(1_001),
        n => format!("C{n:03}"),
    };
    let country = |n: u64| if n < 10 { "DE" } else { "SG" };
    (0..100).map(|n| recipient(n, country(n), ["Ann", &code(n)])).collect()
}

/// A pass over the recipients in pages of this size.
fn passed(request: PreviewRequest, page: usize) -> Previews {
    let mut pass = pass(request, |_| {});
    recipients().chunks(page).for_each(|page| pass.look(page.iter()));
    pass.found()
}

fn pass(request: PreviewRequest, on_looked: impl FnMut(u64) + Send + 'static) -> PreviewPass {
    let plan = Plan { columns: columns(), ..Plan::of_steps(steps()) };
    PreviewPass::new(&plan, &PlanTemplates::default(), request, Box::new(on_looked)).unwrap()
}

fn shown(step: &StepPreview) -> Vec<(Msisdn, Vec<Choice>)> {
    step.shown.iter().map(|message| (message.to.as_ref().unwrap().msisdn.unwrap(), message.chosen_as.clone())).collect()
}

#[test]
fn each_step_counts_the_messages_that_break_a_limit() {
    let previews = passed(request(&[], 1), 30);
    assert_eq!(previews.recipients, 100);
    let [viber, sms] = &previews.steps[..] else { panic!("two steps") };
    let broken = |step: &StepPreview| -> Vec<(String, u64, Vec<Msisdn>)> {
        let limits = step.broken.iter();
        limits.map(|limit| (limit.broken.to_string(), limit.recipients, limit.first_msisdns.clone())).collect()
    };
    assert_eq!((viber.recipients, viber.breaking), (100, 3));
    assert_eq!(
        broken(viber),
        [
            ("text: longer than 1,000 characters".to_owned(), 2, vec![msisdn(8), msisdn(9)]),
            ("text: no value for Code, so the message is not sent".to_owned(), 1, vec![msisdn(7)]),
        ]
    );
    // The step for Germany: 1,001 characters are seven parts.
    assert_eq!((sms.recipients, sms.breaking), (10, 1));
    assert_eq!(broken(sms), [("text: no value for Code, so the message is not sent".to_owned(), 1, vec![msisdn(7)])]);
}

#[test]
fn no_more_than_three_recipients_of_a_limit_are_named() {
    let mut pass = pass(request(&[], 1), |_| {});
    let all: Vec<Recipient> = (0..50).map(|n| recipient(n, "SG", ["Ann", ""])).collect();
    pass.look(all.iter());
    let previews = pass.found();
    let limit = &previews.steps[0].broken[0];
    assert_eq!((limit.recipients, limit.first_msisdns.len()), (50, 3));
}

#[test]
fn a_step_shows_its_first_shortest_longest_and_a_random_message() {
    let previews = passed(request(&[], 1), 100);
    let all: Vec<(Msisdn, Vec<Choice>)> = shown(&previews.steps[0]);
    let of = |choice: Choice| all.iter().find(|(_, why)| why.contains(&choice)).map(|(msisdn, _)| *msisdn);
    assert_eq!(
        (of(Choice::First), of(Choice::Shortest), of(Choice::Longest)),
        (Some(msisdn(0)), Some(msisdn(7)), Some(msisdn(9)))
    );
    assert!(of(Choice::Random).is_some());
    // Each recipient once.
    assert_eq!(all.iter().map(|(msisdn, _)| *msisdn).collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn a_seed_chooses_the_same_recipient_whatever_the_pages_are() {
    let random = |seed, page| {
        let previews = passed(request(&[], seed), page);
        shown(&previews.steps[0]).into_iter().find(|(_, why)| why.contains(&Choice::Random)).unwrap().0
    };
    assert!((0..20).all(|seed| random(seed, 1) == random(seed, 100)));
    // Twenty seeds choose among a hundred recipients.
    let chosen: BTreeSet<Msisdn> = (0..20).map(|seed| random(seed, 100)).collect();
    assert!(chosen.len() > 10, "{chosen:?}");
}

#[test]
fn requested_recipients_are_shown_where_a_step_applies_to_them() {
    let previews = passed(request(&[50, 3, 999], 1), 100);
    let requested = vec![Choice::Requested];
    assert_eq!(shown(&previews.steps[0]), [(msisdn(3), requested.clone()), (msisdn(50), requested.clone())]);
    assert_eq!(shown(&previews.steps[1]), [(msisdn(3), requested)]);
    assert_eq!(previews.unknown, [msisdn(999)]);
}

#[test]
fn the_progress_counts_the_recipients_looked_at() {
    let looked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&looked);
    let mut pass = pass(request(&[], 1), move |number| told.lock().push(number));
    recipients().chunks(40).for_each(|page| pass.look(page.iter()));
    assert_eq!(pass.found().recipients, 100);
    assert_eq!(*looked.lock(), [40, 80, 100]);
}

#[test]
fn values_fill_messages_by_the_names_of_their_columns() {
    let values = serde_json::from_str(r#"{"Shop": {"text": "{{City:upper|}} Shop"}}"#).unwrap();
    let shop = Step::of_text(Channel::Rcs, "rcs", "{{Shop}}");
    let sample = Sample { steps: [steps(), vec![shop]].concat(), templates: PlanTemplates::default(), values };
    let with = |pairs: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        sample.messages(|_| true, &pairs, 10).map(|messages| {
            let lines = messages.iter().map(|(_, message)| message.bubble.lines()[0].text.clone());
            lines.collect::<Vec<_>>()
        })
    };
    assert_eq!(with(&[("code", "A1"), ("City", "Bonn")]).unwrap(), ["Hi there, A1", "A1", "BONN Shop"]);
    assert_eq!(with(&[]).unwrap(), ["Hi there, ‹Code is missing›", "‹Code is missing›", " Shop"]);
    let unused = with(&[("Cde", "A1")]).unwrap_err();
    assert_eq!(unused.to_string(), "no message has a variable Cde; did you mean \"Code\"?");
    assert!(matches!(with(&[("CODE", "1"), ("code", "2")]), Err(ValuesError::Column(_))));
}
