//! A campaign as the body of a request: the keys of a campaign file.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::base::domain::Channel;
use crate::campaigns::campaign::{Draft, LaunchError};
use crate::http::api::Shared;
use crate::http::api::native::problem::{Answer, Kind, Problem};

/// A campaign, with the keys of a campaign file.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::http::api::native) struct CampaignBody(Map<String, Value>);

/// The campaign with these keys, or every problem with it.
///
/// It names imported audiences and web addresses, never files of the server.
pub(in crate::http::api) fn draft_of(keys: Map<String, Value>, shared: &Shared) -> Answer<Draft> {
    CampaignBody(keys).draft(shared)
}

/// The key of a launch that is no key of the campaign.
const CONFIRMATION: &str = "confirm_restored";

impl CampaignBody {
    /// Takes the confirmation of a launch from the body: it may send again what was sent after the backup that was restored.
    pub(in crate::http::api::native) fn take_confirmation(&mut self) -> Answer<bool> {
        match self.0.remove(CONFIRMATION) {
            None => Ok(false),
            Some(Value::Bool(confirms)) => Ok(confirms),
            Some(_) => {
                let sentence = format!("{CONFIRMATION} is true or false");
                Err(Problem::new(Kind::Invalid, sentence).at(format!("/{CONFIRMATION}")))
            }
        }
    }

    /// The body as it was sent.
    pub(in crate::http::api::native) fn value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    pub(in crate::http::api::native) fn draft(self, shared: &Shared) -> Answer<Draft> {
        let draft = Draft::from_json(Value::Object(self.0)).map_err(LaunchError::Problems)?;
        let chosen = draft.route.choose(&shared.config).map_err(|problem| LaunchError::Problems(vec![problem]))?;
        for (index, step) in chosen.steps.iter().enumerate() {
            if let Some(file) = step.content.media().into_iter().find(|address| address.is_path()) {
                let sentence = format!(
                    "step {}: \"{}\" is the path of a file, which only `volley campaign launch` can upload; write its web \
                     address",
                    index + 1,
                    file.text
                );
                return Err(Problem::new(Kind::Invalid, sentence).at(format!("/step/{index}")));
            }
        }
        Ok(draft)
    }
}

/// The keys of a campaign that are texts, each with its meaning.
const TEXTS: [(&str, &str); 19] = [
    ("name", "Name, generated if it is missing."),
    ("where", "The recipients to send to, by their columns."),
    ("country", "Default country for numbers without a country code."),
    ("ttl", "How long messages may wait for their first submission."),
    ("at", "Start time, in `time_zone` or with an offset."),
    ("when", "What the start waits for besides its time."),
    ("end", "Latest time for a first message."),
    ("time_zone", "Time zone of its times, or `recipient`."),
    ("over", "The time over which the start is spread."),
    ("on_missed", "What happens if no server runs at the start."),
    ("on_missing_value", "What happens to recipients who lack a value."),
    ("pause_when", "The rule that pauses the campaign."),
    ("hold_paid_when", "The rule that holds the next paid step."),
    ("on_overlap", "What happens if a recipient is in another campaign."),
    ("on_unknown", "What happens to submissions with an unknown result."),
    ("after_gap", "What happens to deadlines in a time without receipts."),
    ("purpose", "What its messages are for: marketing or service."),
    ("route", "The route of the configuration, instead of steps."),
    ("sub_account", "The subaccount whose default route is used."),
];
/// The keys that are lists of texts.
const LISTS: [(&str, &str); 7] = [
    ("audience", "Names of imported audiences."),
    ("numbers", "Numbers with their country code."),
    ("exclude", "Numbers and audiences that get no message."),
    ("allow_countries", "The only countries to send to."),
    ("quiet_hours", "Hours in which nothing is sent."),
    ("send_window", "Hours in which messages are sent."),
    ("holidays", "Days on which nothing is sent."),
];

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

/// A number, or the text of one, such as with a currency.
fn number(description: &str) -> ObjectBuilder {
    let types = [Type::Integer, Type::Number, Type::String];
    ObjectBuilder::new().schema_type(types.into_iter().collect::<SchemaType>()).description(Some(description))
}

pub(super) fn max_messages() -> ObjectBuilder {
    number("Maximum number of messages.")
}

pub(super) fn budget() -> ObjectBuilder {
    number("Maximum cost.")
}

impl PartialSchema for CampaignBody {
    fn schema() -> RefOr<Schema> {
        let channels = Channel::ALL.iter().map(|channel| channel.as_str());
        let step = ObjectBuilder::new()
            .property("channel", text("The channel of the step.").enum_values(Some(channels)))
            .required("channel")
            .description(Some("A step of the route. docs/campaign-file.md lists its keys and contents."))
            .additional_properties(Some(AdditionalProperties::FreeForm(true)));
        let mut schema = ObjectBuilder::new();
        for (key, meaning) in TEXTS {
            schema = schema.property(key, text(meaning));
        }
        for (key, meaning) in LISTS {
            let list = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String));
            schema = schema.property(key, list.description(Some(meaning)));
        }
        let confirmation = ObjectBuilder::new().schema_type(Type::Boolean).description(Some(
            "Only at a launch: confirms that it may send again what was sent after the backup that was restored.",
        ));
        let values = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
        schema
            .property("max_messages", max_messages())
            .property("budget", budget())
            .property("values", values.description(Some("Variables of the campaign itself.")))
            .property(CONFIRMATION, confirmation)
            .property("step", ArrayBuilder::new().items(step).description(Some("The steps of its route, in order.")))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .examples([json!({
                "name": "November promo",
                "numbers": ["+6591234567"],
                "step": [{"channel": "SMS", "text": "Your code is 123.", "source": "ACME"}]
            })])
            .into()
    }
}

impl ToSchema for CampaignBody {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Campaign")
    }
}
