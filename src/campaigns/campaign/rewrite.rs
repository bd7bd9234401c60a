//! Writes a launched campaign as a campaign file again, so that it can be changed and launched anew.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::chosen::DraftRoute;
use super::file::Draft;
use super::launch::{LaunchError, Launcher};
use crate::base::domain::{
    AfterGap, AudienceId, Channel, Content, Countries, Hours, Limits, OnRecipientLimit, OnTierSpent, OnUnknown, Plan,
    RawContent, Step, StepIndex, UsMarketing, ValueRule, Values,
};
use crate::store::{Audience, Batch};

/// A launched campaign with the keys of a campaign file.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewritten {
    pub keys: Map<String, Value>,
    /// The audiences in their order, or why it begins without recipients.
    pub audiences: Result<Vec<String>, LostRecipients>,
    /// Steps whose content has no keys any more.
    pub lost_contents: Vec<StepIndex>,
    /// Whether its own variables could not be written.
    pub lost_values: bool,
}

/// Why a copy begins without recipients: it could go to others than the campaign did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostRecipients {
    /// They were imported for this campaign alone, or their audience was deleted.
    Unnamed,
    /// It was sent again to those with certain outcomes, which no key names.
    OfOutcomes,
    /// It was launched before filters were kept.
    OfUnknownFilter,
}

impl Launcher<'_> {
    /// Writes a campaign as a campaign file again, under a name that is free.
    ///
    /// - Its start and its end are not part of it.
    /// - A content whose keys would not read as what was launched is left out.
    pub async fn rewrite(&self, batch: &Batch) -> Result<Rewritten, LaunchError> {
        let plan = self.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
        let name = self.unused_name(batch.name.as_deref().unwrap_or(&batch.audience)).await?;
        let mut rewritten = of_plan(&plan);
        rewritten.keys.insert("name".to_owned(), name.into());
        rewritten.audiences = if plan.is_retry {
            Err(LostRecipients::OfOutcomes)
        } else if plan.recipients.is_none() {
            Err(LostRecipients::OfUnknownFilter)
        } else {
            audiences_of(&self.store.audiences().await?, batch).ok_or(LostRecipients::Unnamed)
        };
        rewritten.keys.extend(rewritten.audiences.iter().map(|names| ("audience".to_owned(), json!(names))));
        Ok(rewritten)
    }
}

/// The named audiences that have the files of the campaign; `None` if they lack one of them.
fn audiences_of(audiences: &[Audience], batch: &Batch) -> Option<Vec<String>> {
    let used = |audience: &Audience| {
        let parts: BTreeSet<AudienceId> = audience.parts.iter().map(|part| part.id).collect();
        let used = batch.audience_ids.iter().enumerate().filter(|(_, id)| parts.contains(id));
        used.map(|(index, _)| index).collect::<Vec<usize>>()
    };
    let mut found: Vec<(Vec<usize>, &Audience)> = audiences.iter().map(|audience| (used(audience), audience)).collect();
    found.retain(|(used, _)| !used.is_empty());
    found.sort_by_key(|(used, _)| used.first().copied());
    if found.iter().map(|(used, _)| used.len()).sum::<usize>() < batch.audience_ids.len() {
        return None;
    }
    Some(found.into_iter().map(|(_, audience)| audience.name.clone()).collect())
}

fn of_plan(plan: &Plan) -> Rewritten {
    let mut keys = Keys::default();
    keys.put("ttl", plan.ttl);
    keys.put("when", plan.when);
    let is_local = plan.steps.iter().any(|step| step.hours.since.is_some());
    keys.put("time_zone", plan.time_zone.map(|zone| zone.to_string()).or(is_local.then(|| "recipient".to_owned())));
    keys.put("over", plan.over);
    keys.put("on_unknown", Some(plan.on_unknown).filter(|on| *on != OnUnknown::Keep));
    keys.put("after_gap", Some(plan.after_gap).filter(|after| *after != AfterGap::Ask));
    keys.put("on_missing_value", plan.on_missing_value);
    keys.put("on_missed", plan.on_missed);
    if let Some(rules) = &plan.recipients {
        keys.put("where", rules.filter.as_ref());
        keys.put_all("exclude", &rules.exclude);
        keys.put_all("allow_countries", rules.allow_countries.iter().flatten());
        keys.put("country", rules.country);
    }
    keys.put("pause_when", plan.pause_when);
    keys.put("hold_paid_when", plan.hold_paid_when);
    keys.limits(&plan.limits, plan.currency.as_deref());
    // Where all steps have the same hours, they are the campaign's.
    let first = plan.steps.first().map(|step| step.hours.clone()).unwrap_or_default();
    let is_shared =
        plan.steps.iter().all(|step| step.hours.quiet == first.quiet && step.hours.windows == first.windows);
    keys.put_all("holidays", &first.holidays);
    if is_shared {
        keys.hours(&first);
    }
    let values = values(&plan.values);
    let lost_values = !plan.values.is_empty() && !reads_as_values(&values, &plan.values);
    if !plan.values.is_empty() && !lost_values {
        keys.0.insert("values".to_owned(), values);
    }
    let (mut steps, mut lost_contents) = (Vec::new(), Vec::new());
    for (index, step) in plan.indexed_steps() {
        let mut written = of_step(step, plan, !is_shared);
        match of_content(step) {
            Some(content) => written.0.extend(content.0),
            None => lost_contents.push(index),
        }
        steps.push(Value::Object(written.0));
    }
    keys.0.insert("step".to_owned(), Value::Array(steps));
    Rewritten { keys: keys.0, audiences: Ok(Vec::new()), lost_contents, lost_values }
}

