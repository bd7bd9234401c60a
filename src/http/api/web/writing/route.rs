//! The route: the steps with their channels, deadlines and countries.

use axum::extract::State;
use axum::response::Response;

use super::document::Keys;
use super::fields::{choice, field};
use super::problems::beside_steps;
use super::{Changed, Document, Opened, Way};
use crate::base::config::Config;
use crate::base::domain::text::about;
use crate::base::domain::{Channel, Span, Status};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, too_late};
use crate::http::pages::{FieldKind, LineStep, StepFields, Texts, WriteRoute, Writing, WritingPage};

/// The most steps of a route.
const STEPS: usize = 7;
/// When a new step falls back. Without it, a step hardly ever does.
const FALLS_BACK: &str = "15m";
/// The keys of a step on this page.
const TEXTS: [&str; 4] = ["channel", "lane", "fallback_after", "success_status"];

/// The channels that have a lane, in the order in which most routes use them.
fn channels(config: &Config) -> Vec<Channel> {
    let has_lane = |channel: &Channel| config.lanes.iter().any(|lane| lane.channel == *channel);
    Channel::ALL.iter().copied().filter(has_lane).collect()
}

/// A step without a channel. Its deadline counts once another step follows.
fn blank_step() -> Keys {
    let mut step = Keys::default();
    step.put("fallback_after", FALLS_BACK);
    step
}

/// A new step: on the first channel that no other step has.
fn new_step(config: &Config, steps: &[Keys]) -> Keys {
    let channels = channels(config);
    let is_free = |channel: &&Channel| steps.iter().all(|step| step.text("channel") != channel.as_str());
    let mut step = blank_step();
    if let Some(channel) = channels.iter().find(is_free).or(channels.last()) {
        step.put("channel", channel.as_str());
    }
    step
}

pub(in crate::http::api::web) async fn route(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(way): Query<Way>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let mut opened = Opened::by(&shared, &call, &id, &way).await?;
    if opened.document.steps.is_empty() {
        let first = new_step(&shared.config, &[]);
        opened.document.steps.push(first);
    }
    shown(&shared, &opened, opened.writing(&session, WritingPage::Route))
}

fn shown(shared: &Shared, opened: &Opened, writing: Writing) -> Answer<Response> {
    let mut steps = fields(&opened.document, &shared.config);
    if let Err(problems) = opened.document.draft() {
        beside_steps(&mut steps, &problems, WritingPage::Route);
    }
    let line = line(&opened.document, writing.frame.texts());
    page(&WriteRoute { writing, line, steps })
}

/// The steps at a glance.
fn line(document: &Document, texts: &Texts) -> Vec<LineStep> {
    let last = document.steps.len();
    let of_step = |(index, keys): (usize, &Keys)| {
        let channel: Option<Channel> = keys.text("channel").parse().ok();
        let usual = channel.map_or(Status::Delivered, Channel::default_success);
        let success = keys.text("success_status").parse().unwrap_or(usual);
        let after = keys.text("fallback_after");
        let after = after.parse::<Span>().map(about).unwrap_or(after);
        LineStep {
            number: index + 1,
            channel: keys.text("channel"),
            success: success.to_string(),
            countries: texts.wizard.countries(&keys.text("only"), &keys.text("skip_when")),
            falls_back: (index + 1 < last).then(|| texts.wizard.falls_back(&after, success)),
        }
    };
    document.steps.iter().enumerate().map(of_step).collect()
}

fn fields(document: &Document, config: &Config) -> Vec<StepFields> {
    let texts = crate::http::pages::texts();
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
        let label = (texts.success_status, texts.success_status_hint);
        fields.push(field(keys, &prefix, "success_status", label, statuses(channel, &keys.text("success_status"))));
        let label = (texts.only_countries, texts.only_countries_hint);
        fields.push(field(keys, &prefix, "only", label, FieldKind::Text));
        StepFields { number, title: keys.text("channel"), fields, problems: Vec::new(), pattern: None, unfetched: None }
    };
    document.steps.iter().enumerate().map(of_step).collect()
}

