//! Requests to the provider: one message, or a batch.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content::Content;
use super::loose;
use super::text::{Hidden, Text};
use crate::base::domain::{Channel, ChannelUser, Msisdn};

/// The body of `POST …/messages`, and one entry of a batch. All keys are optional, because a batch entry may use the
/// defaults of its batch. The receiver of the request checks what is required.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SendRequest<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<Text<'a>>,
    #[serde(borrow, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub channels: Vec<ChannelStep<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub dlr_callback_url: Option<Text<'a>>,
    /// A quoted message; passed on unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Value>,
}

impl SendRequest<'_> {
    /// The known channels of its steps, in order. Without any, the subaccount's own route applies.
    pub fn known_channels(&self) -> impl Iterator<Item = Channel> {
        self.channels.iter().filter_map(ChannelStep::known)
    }

    pub fn msisdn(&self) -> Option<Msisdn> {
        self.user.as_ref().and_then(User::number)
    }
}

impl fmt::Debug for SendRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRequest")
            .field("user", &self.user)
            .field("client_message_id", &self.client_message_id)
            .field("kind", &self.kind)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

/// A recipient: by number or by channel user id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub channel_user_id: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub line_user_id: Option<Hidden<'a>>,
    /// The recipient's name on the channel; only in inbound messages.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub name: Option<Hidden<'a>>,
}

impl User<'_> {
    /// The number in E.164: `msisdn`, else a `channelUserId` of digits, which is the same number on WhatsApp.
    pub fn number(&self) -> Option<Msisdn> {
        let parse = |text: &Option<Hidden<'_>>| text.as_ref().and_then(|text| text.parse().ok());
        parse(&self.msisdn).or_else(|| parse(&self.channel_user_id))
    }

    /// The number by which the channel knows the recipient. WhatsApp's is a `channelUserId` of digits, which may differ from
    /// the number that was written to.
    pub fn channel_number(&self, channel: Option<Channel>) -> Option<Msisdn> {
        let parse = |text: &Option<Hidden<'_>>| text.as_ref().and_then(|text| text.parse().ok());
        match channel {
            Some(Channel::WhatsApp) => parse(&self.channel_user_id).or_else(|| parse(&self.msisdn)),
            Some(Channel::Line) => None,
            _ => parse(&self.msisdn),
        }
    }

    /// The recipient's channel user id, if it is not a number: a WhatsApp user id or a LINE id. It must have the right form: a
    /// mask or a placeholder is shared by many recipients and would merge them.
    pub fn user_id(&self) -> Option<&str> {
        let is_id = |id: &&str| ChannelUser::channel_of(id).is_some();
        [&self.channel_user_id, &self.line_user_id].into_iter().filter_map(|id| id.as_deref()).find(is_id)
    }
}

/// One step of the provider's own fallback. Volley sends exactly one, without `fallbackAfter` and `successStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelStep<'a> {
    #[serde(borrow)]
    pub channel: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Text<'a>>,
    /// Seconds, 10 to 86,400.
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub fallback_after: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub success_status: Option<Text<'a>>,
}

impl ChannelStep<'_> {
    pub fn known(&self) -> Option<Channel> {
        super::channel(&self.channel)
    }
}

/// The body of `POST …/messages/batch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchRequest<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_batch_id: Option<Text<'a>>,
    /// Without it the answer has only counts.
    #[serde(deserialize_with = "loose::nothing_is_default")]
    pub include_messages_in_response: bool,
    /// Defaults for keys that a message lacks; not a WhatsApp template, in spite of its name.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub template: Option<BatchDefaults<'a>>,
    #[serde(borrow, deserialize_with = "loose::messages")]
    pub messages: Vec<SendRequest<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchDefaults<'a> {
    #[serde(borrow, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub dlr_callback_url: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub channels: Vec<ChannelStep<'a>>,
}

