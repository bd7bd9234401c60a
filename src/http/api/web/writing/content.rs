//! The contents of the steps, with previews of real recipients.

use axum::extract::State;
use axum::response::Response;

use super::count::counted;
use super::document::Keys;
use super::fields::field;
use super::known::Known;
use super::problems::{beside_steps, has_content};
use super::review::{planned, previews};
use super::template;
use super::{Changed, Document, Opened, Way, words};
use crate::base::config;
use crate::base::domain::text::plural;
use crate::base::domain::{Channel, SmsEncoding, StepIndex};
use crate::campaigns::campaign::{LaunchError, Prepared};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query, current};
use crate::http::api::web::admit::Session;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, too_late};
use crate::http::pages::{Field, FieldKind, StepFields, WriteContent, Writing, WritingPage, texts};
use crate::rules::template::CountedText;

/// What the button of a choice does: it saves, and shows the fields of what was chosen.
const CHOSEN: &str = "chosen-";

pub(in crate::http::api::web) async fn content(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(way): Query<Way>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::by(&shared, &call, &id, &way).await?;
    let known = Known::read(&shared).await?;
    let writing = opened.writing(&session, WritingPage::Content);
    shown(&shared, &call, (&opened, &known), (writing, way.saved == "true")).await
}

async fn shown(
    shared: &Shared,
    call: &Call,
    (opened, known): (&Opened, &Known),
    (mut writing, is_saved): (Writing, bool),
) -> Answer<Response> {
    let columns = match opened.document.audience() {
        Some(name) => shared.store.audience_named(&name).await?.map(|audience| audience.columns).unwrap_or_default(),
        None => Vec::new(),
    };
    let mut steps = fields(&opened.document, known);
    let config = current(shared).await?;
    let prepared = match planned(shared, &config, call, &opened.document).await {
        Ok(prepared) => Some(prepared),
        Err(LaunchError::Problems(mut problems)) => {
            // What was not written yet is not wrong yet. The review says that it is missing.
            let is_begun = |index: StepIndex| opened.document.steps.get(index.index()).is_none_or(has_content);
            problems.retain(|problem| is_saved || problem.step.is_none_or(is_begun));
            problems.retain(|problem| !asks_for_values(&mut steps, problem));
            beside_steps(&mut steps, &problems, WritingPage::Content);
            None
        }
        Err(error) => {
            writing.problems.push(words::said(&error.to_string(), false));
            None
        }
    };
    if let Some(prepared) = &prepared {
        broken_limits(&mut steps, prepared);
    }
    let previews = prepared.as_ref().map(previews).unwrap_or_default();
    page(&WriteContent { writing, columns, steps, previews })
}

/// Asks for the values that a known template lacks, each at its empty field. Returns whether that says all of the problem.
fn asks_for_values(steps: &mut [StepFields], problem: &config::Problem) -> bool {
    let lacks: fn(&str) -> bool = match problem.key.as_str() {
        "template, header" => |name| {
            name.starts_with("template_header_") && !(name.ends_with("_location_name") || name.ends_with("_address"))
        },
        "template, body" => |name| name.starts_with("template_body_"),
        // The others may stay empty.
        "template, buttons" => {
            |name| name.starts_with("template_button_") && (name.ends_with("_url") || name.ends_with("_copy_code"))
        }
        _ => return false,
    };
    let step = problem.step.and_then(|index| steps.get_mut(index.index())).filter(|step| step.pattern.is_some());
    let mut asks = false;
    for field in step.into_iter().flat_map(|step| &mut step.fields) {
        let name = field.name.split_once('-').map_or("", |(_, name)| name);
        if field.value.is_empty() && lacks(name) {
            field.problem.get_or_insert_with(|| texts().wizard.fill_in.to_owned());
            asks = true;
        }
    }
    asks
}