/// The keys of a step without its content.
fn of_step(step: &Step, plan: &Plan, with_hours: bool) -> Keys {
    let mut keys = Keys::default();
    keys.put("channel", Some(step.channel));
    keys.put("purpose", step.purpose);
    let lanes: Vec<&str> = step.lanes.names().collect();
    match lanes[..] {
        [lane] => keys.put("lane", Some(lane)),
        _ => keys.put_all("lanes", &lanes),
    }
    keys.put("fallback_after", step.fallback_after);
    keys.put("success_status", Some(step.success).filter(|success| *success != step.channel.default_success()));
    keys.put("receipt_window", Some(step.receipt_window).filter(|window| *window != step.channel.receipt_window()));
    keys.put("ttl", step.ttl);
    keys.put("leave_within", step.leave_within);
    keys.put("on_tier_spent", Some(step.on_tier_spent).filter(|on| *on != OnTierSpent::Wait));
    let on_limit = step.on_recipient_limit;
    keys.put("on_recipient_limit", Some(on_limit).filter(|on| *on != OnRecipientLimit::FallBack));
    keys.put("us_marketing", step.us_marketing.filter(|wanted| *wanted == UsMarketing::Send));
    keys.put("line_user_id", step.user_id.as_ref());
    if step.transliterate {
        keys.0.insert("transliterate".to_owned(), true.into());
    }
    match &*step.chosen_countries() {
        Countries::Everywhere => {}
        Countries::Only(only) => keys.put_all("only", only),
        Countries::AllBut(skipped) => keys.put_all("skip_when", skipped),
    }
    if with_hours {
        keys.hours(&step.hours);
    }
    keys.limits(&step.limits, plan.currency.as_deref());
    keys
}

/// The keys of a content, if they read as this content again.
fn of_content(step: &Step) -> Option<Keys> {
    let mut keys = Keys::default();
    match &step.content {
        Content::Text { text, source, encoding } => {
            keys.put("text", Some(text));
            if source.by_country.is_empty() {
                keys.put("source", source.others.as_ref());
            } else {
                keys.0.insert("source".to_owned(), serde_json::to_value(source).ok()?);
            }
            keys.put("encoding", *encoding);
        }
        content => {
            // Each other content is one member, whose name is that of its variant, and mostly the key of a step.
            let Ok(Value::Object(written)) = serde_json::to_value(content) else { return None };
            let (key, value) = written.into_iter().next()?;
            match key.as_str() {
                "zalo_template" => drop(keys.0.insert("template".to_owned(), value)),
                "rich" => keys.rich(value)?,
                "interactive" => drop(keys.0.insert(key, interactive(value)?)),
                "raw" => drop(keys.0.insert(key, without_category(value))),
                _ => drop(keys.0.insert(key, value)),
            }
        }
    }
    reads_as_content(&keys, step.channel, &step.content).then_some(keys)
}

/// An interactive message, whose action and what its flow opens stand beside its texts.
fn interactive(value: Value) -> Option<Value> {
    let Value::Object(mut message) = value else { return None };
    let Some(Value::Object(mut action)) = message.remove("action") else { return None };
    if let Some(Value::Object(flow)) = action.get_mut("flow")
        && let Some(Value::Object(opens)) = flow.remove("opens")
    {
        flow.extend(opens);
    }
    message.extend(action);
    Some(Value::Object(message))
}

