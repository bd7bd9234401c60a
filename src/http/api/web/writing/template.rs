//! The template of a step: the fields that it needs, and their values.

use serde_json::{Map, Value, json};

use super::cards;
use super::count::counted;
use super::document::Keys;
use super::known::{BETWEEN, Known, KnownOfStep};
use crate::base::domain::ContentPart;
use crate::http::api::web::form::Form;
use crate::http::pages::{Field, FieldKind, Pattern, Texts, texts};
use crate::provider::catalogue::{ButtonValue, NeededHeader, TemplateNeeds};
use crate::rules::template::CountedText;

/// The choice of a template that is not in the list.
const OTHER: &str = "|";
/// The keys of a location.
const LOCATION: [&str; 4] = ["latitude", "longitude", "name", "address"];
/// The files that a header may have.
pub(super) const FILES: [&str; 4] = ["image", "video", "gif", "document"];
/// The most values of a body in a form; no template has as many.
const VALUES_MAX: usize = 100;

/// Makes the fields of one template, or of one of its cards.
pub(super) struct Maker<'a> {
    /// How the names of its fields start.
    start: String,
    template: &'a Keys,
    whole: Value,
}

impl<'a> Maker<'a> {
    pub(super) fn new(start: String, template: &'a Keys) -> Self {
        Self { start, template, whole: Value::Object(template.0.clone()) }
    }

    fn field(&self, name: &str, label: impl Into<String>, hint: impl Into<String>, kind: FieldKind) -> Field {
        let words: (String, String) = (label.into(), hint.into());
        Field { kind, ..Field::text(format!("{}{name}", self.start), words, String::new()) }
    }