/// Puts the limits that messages break beside their fields.
fn broken_limits(steps: &mut [StepFields], prepared: &Prepared) {
    let previewed = prepared.recipients.previews.iter().flat_map(|previews| &previews.steps);
    for (step, preview) in steps.iter_mut().zip(previewed) {
        for limit in &preview.broken {
            let name = format!("{}-{}", step.number, template::name_of(&limit.broken.part));
            let Some(field) = step.fields.iter_mut().find(|field| field.name == name) else { continue };
            let sentence = format!("{}: {}", limit.broken, plural(limit.recipients, "recipient", "recipients"));
            field.problem.get_or_insert(sentence);
        }
    }
}

fn fields(document: &Document, known: &Known) -> Vec<StepFields> {
    let of_step = |(index, keys): (usize, &Keys)| {
        let number = index + 1;
        let channel: Option<Channel> = keys.text("channel").parse().ok();
        let (mut fields, pattern) = match channel {
            Some(Channel::WhatsApp) => template::fields(keys, number, known),
            _ => (Vec::new(), None),
        };
        // A step with a template has no text of its own.
        let has_template = keys.within("template").0.contains_key("name");
        if !has_template || !keys.text("text").is_empty() {
            fields.extend(of_text(keys, number, channel));
        }
        let lanes = known.of(keys);
        let is_unfetched = channel == Some(Channel::WhatsApp) && lanes.is_empty() && !lanes.unfetched.is_empty();
        let unfetched = is_unfetched.then(|| texts().wizard.unfetched(&lanes.unfetched));
        StepFields { number, title: keys.text("channel"), fields, problems: Vec::new(), pattern, unfetched }
    };
    document.steps.iter().enumerate().map(of_step).collect()
}

fn of_text(keys: &Keys, number: usize, channel: Option<Channel>) -> Vec<Field> {
    let (texts, prefix) = (texts(), format!("{number}-"));
    let label = match channel {
        Some(Channel::WhatsApp) => (texts.text, texts.no_template),
        _ => (texts.text, texts.text_hint),
    };
    let text = field(keys, &prefix, "text", label, FieldKind::Area);
    let encoding = keys.text("encoding").parse().unwrap_or(SmsEncoding::Auto);
    let of = channel.map(|channel| match channel {
        Channel::Sms => CountedText::Sms { encoding, transliterates: keys.text("transliterate") == "true" },
        channel => CountedText::Text(channel),
    });
    let count = of.and_then(|of| counted(of, &text.value));
    let mut fields = vec![Field { count, ..text }];
    if channel == Some(Channel::Sms) {
        fields.push(field(keys, &prefix, "source", (texts.sender, texts.sender_hint), FieldKind::Text));
    }
    fields
}

/// Takes the contents from a form.
fn take(document: &mut Document, form: &Form, known: &Known) {
    for (index, step) in document.steps.iter_mut().enumerate() {
        let number = index + 1;
        step.take(form, &format!("{number}-"), &["text", "source"]);
        if step.text("channel") == Channel::WhatsApp.as_str() {
            template::take(step, form, number, known);
        }
    }
}

pub(in crate::http::api::web) async fn change_content(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let known = Known::read(&shared).await?;
    match Opened::change(&shared, &call, (&id, &form), |document| take(document, &form, &known)).await? {
        Changed::Saved(opened) => {
            let chosen = form.get("do").and_then(|wanted| wanted.strip_prefix(CHOSEN)?.parse().ok());
            Ok(match chosen {
                Some(number) => opened.to_step(WritingPage::Content, number),
                None => opened.after(WritingPage::Content, &form),
            })
        }
        Changed::Late(opened) => {
            let mut writing = opened.late(&session, WritingPage::Content);
            // The other operator may have removed the last steps.
            let (texts, known_steps) = (writing.frame.texts(), opened.document.steps.len());
            let lost = (known_steps + 1..=known_steps + 9).filter_map(|number| form.entered(&format!("{number}-text")));
            writing.problems.extend(lost.map(|text| texts.wizard.lost_text(text)));
            shown(&shared, &call, (&opened, &known), (writing, true)).await.map(too_late)
        }
    }
}
