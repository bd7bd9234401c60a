//! Alerts: each once, with its end. Pure: events and open alerts in, deliveries and alerts out.

use serde::Serialize;

use super::alert_effects::{Effect, SEEN_BY_SERVER, concerns, effect};
use crate::base::config::{Alert, AlertTarget};
use crate::base::domain::{AlertForm, AlertKind, Span, Timestamp};
use crate::base::events::{Event, EventView, Subject};
use crate::store::{AlertKey, NewDelivery, OpenAlert, Receiver};

/// An alert that returns within this time after its end never ended.
pub(super) const SETTLES: Span = Span::from_secs(60);
/// Older events begin no alert: they are read when alerts are configured for the first time.
const TOO_OLD: Span = Span::from_secs(86_400);

/// The alerts that are open while a page of events is read.
#[derive(Debug)]
pub(super) struct Alerts<'a> {
    configured: &'a [Alert],
    open: Vec<OpenAlert>,
    /// Which of them have changed.
    changed: Vec<AlertKey>,
    deliveries: Vec<NewDelivery>,
    now: Timestamp,
}

impl<'a> Alerts<'a> {
    pub(super) const fn new(configured: &'a [Alert], open: Vec<OpenAlert>, now: Timestamp) -> Self {
        Self { configured, open, changed: Vec::new(), deliveries: Vec::new(), now }
    }

    /// Ends the alerts whose end an earlier server may have missed. If their cause still exists, this server begins them
    /// again at once.
    pub(super) fn restart(&mut self) {
        let now = self.now;
        for alert in self.open.iter_mut().filter(|alert| SEEN_BY_SERVER.contains(&alert.key.kind)) {
            if alert.ended_at.is_none() {
                alert.ended_at = Some(now);
                self.changed.push(alert.key.clone());
            }
        }
    }

    /// Adds an event with the id of its webhook.
    pub(super) fn add(&mut self, id: &str, event: &Event) {
        match effect(event) {
            Some(Effect::Begins { kind, detail }) => self.begin(kind, &detail, id, event),
            Some(Effect::Ends { kinds, detail }) => self.end(kinds, &detail, event),
            Some(Effect::Happened(kind)) if !self.is_too_old(event) => {
                for alert in self.wanting(kind) {
                    let key = key(alert, kind, event, String::new());
                    let told = Told { key: &key, began_at: event.at, ended_at: None, id, text: &event.sentence() };
                    self.deliveries.push(told.delivery(alert, Some(event)));
                }
            }
            Some(Effect::Happened(_)) | None => {}
        }
    }

    fn wanting(&self, kind: AlertKind) -> impl Iterator<Item = &'a Alert> + use<'a> {
        self.configured.iter().filter(move |alert| alert.kinds.contains(&kind))
    }

    fn is_too_old(&self, event: &Event) -> bool {
        self.now.since(event.at) > TOO_OLD
    }

    fn begin(&mut self, kind: AlertKind, detail: &str, id: &str, event: &Event) {
        for alert in self.wanting(kind) {
            let mut key = key(alert, kind, event, detail.to_owned());
            let is_same = |known: &OpenAlert| {
                (&known.key.name, known.key.kind, &known.key.detail) == (&key.name, kind, &key.detail)
                    && concerns(&event.subject, &known.key.subject)
                    && concerns(&known.key.subject, &event.subject)
            };
            let known = self.open.iter().position(is_same);
            let is_over = |known: &OpenAlert| known.ended_at.is_some_and(|at| event.at.since(at) >= SETTLES);
            match known {
                // Many events are read at once after the server was down: it had ended long before it returned.
                Some(at) if is_over(&self.open[at]) && !self.is_too_old(event) => {
                    let over = self.open.swap_remove(at);
                    self.deliveries.push(end_of(&over, Some(alert)));
                    key = over.key;
                }
                Some(at) => {
                    if self.open[at].ended_at.take().is_some() {
                        self.changed.push(self.open[at].key.clone());
                    }
                    continue;
                }
                None if self.is_too_old(event) => continue,
                None => {}
            }
            let text = event.sentence();
            let told = Told { key: &key, began_at: event.at, ended_at: None, id, text: &text };
            self.deliveries.push(told.delivery(alert, Some(event)));
            self.changed.push(key.clone());
            self.open.push(OpenAlert { key, began_at: event.at, ended_at: None, event: id.to_owned(), text });
        }
    }

