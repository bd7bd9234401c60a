//! Reads values that a caller has sent, and says in our own words what is wrong with one.
//!
//! The formats of serde have sentences of their own, which name types of Rust and places in a text. Here a JSON value, a query
//! and a path share one error, which is a sentence for the caller.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::extract::{escaped, pointer};
use super::problem::{Answer, Kind, Problem};
use crate::base::domain::{has_private_key, hint};

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
        Self::of(format!("unknown value \"{variant}\"; {}", hint(variant, expected.iter().copied())))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let sentence = match expected {
            [] => format!("there is no \"{field}\" here; remove it"),
            _ => format!("there is no \"{field}\" here; {}", hint(field, expected.iter().copied())),
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

/// The most characters of a wrong value in a sentence.
const SHOWN_CHARS: usize = 60;

fn shown(found: Unexpected<'_>) -> Cow<'static, str> {
    let short = |text: &str| text.chars().take(SHOWN_CHARS).collect::<String>();
    match found {
        Unexpected::Bool(is) => is.to_string().into(),
        Unexpected::Unsigned(number) => number.to_string().into(),
        Unexpected::Signed(number) => number.to_string().into(),
        Unexpected::Float(number) => format!("{number:?}").into(),
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
        "u64" | "u128" | "usize" => Some("a whole number of at most 18,446,744,073,709,551,615"),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => Some("a whole number of at most 9,223,372,036,854,775,807"),
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
        "enum" => "one of the known values".into(),
        named if named.starts_with("enum ") || named.ends_with(" identifier") => "one of the known values".into(),
        _ => named.into(),
    }
}

/// Reads a JSON text of a caller: each key of an object once, and at most 128 levels.
pub(super) fn read(bytes: &[u8]) -> Answer<Value> {
    let twice = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let read = Once(&twice).deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let value = match (read, twice.into_inner()) {
        (Err(_), Some(key)) => {
            let pointer = format!("{}/{}", pointer(&track.path()), escaped(&key));
            let sentence = format!("the key \"{key}\" is given twice; keep one");
            return Err(Problem::new(Kind::Invalid, sentence).at(pointer));
        }
        (read, _) => read.and_then(|value| json.end().map(|()| value)).map_err(|error| invalid_json(&error))?,
    };
    // It could be read here, but not where a type has a value of any shape.
    if has_private_key(bytes) {
        return Err(Problem::new(Kind::Invalid, "a key begins with `$serde_json::private::`; rename it"));
    }
    Ok(value)
}

fn invalid_json(error: &serde_json::Error) -> Problem {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early".to_owned(),
        _ => format!("it cannot be read from line {}, character {} on", error.line(), error.column()),
    };
    let hint = "a number may be too large, or there may be more than 128 levels";
    Problem::new(Kind::InvalidJson, format_args!("the body is not valid JSON: {what}; {hint}"))
}

/// Reads any JSON value, and notes a key that an object has twice.
#[derive(Clone, Copy)]
struct Once<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(is.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                *self.0.borrow_mut() = Some(key);
                return Err(de::Error::custom("a key is given twice"));
            }
            let value = members.next_value_seed(self)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
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
            Value::Object(members) if members.len() == 1 => {
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
