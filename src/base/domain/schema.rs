//! The schemas of plain types in the document of the API: each is written as text.

use std::borrow::Cow;

use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{
    Country, IpNetwork, KeyId, Money, Msisdn, Rate, Scope, Scopes, Span, StepIndex, StopRule, Stretch, Tier, Timestamp,
    Zone,
};

/// Gives a closed set of words its schema.
macro_rules! schema_of_words {
    ($name:ident) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let words = Self::ALL.iter().map(|word| word.as_str());
                let text = utoipa::openapi::schema::Type::String;
                utoipa::openapi::schema::ObjectBuilder::new().schema_type(text).enum_values(Some(words)).into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }
    };
}

pub(super) use schema_of_words;

/// Gives types that are written as text their schemas: a description, and an example.
macro_rules! schema_of_text {
    ($($name:ident, $description:literal, $example:literal $(, $pattern:literal)?;)+) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new().schema_type(Type::String);
                $(let text = text.pattern(Some($pattern));)?
                text.description(Some($description)).examples([$example]).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

schema_of_text! {
    Country, "Country, as two letters of ISO 3166.", "SG";
    IpNetwork, "IP address, or a network of them.", "10.0.0.0/8";
    KeyId, "Id of an API key; it is no secret.", "vk_0123456789abcdef";
    Money, "Amount of money, in the currency of the price list.", "0.0512";
    Msisdn, "Phone number with its country code (E.164).", "+6591234567", "^\\+[1-9][0-9]{6,14}$";
    Rate, "Rate: a number and a unit.", "80/s";
    Span, "Length of time.", "15m";
    StopRule, "Rule that stops a campaign.", "undelivered > 20% of the last 1000";
    Stretch, "Hours of days.", "Mon-Fri 09:00-18:00";
    Tier, "Recipients in 24 hours.", "10K";
    Zone, "Time zone.", "Asia/Singapore";
}

impl PartialSchema for Scopes {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Scope::schema()).unique_items(true).examples([["read", "send"]]).into()
    }
}

impl ToSchema for Scopes {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Scopes")
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let text = text.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        text.description(Some("Instant in UTC (RFC 3339).")).examples(["2026-12-01T09:00:00.000Z"]).into()
    }
}

impl ToSchema for Timestamp {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Timestamp")
    }
}

impl PartialSchema for StepIndex {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(Self::COUNT_MAX));
        number.description(Some("Number of a step, from 1.")).into()
    }
}

impl ToSchema for StepIndex {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("StepNumber")
    }
}