/// The provider's own JSON. The category of its template is the provider's to tell.
fn without_category(mut value: Value) -> Value {
    if let Value::Object(raw) = &mut value {
        raw.remove("category");
    }
    value
}

/// Whether the keys of a step are read as this content.
fn reads_as_content(Keys(content): &Keys, channel: Channel, wanted: &Content) -> bool {
    let mut step = content.clone();
    step.insert("channel".to_owned(), channel.to_string().into());
    let wanted = match wanted {
        Content::Raw(raw) => &Content::Raw(RawContent { category: None, ..raw.clone() }),
        wanted => wanted,
    };
    let draft = Draft::from_json(json!({"audience": ["-"], "step": [step]}));
    let route = draft.map(|draft| draft.route);
    matches!(route, Ok(DraftRoute::Own(steps)) if steps.iter().all(|step| step.content == *wanted))
}

fn values(Values(values): &Values) -> Value {
    let rule = |rule: &ValueRule| match rule {
        ValueRule::Text(text) => Value::from(text.clone()),
        ValueRule::Choice(choice) => {
            let mut table: Map<String, Value> =
                choice.texts.iter().map(|(key, text)| (key.clone(), text.clone().into())).collect();
            table.extend(choice.others.iter().map(|others| ("others".to_owned(), others.clone().into())));
            table.insert("by".to_owned(), choice.by.clone().into());
            Value::Object(table)
        }
    };
    Value::Object(values.iter().map(|(name, value)| (name.clone(), rule(value))).collect())
}

fn reads_as_values(written: &Value, wanted: &Values) -> bool {
    let step = json!({"channel": "SMS", "text": "-"});
    let draft = Draft::from_json(json!({"audience": ["-"], "step": [step], "values": written}));
    draft.is_ok_and(|draft| draft.values == *wanted)
}

/// Keys of a campaign file that are being written.
#[derive(Debug, Default)]
struct Keys(Map<String, Value>);

impl Keys {
    fn put(&mut self, key: &str, value: Option<impl ToString>) {
        self.0.extend(value.map(|value| (key.to_owned(), Value::from(value.to_string()))));
    }