/// The statuses that a channel reports. The default is listed once, unless the step names it.
fn statuses(channel: Option<Channel>, chosen: &str) -> FieldKind {
    let texts = crate::http::pages::texts();
    let Some(channel) = channel else { return choice(texts.success_usual, Vec::<Status>::new()) };
    let (usual, best) = (channel.default_success(), channel.best_status());
    let possible = [Status::Sent, Status::Delivered, Status::Read].into_iter();
    let possible = possible.filter(|status| *status <= best && (*status != usual || status.to_string() == chosen));
    choice(&texts.wizard.usual_status(usual), possible)
}

/// What a button of the page does to the steps. Returns the step to show then, from 1.
fn rearrange(steps: &mut Vec<Keys>, wanted: &str, config: &Config) -> Option<usize> {
    if wanted == "add" {
        if steps.len() < STEPS {
            let new = new_step(config, steps);
            steps.push(new);
        }
        return Some(steps.len());
    }
    let (what, where_to) = wanted.split_once('-')?;
    if what == "order" {
        return reorder(steps, where_to);
    }
    let index = where_to.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < steps.len())?;
    let to = match what {
        "up" if index > 0 => index - 1,
        "down" if index + 1 < steps.len() => index + 1,
        "remove" => {
            steps.remove(index);
            return Some(index.max(1));
        }
        _ => return None,
    };
    steps.swap(index, to);
    Some(to + 1)
}

/// Brings the steps into an order of their numbers, such as `2,1,3`. One that leaves a step out changes nothing.
fn reorder(steps: &mut Vec<Keys>, order: &str) -> Option<usize> {
    let order: Vec<usize> = order.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let mut all = order.clone();
    all.sort_unstable();
    if !all.into_iter().eq(1..=steps.len()) {
        return None;
    }
    let first_moved = (1..).zip(&order).find(|(place, number)| place != *number).map(|(place, _)| place);
    *steps = order.iter().filter_map(|number| steps.get(number - 1)).cloned().collect();
    first_moved
}

/// Takes the steps from a form.
fn take(document: &mut Document, form: &Form) {
    let steps = &mut document.steps;
    // The page shows a first step before there is one. Another operator may have removed the last ones meanwhile.
    while steps.len() < STEPS && form.get(&format!("{}-channel", steps.len() + 1)).is_some() {
        steps.push(blank_step());
    }
    for (index, step) in steps.iter_mut().enumerate() {
        let prefix = format!("{}-", index + 1);
        let before = step.text("channel");
        step.take(form, &prefix, &TEXTS);
        step.take_lists(form, &prefix, &["only"]);
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
}

pub(in crate::http::api::web) async fn change_route(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let wanted = form.get("do").unwrap_or_default();
    let mut to_show = None;
    let changed = Opened::change(&shared, &call, (&id, &form), |document| {
        take(document, &form);
        to_show = rearrange(&mut document.steps, wanted, &shared.config);
    });
    match changed.await? {
        Changed::Saved(opened) => Ok(match to_show {
            Some(number) => opened.to_step(WritingPage::Route, number),
            None => {
                let problems = opened.document.draft().err().unwrap_or_default();
                opened.after_checked(WritingPage::Route, &form, &problems)
            }
        }),
        Changed::Late(opened) => shown(&shared, &opened, opened.late(&session, WritingPage::Route)).map(too_late),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_moved_and_removed_and_nothing_else() {
        let config = {
            let text = include_str!("../../../../../samples/volley.toml");
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
        assert_eq!((after("order-3,1,2"), after("order-1,2,3")), ("cab".into(), "abc".into()));
        for nothing in ["order-1,2", "order-1,2,2", "order-0,1,2", "order-", "order-a,b,c", "order-1,2,3,4"] {
            assert_eq!(after(nothing), "abc", "{nothing}");
        }
        for nothing in ["", "next", "up-1", "down-3", "up-9", "remove-0", "remove-x", "up-", "-1"] {
            assert_eq!(after(nothing), "abc", "{nothing}");
        }
        assert_eq!(after("add"), "abcWhatsApp");
        let mut full = named(&["a"; STEPS]);
        rearrange(&mut full, "add", &config);
        assert_eq!(full.len(), STEPS);
    }
}
