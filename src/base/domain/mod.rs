//! Plain types that cannot hold invalid values: the vocabulary of Volley, without behavior.
//!
//! In: text and numbers from files, requests and rows, each through one checked constructor (`parse`, `FromStr`,
//! `TryFrom`).
//! Out: values that every other room may trust without checking again.
//! Promises: no I/O, no clock, no async, no SQL; every type prints in a readable form and parses what it prints.
//! May not: use any other room.

mod address;
mod address_key;
mod alert;
mod api;
mod audit;
mod byte_size;
mod causes;
mod channel;
mod channel_user;
mod charge;
mod columns;
mod content;
mod countries;
mod doubt;
mod effort;
mod extras;
mod fault_report;
mod fields;
pub mod formula;
mod guard;
mod histogram;
mod hours;
mod id;
mod ip_network;
mod json;
mod key_id;
mod language;
mod learned_spellings;
mod letters;
mod marks;
mod meaning;
mod media;
mod message;
mod money;
mod number;
mod object_name;
mod outcome;
mod pace;
mod phrase;
mod plan;
mod pool;
mod price;
mod progress;
mod queue;
mod recipient;
mod region;
mod schema;
mod scope;
mod server_limit;
mod sketch_id;
mod spellings;
mod stable_hash;
mod suggest;
mod takers;
mod tally;
pub mod text;
mod time;
mod umid;
mod unnumbered;
mod us_marketing;
mod values;
mod wish;
mod word;
mod zone;

pub use address::{Address, AddressFields, InvalidAddress};
pub use address_key::{AddressKey, InvalidAddressKey};
pub use alert::{AlertForm, AlertKind};
pub use api::MessagingApi;
pub use audit::AuditAction;
pub use byte_size::{ByteSize, InvalidByteSize};
pub use causes::Causes;
pub use channel::{Channel, Status};
pub use channel_user::{ChannelUser, InvalidChannelUser};
pub use charge::Charge;
pub use columns::{ColumnError, find_column};
pub use content::{
    Button, ButtonAction, Card, CardHeight, CardOrientation, CardWidth, Carousel, Category, Content, ContentPart,
    FlowAction, FlowMode, Header, Interactive, InteractiveAction, InteractiveHeader, Labelled, LinkButton, ListRow,
    ListSection, Location, Media, MediaKind, Notification, NotificationLink, ProductSection, RawContent, ReplyButton,
    RichCard, RichMessage, SmsEncoding, Suggestion, SuggestionAction, TEMPLATE_NAME_MAX, TemplateCard, TemplateContent,
    TemplateName, ThumbnailSide, VoiceCall, ZaloTemplate, is_reserved, is_template_language, is_template_name,
    refused_in_a_parameter,
};
pub use countries::Countries;
pub use doubt::DoubtCause;
pub use effort::count_steps;
#[cfg(test)]
pub use effort::steps_of;
pub use extras::{Extras, point_at};
pub use fault_report::FaultReport;
pub use fields::{Fields, InvalidFields, push_json_escaped, push_json_string};
pub use guard::{InvalidStopRule, StopRule};
pub use histogram::{Histogram, HistogramFigures};
pub use hours::{ClosedBy, Hours, InvalidStretch, OpenMinutes, Stretch, closed_days, instant, local, with_offset};
pub use id::{AttemptId, AudienceId, BatchId, CampaignId, InvalidId, LaneId, MessageId, MessageKey, StepIndex, Tag};
pub use ip_network::{InvalidIpNetwork, IpNetwork};
pub use json::has_private_key;
pub use key_id::{InvalidKeyId, KeyId};
pub use language::Language;
pub use learned_spellings::LearnedSpellings;
pub use letters::base_letter;
pub use marks::{Ending, Marks};
pub use meaning::{Meaning, column_key, is_mark};
pub use media::{MediaAddress, Reachable};
pub use message::{Loaded, Present, Refused, State};
pub use money::{AmbiguousMoney, InvalidMoney, Limits, Money};
pub use number::{Country, InvalidCountry, InvalidMsisdn, Msisdn};
pub use object_name::object_name;
pub use outcome::{BatchState, Fault, Outcome, Reasons, RefusalSubject, SenderPart, SkipReason};
pub use pace::{InvalidPace, OverridableSetting, Portion, Rate, Tier};
pub use phrase::{InvalidPhrase, Phrase};
pub use plan::{
    AfterGap, ApiCalls, BeginsWhen, Cost, OnMissed, OnMissingValue, OnOverlap, OnRecipientLimit, OnTierSpent,
    OnUnknown, Plan, RecipientRules, Step, UsMarketing,
};
pub use pool::{InvalidPool, Member, Pool, Sources};
pub use price::{
    Allowance, Charged, Fee, Free, PriceOf, Prices, Settlement, SettlementKind, Spent, Tariff, fee, settle,
};
pub use progress::Progress;
pub use queue::Queue;
pub use recipient::Recipient;
pub use region::{countries_with_regions, usual_zone, zone_of, zones_of};
pub use scope::{Scope, Scopes};
pub use server_limit::ServerLimit;
pub use sketch_id::{InvalidSketchId, SketchId};
pub use stable_hash::{mixed, stable_hash};
pub use suggest::{hint, nearest, suggestion};
pub use takers::{Crowd, Taker, Takers, by_country, crowd_of};
pub use tally::{Count, Tallies};
pub use text::{grouped, plural, size};
pub use time::{InvalidSpan, Span, Timestamp, rfc3339, rfc3339_option};
pub use umid::Umid;
pub use unnumbered::without_numbers;
pub use values::{Choice, Names, ValueRule, Values};
pub use wish::{Heeds, Keyword, OptOutOf, OptOutSource, Purpose, Unwanted, WishSenders, WishSubject};
pub use word::UnknownWord;
pub use zone::Zone;