    fn end(&mut self, kinds: &[AlertKind], detail: &str, event: &Event) {
        for alert in &mut self.open {
            let is_ended = kinds.contains(&alert.key.kind)
                && alert.key.detail == detail
                && concerns(&event.subject, &alert.key.subject);
            if is_ended && alert.ended_at.is_none() {
                alert.ended_at = Some(event.at);
                self.changed.push(alert.key.clone());
            }
        }
    }

    /// The deliveries, and the alerts that have changed.
    pub(super) fn finish(self) -> (Vec<NewDelivery>, Vec<OpenAlert>) {
        let Self { open, changed, deliveries, .. } = self;
        (deliveries, open.into_iter().filter(|alert| changed.contains(&alert.key)).collect())
    }
}

/// The deliveries that tell of alerts that ended, and did not return in time.
pub(super) fn ended(configured: &[Alert], open: &[OpenAlert], now: Timestamp) -> Vec<(AlertKey, NewDelivery)> {
    let mut ended = Vec::new();
    for alert in open {
        if alert.ended_at.is_some_and(|at| now.since(at) >= SETTLES) {
            let named = configured.iter().find(|known| known.name == alert.key.name);
            ended.push((alert.key.clone(), end_of(alert, named)));
        }
    }
    ended
}

/// The delivery that tells of an end. An alert that is configured no more has nobody to tell; its delivery is given up and
/// shows that.
fn end_of(alert: &OpenAlert, named: Option<&Alert>) -> NewDelivery {
    let OpenAlert { key, began_at, ended_at, event, text } = alert;
    let told = Told { key, began_at: *began_at, ended_at: *ended_at, id: event, text };
    named.map_or_else(|| told.delivery_to(AlertForm::Json, None), |it| told.delivery(it, None))
}

fn key(alert: &Alert, kind: AlertKind, event: &Event, detail: String) -> AlertKey {
    AlertKey { name: alert.name.clone(), kind, subject: event.subject.clone(), detail }
}

/// What an alert tells.
struct Told<'a> {
    key: &'a AlertKey,
    began_at: Timestamp,
    ended_at: Option<Timestamp>,
    id: &'a str,
    text: &'a str,
}

/// The JSON of an alert.
#[derive(Serialize)]
struct AlertBody<'a> {
    alert: &'a str,
    kind: AlertKind,
    state: &'static str,
    subject: String,
    text: &'a str,
    began_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasted_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventView<'a>>,
}

/// What Slack's incoming webhooks read.
#[derive(Serialize)]
struct SlackBody {
    text: String,
}