    /// A text of the template, by its place.
    fn text(&self, pointer: &str) -> String {
        match self.whole.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    fn counted(&self, field: Field, pointer: &str, of: CountedText) -> Field {
        let value = self.text(pointer);
        Field { count: counted(of, &value), value, ..field }
    }

    /// The place of a button in the list.
    fn button(&self, index: u8) -> Option<usize> {
        let buttons = self.template.0.get("buttons")?.as_array()?;
        buttons.iter().position(|button| button["index"] == json!(index))
    }
}

/// The fields of a step with a template, and the template's texts with the places of its variables.
pub(super) fn fields(keys: &Keys, number: usize, known: &Known) -> (Vec<Field>, Option<Pattern>) {
    let template = keys.within("template");
    let maker = Maker::new(format!("{number}-template_"), &template);
    let (texts, known) = (texts(), known.of(keys));
    let mut fields = chosen(&maker, &known, texts);
    match known.needs(&template) {
        Some(needs) => {
            fields.extend(of_needs(&maker, &needs, texts));
            fields.extend(cards::fields(&template, number, &needs, texts));
            (fields, Some(pattern(&needs)))
        }
        None => {
            fields.extend(of_unknown(&maker, texts));
            (fields, None)
        }
    }
}

/// Which template it is: one of the list, or any other by its name.
fn chosen(maker: &Maker<'_>, known: &KnownOfStep<'_>, texts: &Texts) -> Vec<Field> {
    let template = maker.template;
    if known.is_empty() {
        return named(maker, texts);
    }
    let start = format!("{}{BETWEEN}{}{BETWEEN}", template.text("name"), template.text("language"));
    let mut choices: Vec<(String, String)> = known.choices().collect();
    let listed = choices.iter().find(|(value, _)| value.starts_with(&start)).map(|(value, _)| value.clone());
    let is_other = listed.is_none() && template.0.contains_key("name");
    choices.insert(0, (String::new(), texts.no_template.to_owned()));
    choices.push((OTHER.to_owned(), texts.wizard.other_template.to_owned()));
    let value = listed.unwrap_or_else(|| if is_other { OTHER.to_owned() } else { String::new() });
    let name = maker.start.trim_end_matches('_');
    let choice =
        Field { kind: FieldKind::Choice(choices), ..Field::text(name, (texts.template, texts.template_hint), value) };
    let named = if is_other { named(maker, texts) } else { Vec::new() };
    std::iter::once(choice).chain(named).collect()
}

/// The fields of a template that is in no list.
fn named(maker: &Maker<'_>, texts: &Texts) -> Vec<Field> {
    let template = maker.template;
    let named = [
        ("name", texts.template_name, texts.template_hint),
        ("language", texts.template_language, texts.template_language_hint),
    ];
    let named = named.into_iter().map(|(key, label, hint)| {
        let field = maker.field(key, label, hint, FieldKind::Text);
        Field { value: template.text(key), ..field }
    });
    let categories = ["MARKETING", "UTILITY", "AUTHENTICATION"].map(|word| (word.to_owned(), word.to_lowercase()));
    let kind = FieldKind::Choice(std::iter::once((String::new(), String::new())).chain(categories).collect());
    let category = maker.field("category", texts.template_category, "", kind);
    named.chain([Field { value: template.text("category"), ..category }]).collect()
}

/// The texts of a template with the places of its variables.
fn pattern(needs: &TemplateNeeds) -> Pattern {
    let header = match &needs.header {
        Some(NeededHeader::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let texts = header.into_iter().chain([needs.body.as_str()]).chain(needs.footer.as_deref());
    Pattern::of(texts, needs.cards.iter().map(pattern).collect())
}

/// The fields of exactly what a template needs, without its cards.
pub(super) fn of_needs(maker: &Maker<'_>, needs: &TemplateNeeds, texts: &Texts) -> Vec<Field> {
    let own = texts.wizard;
    let mut fields = Vec::new();
    match &needs.header {
        None => {}
        Some(NeededHeader::Text(text)) => {
            let field = maker.field("header_text", own.header_text, text.as_str(), FieldKind::Text);
            fields.push(maker.counted(field, "/header/text", CountedText::HeaderText));
        }
        Some(NeededHeader::File(kind)) => {
            let field =
                maker.field(&format!("header_{kind}"), own.header_file(kind), own.header_file_hint, FieldKind::Text);
            fields.push(maker.counted(field, &format!("/header/{kind}"), CountedText::Address));
        }
        Some(NeededHeader::Location) => fields.extend(LOCATION.map(|key| {
            let field = maker.field(&format!("header_location_{key}"), own.location_part(key), "", FieldKind::Text);
            Field { value: maker.text(&format!("/header/location/{key}")), ..field }
        })),
    }
    for (index, name) in needs.body_values.iter().enumerate() {
        let field = maker.field(&format!("body_{}", index + 1), own.value_of(name), "", FieldKind::Text);
        fields.push(maker.counted(field, &format!("/body/{index}"), CountedText::BodyValue));
    }
    for button in &needs.buttons {
        let key = button.value.key();
        let label = own.button_value(key, &button.title);
        let hint = match &button.address {
            Some(address) => address.clone(),
            None => own.button_hint(key).to_owned(),
        };
        let field = maker.field(&format!("button_{}_{key}", button.index), label, hint, FieldKind::Text);
        let place = maker.button(button.index);
        let pointer = place.map(|place| match button.value {
            ButtonValue::Flow => format!("/buttons/{place}/flow/screen"),
            _ => format!("/buttons/{place}/{key}"),
        });
        let pointer = pointer.unwrap_or_else(|| "/none".to_owned());
        fields.push(match button.value {
            ButtonValue::Url => maker.counted(field, &pointer, CountedText::Address),
            ButtonValue::CopyCode => maker.counted(field, &pointer, CountedText::CopyCode),
            ButtonValue::Payload | ButtonValue::Flow => Field { value: maker.text(&pointer), ..field },
        });
    }
    fields
}

/// The fields of a template that was never fetched.
fn of_unknown(maker: &Maker<'_>, texts: &Texts) -> Vec<Field> {
    let lines = match maker.template.0.get("body") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    };
    let body = maker.field("body", texts.template_body, texts.template_body_hint, FieldKind::Area);
    let header = maker.field("header", texts.template_header, texts.template_header_hint, FieldKind::Text);
    let button = maker.field("buttons", texts.template_button, texts.template_button_hint, FieldKind::Text);
    vec![
        Field { value: lines, ..body },
        maker.counted(header, "/header/image", CountedText::Address),
        maker.counted(button, "/buttons/0/url", CountedText::Address),
    ]
}

/// Takes the template of a step from a form. What the page does not show stays as it is.
pub(super) fn take(step: &mut Keys, form: &Form, number: usize, known: &Known) {
    let get = |name: &str| form.get(&format!("{number}-template_{name}")).map(str::trim);
    let chosen = form.get(&format!("{number}-template"));
    let mut template = step.within("template");
    let was = (template.text("name"), template.text("language"));
    match chosen.filter(|chosen| *chosen != OTHER) {
        Some(chosen) => {
            let mut parts = chosen.split(BETWEEN);
            for key in ["name", "language", "category"] {
                template.put(key, parts.next().unwrap_or_default());
            }
        }
        None => {
            for key in ["name", "language", "category"] {
                if let Some(text) = get(key) {
                    template.put(key, text);
                }
            }
        }
    }
    if chosen == Some(OTHER) && get("name").is_none() {
        // It has no name yet, but a field for it.
        template.0.insert("name".to_owned(), json!(""));
        template.0.remove("language");
        template.0.remove("category");
    }
    take_values(&mut template, &get);
    cards::take(&mut template, form, number);
    let is_another = (template.text("name"), template.text("language")) != was;
    if is_another && let Some(needs) = known.of(step).needs(&template) {
        keep_what_fits(&mut template, &needs);
    }
    // Without a template, its values say nothing.
    if template.text("name").is_empty() && chosen.is_some_and(|chosen| chosen != OTHER) {
        template = Keys::default();
    }
    // What is incomplete, or too much, is kept: the plan says what is wrong with it.
    step.put_object("template", template);
}

/// Takes the values of a template, or of one of its cards.
pub(super) fn take_values<'a>(template: &mut Keys, get: &impl Fn(&str) -> Option<&'a str>) {
    take_body(template, get);
    take_header(template, get);
    take_buttons(template, get);
}

fn take_body<'a>(template: &mut Keys, get: &impl Fn(&str) -> Option<&'a str>) {
    if let Some(lines) = get("body") {
        template.put_all("body", lines.lines().map(str::trim).filter(|line| !line.is_empty()));
        return;
    }
    let values: Vec<&str> = (1..=VALUES_MAX).map_while(|number| get(&format!("body_{number}"))).collect();
    if values.is_empty() {
        return;
    }
    // An empty value between others keeps its place.
    let filled = values.iter().rposition(|value| !value.is_empty()).map_or(0, |last| last + 1);
    template.put_all("body", values.into_iter().take(filled));
}

