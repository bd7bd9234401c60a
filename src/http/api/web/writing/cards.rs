//! The cards of a template: the fields that each of them needs, and their values.

use serde_json::{Value, json};

use super::document::Keys;
use super::template::{FILES, Maker, keep_values_that_fit, of_needs, take_values};
use crate::http::api::web::form::Form;
use crate::http::pages::{Field, Texts};
use crate::provider::catalogue::TemplateNeeds;

const CAROUSEL: &str = "carousel";
/// The most cards of a template.
const CARDS_MAX: usize = 10;

/// How the names of a card's fields start; cards are counted from 1.
fn start(step: usize, card: usize) -> String {
    format!("{step}-template_card_{card}_")
}

/// What is written for the cards of a template.
fn written(template: &Keys) -> Vec<Keys> {
    let of_card = |card: &Value| card.as_object().map(|keys| Keys(keys.clone())).unwrap_or_default();
    template
        .0
        .get(CAROUSEL)
        .and_then(Value::as_array)
        .map(|cards| cards.iter().map(of_card).collect())
        .unwrap_or_default()
}

fn put(template: &mut Keys, cards: Vec<Keys>) {
    if cards.is_empty() {
        template.0.remove(CAROUSEL);
    } else {
        let cards = cards.into_iter().map(|Keys(keys)| Value::Object(keys)).collect();
        template.0.insert(CAROUSEL.to_owned(), Value::Array(cards));
    }
}

/// The fields of exactly what the cards of a template need.
pub(super) fn fields(template: &Keys, step: usize, needs: &TemplateNeeds, texts: &Texts) -> Vec<Field> {
    let mut cards = written(template);
    cards.resize(needs.cards.len(), Keys::default());
    let of_card = |(number, (keys, needs))| of_needs(&Maker::new(start(step, number), keys), needs, texts);
    (1..).zip(cards.iter().zip(&needs.cards)).flat_map(of_card).collect()
}

/// Takes the cards of a template from a form. What the page does not show stays as it is.
pub(super) fn take(template: &mut Keys, form: &Form, step: usize) {
    let is_shown = |card: &usize| form.fields().any(|(name, _)| name.starts_with(&start(step, *card)));
    let Some(last) = (1..=CARDS_MAX).rfind(is_shown) else { return };
    let mut cards = written(template);
    let all = cards.len().max(last);
    cards.resize(all, Keys::default());
    for (number, card) in (1..).zip(&mut cards) {
        let start = start(step, number);
        let get = |name: &str| form.get(&format!("{start}{name}")).map(str::trim);
        take_values(card, &get);
        // Each card has a file. An empty address stays, so that what is wrong stands beside its field.
        let file = FILES.into_iter().find(|kind| get(&format!("header_{kind}")).is_some());
        if let Some(kind) = file.filter(|_| !card.0.contains_key("header")) {
            card.0.insert("header".to_owned(), json!({ kind: "" }));
        }
    }
    put(template, cards);
}

/// Removes the cards, and the values of cards, that a template has no field for.
pub(super) fn keep_what_fits(template: &mut Keys, needs: &TemplateNeeds) {
    let mut cards = written(template);
    cards.truncate(needs.cards.len());
    for (card, needs) in cards.iter_mut().zip(&needs.cards) {
        keep_values_that_fit(card, needs);
    }
    put(template, cards);
}