impl<'a> BatchRequest<'a> {
    /// The messages, each with the batch's defaults for the keys that it lacks.
    pub fn into_messages(self) -> Vec<SendRequest<'a>> {
        let Some(defaults) = self.template else { return self.messages };
        let mut messages = self.messages;
        for message in &mut messages {
            if message.kind.is_none() {
                message.kind.clone_from(&defaults.kind);
            }
            if message.content.is_none() {
                message.content.clone_from(&defaults.content);
            }
            if message.dlr_callback_url.is_none() {
                message.dlr_callback_url.clone_from(&defaults.dlr_callback_url);
            }
            if message.scheduled.is_none() {
                message.scheduled.clone_from(&defaults.scheduled);
            }
            if message.expiry.is_none() {
                message.expiry.clone_from(&defaults.expiry);
            }
            if message.channels.is_empty() {
                message.channels.clone_from(&defaults.channels);
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::wire::{Component, Parameter, Template};

    #[test]
    fn a_template_send_is_read_with_numbers_as_text() {
        let body = r#"{"user":{"msisdn":"+6591234567"},"clientMessageId":"c1-42","type":"Template","extra":[1],
            "content":{"template":{"name":"order_v1","language":"en_US","components":[
              {"type":"header","parameters":[{"type":"image","url":"https://media.example/a.png"}]},
              {"type":"body","parameters":[{"type":"text","text":"Jason"}]},
              {"type":"button","index":"0","subType":1,"parameters":[{"type":"text","text":"abc"}]}]},
             "sms":{"encoding":"AUTO","source":"SHOP"}},
            "channels":[{"channel":"whatsApp","fallbackAfter":"900","successStatus":"Delivered"},{"channel":"SMS"}]}"#;
        let send: SendRequest<'_> = serde_json::from_str(body).unwrap();
        assert_eq!(send.msisdn().unwrap().get(), 6_591_234_567);
        assert_eq!(send.known_channels().collect::<Vec<_>>(), [Channel::WhatsApp, Channel::Sms]);
        assert_eq!(send.channels[0].fallback_after, Some(900));
        let template = send.content.as_ref().unwrap().template.as_ref().unwrap();
        assert_eq!(template.components[2].index, Some(0));
        assert_eq!(template.components[2].sub_type.as_deref(), Some("1"));
        assert!(send.client_message_id.as_ref().unwrap().is_borrowed());
        assert!(!format!("{send:?}").contains("91234567"), "a number printed");
    }

    #[test]
    fn a_send_is_written_as_the_schema_spells_it() {
        let send = SendRequest {
            user: Some(User { msisdn: Some("+6591234567".into()), ..User::default() }),
            client_message_id: Some("att_1".into()),
            kind: Some("template".into()),
            content: Some(Content {
                template: Some(Template {
                    name: "promo".into(),
                    language: "en".into(),
                    components: vec![Component {
                        kind: "button".into(),
                        index: Some(0),
                        sub_type: Some("url".into()),
                        parameters: vec![Parameter {
                            kind: "text".into(),
                            text: Some("x".into()),
                            ..Parameter::default()
                        }],
                        ..Component::default()
                    }],
                }),
                ..Content::default()
            }),
            channels: vec![ChannelStep { channel: "WhatsApp".into(), ..ChannelStep::default() }],
            ..SendRequest::default()
        };
        assert_eq!(
            serde_json::to_string(&send).unwrap(),
            r#"{"user":{"msisdn":"+6591234567"},"clientMessageId":"att_1","type":"template","content":{"template":{"name":"promo","language":"en","components":[{"type":"button","index":0,"subType":"url","parameters":[{"type":"text","text":"x"}]}]}},"channels":[{"channel":"WhatsApp"}]}"#
        );
    }

    #[test]
    fn batch_defaults_fill_only_the_missing_keys_of_a_message() {
        let body = r#"{"includeMessagesInResponse":true,
            "template":{"type":"text","content":{"text":"default"},"channels":[{"channel":"SMS"}]},
            "messages":[{"user":{"msisdn":"+6500000000"}},
                        {"user":{"msisdn":"+6500000001"},"content":{"text":"own"},"channels":[{"channel":"Viber"}]}]}"#;
        let batch: BatchRequest<'_> = serde_json::from_str(body).unwrap();
        assert!(batch.include_messages_in_response);
        let messages = batch.into_messages();
        let text = |n: usize| messages[n].content.as_ref().unwrap().text.as_deref().unwrap();
        assert_eq!((text(0), text(1)), ("default", "own"));
        assert_eq!(messages[0].known_channels().next(), Some(Channel::Sms));
        assert_eq!(messages[1].known_channels().next(), Some(Channel::Viber));
        assert_eq!(messages[1].kind.as_deref(), Some("text"));
    }
}