impl Told<'_> {
    fn delivery(&self, alert: &Alert, event: Option<&Event>) -> NewDelivery {
        let form = match alert.target {
            AlertTarget::Webhook { form, .. } => form,
            AlertTarget::Command(_) => AlertForm::Json,
        };
        self.delivery_to(form, event)
    }

    fn delivery_to(&self, form: AlertForm, event: Option<&Event>) -> NewDelivery {
        let AlertKey { name, kind, subject, detail } = self.key;
        let body = match form {
            AlertForm::Json => self.json(subject, event),
            AlertForm::Slack => self.slack(),
        };
        let end = if self.ended_at.is_some() { "_end" } else { "" };
        NewDelivery {
            receiver: Receiver::Alert(name.clone()),
            event: format!("{}_{kind}{end}", self.id),
            kind: format!("alert.{kind}"),
            order_key: format!("{kind} {subject} {detail}"),
            url: None,
            body,
        }
    }

    fn lasted(&self) -> Option<Span> {
        self.ended_at.map(|ended| ended.since(self.began_at))
    }

    fn json(&self, subject: &Subject, event: Option<&Event>) -> String {
        let body = AlertBody {
            alert: &self.key.name,
            kind: self.key.kind,
            state: if self.ended_at.is_some() { "resolved" } else { "firing" },
            subject: subject.to_string(),
            text: self.text,
            began_at: self.began_at.rfc3339(),
            ended_at: self.ended_at.map(Timestamp::rfc3339),
            lasted_ms: self.lasted().map(Span::millis),
            event: event.map(EventView::new),
        };
        // Plain structs have no value that JSON cannot hold.
        serde_json::to_string(&body).unwrap_or_default()
    }

    fn slack(&self) -> String {
        // Slack reads these three characters as markup.
        let text = self.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let text = match self.lasted() {
            Some(lasted) => format!("Volley: resolved after {}: {text}", lasted.rounded()),
            None => format!("Volley: {text}"),
        };
        serde_json::to_string(&SlackBody { text }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::base::domain::{DoubtCause, Portion, Rate};
    use crate::base::events::{EventKind, Origin};

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + second * 1_000)
    }

    fn configured(form: AlertForm) -> Vec<Alert> {
        let url = crate::base::config::Secret::new("https://hooks.example/T0/B0");
        let target = AlertTarget::Webhook { url, form };
        vec![Alert { name: "ops".to_owned(), target, kinds: AlertKind::ALL.to_vec() }]
    }

    fn lane_event(at: i64, kind: EventKind) -> Event {
        let origin = Origin::provider("429 <quota> & more");
        Event { at: second(at), subject: Subject::lane("sms"), origin, kind }
    }

    fn slowed(at: i64) -> Event {
        let rate = Rate::per_second(NonZeroU32::new(80).unwrap());
        lane_event(at, EventKind::throttled(Portion::WHOLE.halved(), rate))
    }

    fn full(at: i64) -> Event {
        lane_event(at, EventKind::FullRate { rate: Rate::per_second(NonZeroU32::new(80).unwrap()) })
    }

    /// What is told of events that come one after another, each in a page of its own, with a look after each.
    fn told(events: &[(i64, Option<Event>)]) -> Vec<(String, String)> {
        let alerts = configured(AlertForm::Json);
        let (mut open, mut told): (Vec<OpenAlert>, Vec<NewDelivery>) = (Vec::new(), Vec::new());
        for (index, (at, event)) in events.iter().enumerate() {
            let mut page = Alerts::new(&alerts, open.clone(), second(*at));
            if let Some(event) = event {
                page.add(&format!("evt_{index}"), event);
            }
            let (deliveries, changed) = page.finish();
            told.extend(deliveries);
            open.retain(|known| !changed.iter().any(|alert| alert.key == known.key));
            open.extend(changed);
            for (key, delivery) in ended(&alerts, &open, second(*at)) {
                open.retain(|known| known.key != key);
                told.push(delivery);
            }
        }
        let state = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap()["state"].to_string();
        told.into_iter().map(|it| (it.event, state(&it.body))).collect()
    }

    #[test]
    fn an_alert_is_told_once_and_its_end_once_it_lasts_a_minute() {
        let events = [
            (0, Some(slowed(0))),
            (5, Some(slowed(5))),
            (10, Some(full(10))),
            // It returns within a minute: the same alert.
            (60, Some(slowed(60))),
            (70, Some(full(70))),
            (129, None),
            (130, None),
            (200, None),
            (300, Some(slowed(300))),
        ];
        let expected =
            [("evt_0_lane_slowed", "firing"), ("evt_0_lane_slowed_end", "resolved"), ("evt_8_lane_slowed", "firing")];
        let expected = expected.map(|(id, state)| (id.to_owned(), format!("\"{state}\"")));
        assert_eq!(told(&events), expected);
    }

    #[test]
    fn an_alert_that_ended_long_before_it_returned_is_two_even_if_they_are_read_at_once() {
        let alerts = configured(AlertForm::Json);
        let mut page = Alerts::new(&alerts, Vec::new(), second(999));
        for (id, event) in [("evt_1", slowed(0)), ("evt_2", full(10)), ("evt_3", slowed(69)), ("evt_4", full(80))] {
            page.add(id, &event);
        }
        page.add("evt_5", &slowed(140));
        let (deliveries, open) = page.finish();
        let told: Vec<&str> = deliveries.iter().map(|it| it.event.as_str()).collect();
        assert_eq!(told, ["evt_1_lane_slowed", "evt_1_lane_slowed_end", "evt_5_lane_slowed"]);
        let open: Vec<_> = open.iter().map(|it| (it.began_at, it.ended_at)).collect();
        assert_eq!(open, [(second(140), None)]);
    }

    #[test]
    fn each_doubt_about_an_address_ends_by_itself() {
        let address = || "https://chatapps.8x8.com".to_owned();
        let doubted = |at, doubt| {
            let kind = EventKind::ReceiptsDoubted { since: second(at), doubt, address: address() };
            Event::by_server(second(at), Subject::Server, kind)
        };
        let over = |at, doubt| {
            let (from, lasted, doubt, address) = (second(0), None, Some(doubt), Some(address()));
            let kind = EventKind::GapEnded { from, lasted, doubt, address, repeats_until: None };
            Event::by_server(second(at), Subject::Server, kind)
        };
        let events = [
            (0, Some(doubted(0, DoubtCause::SecretMismatch))),
            (1, Some(doubted(1, DoubtCause::Unreachable))),
            (2, Some(over(2, DoubtCause::Unreachable))),
            (62, None),
            (90, Some(over(90, DoubtCause::SecretMismatch))),
            (150, None),
        ];
        let ids: Vec<String> = told(&events).into_iter().map(|(id, _)| id).collect();
        let expected = ["evt_0_deaf_server", "evt_1_deaf_server", "evt_1_deaf_server_end", "evt_0_deaf_server_end"];
        assert_eq!(ids, expected);
    }

    #[test]
    fn a_restart_ends_what_the_server_would_begin_again() {
        let alerts = configured(AlertForm::Json);
        let mut page = Alerts::new(&alerts, Vec::new(), second(0));
        page.add("evt_1", &slowed(0));
        page.add("evt_2", &lane_event(0, EventKind::Held { code: None }));
        let (_, open) = page.finish();
        let mut restarted = Alerts::new(&alerts, open, second(9));
        restarted.restart();
        let (deliveries, changed) = restarted.finish();
        assert!(deliveries.is_empty());
        let ended: Vec<_> = changed.iter().map(|alert| (alert.key.kind, alert.ended_at)).collect();
        assert_eq!(ended, [(AlertKind::LaneSlowed, Some(second(9)))]);
        let mut again = Alerts::new(&alerts, changed, second(10));
        again.add("evt_3", &slowed(10));
        let (deliveries, changed) = again.finish();
        assert!(deliveries.is_empty() && changed[0].ended_at.is_none());
    }

    #[test]
    fn old_events_begin_no_alert() {
        let alerts = configured(AlertForm::Json);
        let mut page = Alerts::new(&alerts, Vec::new(), second(86_401));
        page.add("evt_1", &slowed(0));
        assert_eq!(page.finish(), (Vec::new(), Vec::new()));
    }

    #[test]
    fn slack_reads_a_text_without_markup() {
        let alerts = configured(AlertForm::Slack);
        let mut page = Alerts::new(&alerts, Vec::new(), second(0));
        page.add("evt_1", &lane_event(0, EventKind::Held { code: Some(7) }));
        let (deliveries, open) = page.finish();
        assert_eq!(deliveries[0].body, r#"{"text":"Volley: lane sms: held: 429 &lt;quota&gt; &amp; more (code 7)"}"#);
        let over = OpenAlert { ended_at: Some(second(90)), ..open[0].clone() };
        let (_, end) = ended(&alerts, &[over], second(150)).remove(0);
        assert_eq!(
            end.body,
            r#"{"text":"Volley: resolved after 1m30s: lane sms: held: 429 &lt;quota&gt; &amp; more (code 7)"}"#
        );
    }
}