    fn put_all<T: ToString>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        if !values.is_empty() {
            self.0.insert(key.to_owned(), values.into());
        }
    }

    fn hours(&mut self, hours: &Hours) {
        self.put_all("quiet_hours", &hours.quiet);
        self.put_all("send_window", &hours.windows);
    }

    fn limits(&mut self, limits: &Limits, currency: Option<&str>) {
        self.put("max_messages", limits.messages);
        let currency = currency.map(|currency| format!(" {currency}")).unwrap_or_default();
        self.put("budget", limits.budget.map(|budget| format!("{budget}{currency}")));
    }

    /// The keys of a message with a file: its kind is the key.
    fn rich(&mut self, value: Value) -> Option<()> {
        let Value::Object(mut message) = value else { return None };
        if let Some(Value::Object(mut media)) = message.remove("media") {
            let Some(Value::String(kind)) = media.remove("kind") else { return None };
            self.0.insert(kind, Value::Object(media));
        }
        self.0.extend(message);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use super::*;
    use crate::base::domain::{
        Category, Choice, Header, Interactive, InteractiveAction, Media, MediaKind, OnMissed, Pool, RecipientRules,
        ReplyButton, RichMessage, TemplateContent,
    };
    use crate::campaigns::campaign::file::TimeZone;
    use crate::recipients::audience::DefaultCountry;

    fn template() -> TemplateContent {
        TemplateContent {
            name: "promo".to_owned(),
            language: "en".to_owned(),
            category: Category::Utility,
            ttl: None,
            header: Some(Header::Image("https://shop.example/a.jpg".to_owned())),
            body: vec!["{{FirstName|there}}".to_owned()],
            buttons: Vec::new(),
            carousel: Vec::new(),
        }
    }

    #[test]
    fn marketing_that_leaves_out_the_united_states_is_written_as_it_was() {
        for wanted in [UsMarketing::FallBack, UsMarketing::Send] {
            // It may become marketing later, so what was wanted is kept.
            for category in [Category::Marketing, Category::Utility] {
                let mut step = Step::of_text(Channel::WhatsApp, "wa", "-");
                step.content = Content::Template(TemplateContent { category, ..template() });
                step.withhold_us_marketing(wanted);
                let keys = of_plan(&Plan::of_steps(vec![step])).keys;
                let step = &keys["step"][0];
                let is_sent = (wanted == UsMarketing::Send).then_some("send");
                assert_eq!((step["us_marketing"].as_str(), &step["skip_when"]), (is_sent, &Value::Null), "{keys:?}");
            }
        }
    }

    #[test]
    fn a_rewritten_plan_reads_as_the_steps_that_were_launched() {
        let mut whatsapp = Step::of_text(Channel::WhatsApp, "wa", "-");
        whatsapp.content = Content::Template(template());
        whatsapp.fallback_after = Some("15m".parse().unwrap());
        whatsapp.hours.quiet = vec!["21:00-08:00".parse().unwrap()];
        let mut sms = Step::of_text(Channel::Sms, "sms", "Hi {{FirstName}}");
        sms.hours = whatsapp.hours.clone();
        sms.countries = Countries::Only(["SG".parse().unwrap()].into());
        sms.lanes = Pool::of_one("sms-2");
        let mut plan = Plan::of_steps(vec![whatsapp, sms]);
        plan.limits.messages = Some(50_000);
        let choice =
            Choice { by: "Tier".to_owned(), texts: [("gold".to_owned(), "20".to_owned())].into(), others: None };
        plan.values.0.insert("Off".to_owned(), ValueRule::Choice(choice));
        let filter = Some("Tier = \"gold\"".to_owned());
        let allow_countries = Some(["SG".parse().unwrap()].into());
        let (exclude, country) = (vec!["staff".to_owned()], "SG".parse().ok());
        plan.recipients = Some(RecipientRules { filter: filter.clone(), exclude, allow_countries, country });
        plan.on_missed = Some(OnMissed::Skip);
        plan.steps.iter_mut().for_each(|step| step.hours.since = NaiveDateTime::MIN.into());
        let rewritten = of_plan(&plan);
        assert!(rewritten.lost_contents.is_empty() && !rewritten.lost_values, "{rewritten:?}");
        let mut keys = rewritten.keys;
        keys.insert("audience".to_owned(), json!(["members"]));
        let draft = Draft::from_json(Value::Object(keys)).unwrap();
        let DraftRoute::Own(steps) = draft.route else { panic!("it names a route") };
        for (written, launched) in steps.iter().zip(&plan.steps) {
            assert_eq!(written.content, launched.content);
            assert_eq!((written.channel, written.fallback_after), (launched.channel, launched.fallback_after));
            assert_eq!(written.countries, launched.countries);
        }
        assert_eq!(draft.selection.map(|it| it.as_str().to_owned()), filter);
        let rules = RecipientRules {
            filter,
            exclude: draft.exclude,
            allow_countries: draft.allow_countries,
            country: draft.country.map(DefaultCountry::country),
        };
        assert_eq!((Some(rules), draft.on_missed), (plan.recipients, plan.on_missed));
        assert_eq!(draft.time_zone, Some(TimeZone::Recipients));
        assert_eq!((draft.hours.quiet, draft.values), (plan.steps[0].hours.quiet.clone(), plan.values));
        assert_eq!((draft.wanted.messages, &steps[1].lanes[..]), (Some(50_000), &["sms-2".to_owned()][..]));
    }

    #[test]
    fn contents_of_other_kinds_are_rewritten_and_what_cannot_be_is_named() {
        let buttons = vec![ReplyButton { id: "1".to_owned(), title: "Yes".to_owned() }];
        let action = InteractiveAction::Buttons(buttons);
        let asks = Interactive { header: None, body: Some("Well?".to_owned()), footer: None, action };
        let media = Media {
            kind: MediaKind::Image,
            url: "https://shop.example/a.jpg".to_owned(),
            thumbnail: None,
            duration: None,
            size: None,
        };
        let picture = RichMessage { text: Some("Look".to_owned()), media: Some(media), ..RichMessage::default() };
        let json = [("template".to_owned(), json!({"name": "promo", "language": "en"}))].into_iter().collect();
        let raw = RawContent { kind: "template".to_owned(), content: json, category: Some(Category::Utility) };
        let contents = [Content::Interactive(asks), Content::Rich(picture), Content::Raw(raw)];
        // A message without any part has no keys.
        let contents = contents.into_iter().chain([Content::Rich(RichMessage::default())]);
        let step = |content| Step { content, ..Step::of_text(Channel::WhatsApp, "wa", "-") };
        let rewritten = of_plan(&Plan::of_steps(contents.map(step).collect()));
        assert_eq!(rewritten.lost_contents, [StepIndex::new(3).unwrap()], "{rewritten:?}");
        assert_eq!(rewritten.keys["step"][3]["channel"], "WhatsApp");
    }
}
