//! The contents of the steps, with previews of real recipients.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::document::Keys;
use super::fields::field;
use super::problems::beside_steps;
use super::review::{planned, previews};
use super::{Document, Opened};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path, launcher};
use crate::api::web::admit::Session;
use crate::api::web::form::Form;
use crate::api::web::frame::page;
use crate::campaign::LaunchError;
use crate::domain::Channel;
use crate::pages::{Field, FieldKind, StepFields, WriteContent, WritingPage};
use crate::status::Templates;

/// Separates the parts of a template in the value of a choice. No name of a template has it.
const BETWEEN: char = '|';

pub(in crate::api::web) async fn content(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::of(&shared, &call, &id).await?;
    let mut writing = opened.writing(&session, WritingPage::Content);
    let columns = match opened.document.audience() {
        Some(name) => shared.store.audience_named(&name).await?.map(|audience| audience.columns).unwrap_or_default(),
        None => Vec::new(),
    };
    let templates = known_templates(&shared, &call).await?;
    let mut steps = fields(&opened.document, &templates);
    let prepared = match planned(&shared, &call, &opened.document).await {
        Ok(prepared) => Some(prepared),
        Err(LaunchError::Problems(problems)) => {
            beside_steps(&mut steps, &problems, WritingPage::Content);
            None
        }
        Err(error) => {
            writing.problems.push(error.to_string());
            None
        }
    };
    let previews = prepared.as_ref().map(previews).unwrap_or_default();
    page(&WriteContent { writing, columns, steps, previews })
}

/// The approved templates: value and label of each.
async fn known_templates(shared: &Shared, call: &Call) -> Answer<Vec<(String, String)>> {
    let templates = Templates::read(&launcher(shared, &shared.config, call)).await?;
    let mut known = Vec::new();
    for view in &templates.views {
        for at_provider in
            view.at_provider.iter().filter(|known| known.status == "APPROVED" || known.status == "FLAGGED")
        {
            let (language, category) = (&at_provider.language, &at_provider.category);
            let value = format!("{}{BETWEEN}{language}{BETWEEN}{category}", view.name);
            known.push((value, format!("{} ({language}, {})", view.name, category.to_lowercase())));
        }
    }
    known.dedup();
    Ok(known)
}

fn fields(document: &Document, templates: &[(String, String)]) -> Vec<StepFields> {
    let of_step = |(index, keys): (usize, &Keys)| {
        let number = index + 1;
        let channel: Option<Channel> = keys.text("channel").parse().ok();
        let fields = match channel {
            Some(Channel::WhatsApp) => of_template(keys, number, templates),
            _ => of_text(keys, number, channel == Some(Channel::Sms)),
        };
        StepFields { number, title: keys.text("channel"), fields, problems: Vec::new() }
    };
    document.steps.iter().enumerate().map(of_step).collect()
}

fn of_text(keys: &Keys, number: usize, has_sender: bool) -> Vec<Field> {
    let (texts, prefix) = (crate::pages::texts(), format!("{number}-"));
    let mut fields = vec![field(keys, &prefix, "text", (texts.text, texts.text_hint), FieldKind::Area)];
    if has_sender {
        fields.push(field(keys, &prefix, "source", (texts.sender, texts.sender_hint), FieldKind::Text));
    }
    fields
}

fn of_template(keys: &Keys, number: usize, templates: &[(String, String)]) -> Vec<Field> {
    let texts = crate::pages::texts();
    let template = keys.within("template");
    let named = |name: &str, label, hint, value: String, kind| Field {
        name: format!("{number}-{name}"),
        label,
        hint,
        value,
        kind,
        problem: None,
    };
    let mut fields = Vec::new();
    if templates.is_empty() {
        for (key, label, hint) in [
            ("name", texts.template_name, texts.template_hint),
            ("language", texts.template_language, texts.template_language_hint),
        ] {
            fields.push(named(&format!("template_{key}"), label, hint, template.text(key), FieldKind::Text));
        }
        let categories = ["MARKETING", "UTILITY", "AUTHENTICATION"].map(|word| (word.to_owned(), word.to_lowercase()));
        let kind = FieldKind::Choice(std::iter::once((String::new(), String::new())).chain(categories).collect());
        fields.push(named("template_category", texts.template_category, "", template.text("category"), kind));
    } else {
        let parts = ["name", "language", "category"].map(|key| template.text(key));
        let value = if parts[0].is_empty() { String::new() } else { parts.join(&BETWEEN.to_string()) };
        let mut choices = vec![(String::new(), texts.no_template.to_owned())];
        choices.extend_from_slice(templates);
        if !choices.iter().any(|(of, _)| *of == value) {
            choices.push((value.clone(), parts[0].clone()));
        }
        fields.push(named("template", texts.template, texts.template_hint, value, FieldKind::Choice(choices)));
    }
    let lines = match template.0.get("body") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    };
    let text = |pointer: &str| {
        let value = Value::Object(template.0.clone());
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    fields.push(named("template_body", texts.template_body, texts.template_body_hint, lines, FieldKind::Area));
    let header = text("/header/image");
    fields.push(named("template_header", texts.template_header, texts.template_header_hint, header, FieldKind::Text));
    let button = text("/buttons/0/url");
    fields.push(named("template_buttons", texts.template_button, texts.template_button_hint, button, FieldKind::Text));
    let free = (texts.text, texts.no_template);
    fields.push(field(keys, &format!("{number}-"), "text", free, FieldKind::Area));
    fields
}

/// Takes the template of a step from a form. What the page does not show stays as it is.
fn take_template(step: &mut Keys, form: &Form, number: usize) {
    let get = |name: &str| form.get(&format!("{number}-{name}"));
    let mut template = step.within("template");
    match get("template") {
        Some(chosen) => {
            let mut parts = chosen.split(BETWEEN);
            for key in ["name", "language", "category"] {
                template.put(key, parts.next().unwrap_or_default());
            }
        }
        None => {
            for key in ["name", "language", "category"] {
                if let Some(text) = get(&format!("template_{key}")) {
                    template.put(key, text);
                }
            }
        }
    }
    if let Some(lines) = get("template_body") {
        template.put_all("body", lines.lines().map(str::trim).filter(|line| !line.is_empty()));
    }
    set(&mut template, "header", get("template_header"), |url| json!({"image": url}));
    set(&mut template, "buttons", get("template_buttons"), |end| json!([{"index": 0, "url": end}]));
    // What is incomplete, or too much, is kept: the plan says what is wrong with it.
    step.put_object("template", template);
}

fn set(template: &mut Keys, key: &str, text: Option<&str>, value: impl Fn(&str) -> Value) {
    match text.map(str::trim) {
        None => {}
        Some("") => drop(template.0.remove(key)),
        Some(text) => drop(template.0.insert(key.to_owned(), value(text))),
    }
}

pub(in crate::api::web) async fn change_content(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let mut opened = Opened::to_change(&shared, &call, &id, &form).await?;
    for (index, step) in opened.document.steps.iter_mut().enumerate() {
        let number = index + 1;
        step.take(&form, &format!("{number}-"), &["text", "source"]);
        if step.text("channel") == Channel::WhatsApp.as_str() {
            take_template(step, &form, number);
        }
    }
    opened.save(&shared, &call).await?;
    Ok(opened.after(WritingPage::Content, &form))
}
