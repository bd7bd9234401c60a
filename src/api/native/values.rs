//! Reads values that a caller has sent, and says in our own words what is wrong with one.
//!
//! The formats of serde have sentences of their own, which name types of Rust and places in a text. Here a JSON value, a query
//! and a path share one error, which is a sentence for the caller.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{self, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use crate::domain::{nearest, suggestion};

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) sentence: String,
    /// The key within the value that it is about.
    pub(super) key: Option<String>,
}

impl Wrong {
    fn of(sentence: String) -> Self {
        Self { sentence, key: None }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of(format!("{} is not {}", shown(found), wanted(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::of(format!("{length} values are not {}", wanted(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::of(format!("unknown value \"{variant}\"; {}", choose(variant, expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let sentence = match expected {
            [] => format!("there is no \"{field}\" here; remove it"),
            _ => format!("there is no \"{field}\" here; {}", choose(field, expected)),
        };
        Self { sentence, key: Some(field.to_owned()) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { sentence: format!("`{field}` is missing; add it"), key: Some(field.to_owned()) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self { sentence: format!("`{field}` is given twice; keep one"), key: Some(field.to_owned()) }
    }
}

fn choose(written: &str, known: &[&str]) -> String {
    suggestion(nearest(written, known.iter().copied()), &format!("use one of {}", known.join(", ")))
}

/// The most characters of a wrong value in a sentence.
const SHOWN_CHARS: usize = 60;

fn shown(found: Unexpected<'_>) -> Cow<'static, str> {
    let short = |text: &str| text.chars().take(SHOWN_CHARS).collect::<String>();
    match found {
        Unexpected::Bool(is) => is.to_string().into(),
        Unexpected::Unsigned(number) => number.to_string().into(),
        Unexpected::Signed(number) => number.to_string().into(),
        Unexpected::Float(number) => number.to_string().into(),
        Unexpected::Char(char) => format!("\"{char}\"").into(),
        Unexpected::Str(text) => format!("\"{}\"", short(text)).into(),
        Unexpected::Unit | Unexpected::Option => "null".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "an object".into(),
        _ => "this".into(),
    }
}

/// What was expected, without the name of a type. A type of our own says it itself.
fn wanted(expected: &dyn Expected) -> Cow<'static, str> {
    let named = expected.to_string();
    let number = |name: &str| match name {
        "u8" => Some("a whole number of at most 255"),
        "u16" => Some("a whole number of at most 65,535"),
        "u32" => Some("a whole number of at most 4,294,967,295"),
        "u64" | "u128" | "usize" => Some("a whole number from 0 on"),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => Some("a whole number"),
        "f32" | "f64" => Some("a number"),
        _ => None,
    };
    if let Some(number) = number(&named) {
        return number.into();
    }
    if let Some(number) = named.strip_prefix("a nonzero ").and_then(number) {
        return format!("{number}, and not 0").into();
    }
    match named.as_str() {
        "a string" | "a borrowed string" | "string" | "a character" => "a text".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "an object".into(),
        "unit" => "null".into(),
        "option" => "a value".into(),
        named if named.starts_with("struct ") || named.starts_with("internally tagged enum ") => "an object".into(),
        named if named.starts_with("tuple ") || named.starts_with("an array of length ") => {
            "a list of that length".into()
        }
        named if named.starts_with("enum ") || named.ends_with(" identifier") => "one of the known values".into(),
        _ => named.into(),
    }
}

/// A JSON value.
#[derive(Clone, Copy)]
pub(super) struct Json<'de>(pub(super) &'de Value);

impl<'de> IntoDeserializer<'de, Wrong> for Json<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(is) => visitor.visit_bool(*is),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(values) => {
                let mut values = SeqDeserializer::new(values.iter().map(Self));
                let read = visitor.visit_seq(&mut values)?;
                values.end()?;
                Ok(read)
            }
            Value::Object(members) => {
                let mut members = MapDeserializer::new(members.iter().map(|(key, value)| (key.as_str(), Self(value))));
                let read = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(read)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.0 {
            Value::String(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            Value::Object(members) => {
                let members = MapDeserializer::new(members.iter().map(|(key, value)| (key.as_str(), Self(value))));
                visitor.visit_enum(MapAccessDeserializer::new(members))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// A parameter of a query or of a path, which is written as a text.
#[derive(Clone)]
pub(super) struct Parameter(pub(super) String);

impl<'de> IntoDeserializer<'de, Wrong> for Parameter {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads the text as a number or as true or false, where the type wants one.
macro_rules! reads {
    ($($method:ident $visit:ident $type:ty;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(de::Error::invalid_type(Unexpected::Str(&self.0), &visitor)),
            }
        })+
    };
}

impl<'de> Deserializer<'de> for Parameter {
    type Error = Wrong;

    reads! {
        deserialize_bool visit_bool bool;
        deserialize_i8 visit_i64 i64;
        deserialize_i16 visit_i64 i64;
        deserialize_i32 visit_i64 i64;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u64 u64;
        deserialize_u16 visit_u64 u64;
        deserialize_u32 visit_u64 u64;
        deserialize_u64 visit_u64 u64;
        deserialize_f32 visit_f64 f64;
        deserialize_f64 visit_f64 f64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let variant: StringDeserializer<Wrong> = self.0.into_deserializer();
        visitor.visit_enum(variant)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The parameters of a path: the only one, or all of them in their order.
pub(super) struct PathParameters(pub(super) Vec<Parameter>);

impl<'de> Deserializer<'de> for PathParameters {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Wrong> {
        self.0.pop().unwrap_or(Parameter(String::new())).deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple_struct map struct enum identifier ignored_any
    }
}