fn take_header<'a>(template: &mut Keys, get: &impl Fn(&str) -> Option<&'a str>) {
    if let Some(image) = get("header") {
        let mut header = Keys::default();
        header.put("image", image);
        return template.put_object("header", header);
    }
    for kind in std::iter::once("text").chain(FILES) {
        if let Some(text) = get(&format!("header_{kind}")) {
            let mut header = Keys::default();
            header.put(kind, text);
            return template.put_object("header", header);
        }
    }
    if get("header_location_latitude").is_some() {
        let mut location = Keys::default();
        for key in LOCATION {
            location.put(key, get(&format!("header_location_{key}")).unwrap_or_default());
        }
        let mut header = Keys::default();
        header.put_object("location", location);
        template.put_object("header", header);
    }
}

fn take_buttons<'a>(template: &mut Keys, get: &impl Fn(&str) -> Option<&'a str>) {
    if let Some(end) = get("buttons") {
        put_button(template, 0, ButtonValue::Url, end);
    }
    for index in 0..=9 {
        for value in [ButtonValue::Url, ButtonValue::CopyCode, ButtonValue::Payload, ButtonValue::Flow] {
            if let Some(text) = get(&format!("button_{index}_{}", value.key())) {
                put_button(template, index, value, text);
            }
        }
    }
}

/// Sets the value of one button. An empty one is none, and the data of a flow stay.
fn put_button(template: &mut Keys, index: u8, value: ButtonValue, text: &str) {
    let mut buttons = match template.0.remove("buttons") {
        Some(Value::Array(buttons)) => buttons,
        _ => Vec::new(),
    };
    let place = buttons.iter().position(|button| button["index"] == json!(index));
    let mut button = place.map_or(Value::Null, |place| buttons.remove(place));
    let content = match value {
        ButtonValue::Flow => {
            let mut flow = button["flow"].as_object_mut().map(std::mem::take).unwrap_or_default();
            flow.remove("screen");
            if !text.is_empty() {
                flow.insert("screen".to_owned(), json!(text));
            }
            Some(Value::Object(flow)).filter(|flow| flow.as_object().is_some_and(|flow| !flow.is_empty()))
        }
        _ => Some(json!(text)).filter(|_| !text.is_empty()),
    };
    if let Some(content) = content {
        let mut keys = Map::new();
        keys.insert("index".to_owned(), json!(index));
        keys.insert(value.key().to_owned(), content);
        buttons.insert(place.unwrap_or(buttons.len()), Value::Object(keys));
    }
    if !buttons.is_empty() {
        template.0.insert("buttons".to_owned(), Value::Array(buttons));
    }
}

/// Removes the values of the template that was chosen before which another one has no field for.
fn keep_what_fits(template: &mut Keys, needs: &TemplateNeeds) {
    keep_values_that_fit(template, needs);
    cards::keep_what_fits(template, needs);
}

/// The same for a template without its cards, or for one of its cards.
pub(super) fn keep_values_that_fit(template: &mut Keys, needs: &TemplateNeeds) {
    if let Some(Value::Array(body)) = template.0.get_mut("body") {
        body.truncate(needs.body_values.len());
    }
    let header = match &needs.header {
        None => None,
        Some(NeededHeader::Text(_)) => Some("text"),
        Some(NeededHeader::File(kind)) => Some(*kind),
        Some(NeededHeader::Location) => Some("location"),
    };
    if header.is_none_or(|kind| !template.within("header").0.contains_key(kind)) {
        template.0.remove("header");
    }
    if let Some(Value::Array(buttons)) = template.0.get_mut("buttons") {
        buttons.retain(|button| {
            needs
                .buttons
                .iter()
                .any(|needed| button["index"] == json!(needed.index) && button.get(needed.value.key()).is_some())
        });
    }
    for key in ["body", "buttons"] {
        if template.0.get(key).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            template.0.remove(key);
        }
    }
}

/// The name of the field for a part of a content.
pub(super) fn name_of(part: &ContentPart) -> String {
    match part {
        ContentPart::Text | ContentPart::Source => part.to_string(),
        part => format!("template_{}", part.to_string().replace(' ', "_")),
    }
}
