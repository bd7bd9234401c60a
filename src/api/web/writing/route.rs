//! The route: the steps with their channels, deadlines and countries.

use axum::extract::State;
use axum::response::Response;

use super::document::Keys;
use super::fields::{choice, field};
use super::problems::beside_steps;
use super::{Document, Opened};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path};
use crate::api::web::admit::Session;
use crate::api::web::form::Form;
use crate::api::web::frame::page;
use crate::config::Config;
use crate::domain::{Channel, Status};
use crate::pages::{FieldKind, StepFields, WriteRoute, WritingPage};

/// The most steps of a route.
const STEPS: usize = 7;
/// The keys of a step on this page.
const TEXTS: [&str; 4] = ["channel", "lane", "fallback_after", "success_status"];

/// The channels that have a lane, in the order in which most routes use them.
fn channels(config: &Config) -> Vec<Channel> {
    let has_lane = |channel: &Channel| config.lanes.iter().any(|lane| lane.channel == *channel);
    Channel::ALL.iter().copied().filter(has_lane).collect()
}

/// A new step: on the first channel that no other step has.
fn new_step(config: &Config, steps: &[Keys]) -> Keys {
    let channels = channels(config);
    let is_free = |channel: &&Channel| steps.iter().all(|step| step.text("channel") != channel.as_str());
    let mut step = Keys::default();
    if let Some(channel) = channels.iter().find(is_free).or(channels.last()) {
        step.put("channel", channel.as_str());
    }
    step
}

pub(in crate::api::web) async fn route(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let mut opened = Opened::of(&shared, &call, &id).await?;
    if opened.document.steps.is_empty() {
        let first = new_step(&shared.config, &[]);
        opened.document.steps.push(first);
    }
    let writing = opened.writing(&session, WritingPage::Route);
    let mut steps = fields(&opened.document, &shared.config);
    if let Err(problems) = opened.document.draft() {
        beside_steps(&mut steps, &problems, WritingPage::Route);
    }
    page(&WriteRoute { writing, steps })
}

fn fields(document: &Document, config: &Config) -> Vec<StepFields> {
    let texts = crate::pages::texts();
    let last = document.steps.len();
    let of_step = |(index, keys): (usize, &Keys)| {
        let number = index + 1;
        let prefix = format!("{number}-");
        let channel: Option<Channel> = keys.text("channel").parse().ok();
        let lanes = config.lanes.iter().filter(|lane| Some(lane.channel) == channel).map(|lane| lane.name.clone());
        let lanes: Vec<String> = lanes.collect();
        let mut fields = vec![field(
            keys,
            &prefix,
            "channel",
            (texts.channel, ""),
            FieldKind::Choice(channels(config).iter().map(|c| (c.to_string(), c.to_string())).collect()),
        )];
        if lanes.len() > 1 {
            fields.push(field(keys, &prefix, "lane", (texts.lane, ""), choice("", lanes)));
        }
        if number < last {
            let label = (texts.fallback_after, texts.fallback_after_hint);
            fields.push(field(keys, &prefix, "fallback_after", label, FieldKind::Text));
        }
        let best = channel.map(Channel::best_status);
        let statuses = [Status::Sent, Status::Delivered, Status::Read].into_iter();
        let possible = statuses.filter(|status| best.is_none_or(|best| *status <= best));
        let label = (texts.success_status, texts.success_status_hint);
        fields.push(field(keys, &prefix, "success_status", label, choice(texts.success_usual, possible)));
        let label = (texts.only_countries, texts.only_countries_hint);
        fields.push(field(keys, &prefix, "only", label, FieldKind::Text));
        StepFields { number, title: keys.text("channel"), fields, problems: Vec::new() }
    };
    document.steps.iter().enumerate().map(of_step).collect()
}

/// What a button of the page does to the steps.
fn rearrange(steps: &mut Vec<Keys>, wanted: &str, config: &Config) {
    if wanted == "add" {
        if steps.len() < STEPS {
            let new = new_step(config, steps);
            steps.push(new);
        }
        return;
    }
    let Some((what, Ok(number))) = wanted.split_once('-').map(|(what, number)| (what, number.parse::<usize>())) else {
        return;
    };
    let Some(index) = number.checked_sub(1).filter(|index| *index < steps.len()) else { return };
    match what {
        "up" if index > 0 => steps.swap(index, index - 1),
        "down" if index + 1 < steps.len() => steps.swap(index, index + 1),
        "remove" => drop(steps.remove(index)),
        _ => {}
    }
}

pub(in crate::api::web) async fn change_route(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let mut opened = Opened::to_change(&shared, &call, &id, &form).await?;
    let steps = &mut opened.document.steps;
    // The page shows a first step before there is one.
    if steps.is_empty() && form.get("1-channel").is_some() {
        steps.push(Keys::default());
    }
    for (index, step) in steps.iter_mut().enumerate() {
        let prefix = format!("{}-", index + 1);
        let before = step.text("channel");
        step.take(&form, &prefix, &TEXTS);
        step.take_lists(&form, &prefix, &["only"]);
        let channel = step.text("channel");
        if channel != before {
            // Lanes, templates and senders belong to their channel.
            step.put("lane", "");
            if channel != Channel::WhatsApp.as_str() {
                step.put_object("template", Keys::default());
            }
            if channel != Channel::Sms.as_str() {
                step.put("source", "");
            }
        }
    }
    rearrange(steps, form.get("do").unwrap_or_default(), &shared.config);
    opened.save(&shared, &call).await?;
    Ok(opened.after(WritingPage::Route, &form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_moved_and_removed_and_nothing_else() {
        let config = {
            let text = include_str!("../../../../samples/volley.toml");
            let file = Some((std::path::Path::new("volley.toml"), text));
            Config::read(file, std::iter::empty(), []).unwrap().config
        };
        let named = |names: &[&str]| -> Vec<Keys> {
            names
                .iter()
                .map(|name| {
                    let mut keys = Keys::default();
                    keys.put("channel", name);
                    keys
                })
                .collect()
        };
        let after = |wanted: &str| {
            let mut steps = named(&["a", "b", "c"]);
            rearrange(&mut steps, wanted, &config);
            steps.iter().map(|step| step.text("channel")).collect::<Vec<_>>().join("")
        };
        assert_eq!((after("up-2"), after("down-1"), after("remove-3")), ("bac".into(), "bac".into(), "ab".into()));
        for nothing in ["", "next", "up-1", "down-3", "up-9", "remove-0", "remove-x", "up-", "-1"] {
            assert_eq!(after(nothing), "abc", "{nothing}");
        }
        assert_eq!(after("add"), "abcWhatsApp");
        let mut full = named(&["a"; STEPS]);
        rearrange(&mut full, "add", &config);
        assert_eq!(full.len(), STEPS);
    }
}
