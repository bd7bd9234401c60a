//! The price list: a CSV file with one line for each channel, optionally by country and category.

use std::path::{Path, PathBuf};

use crate::base::domain::{Allowance, Channel, Charged, Content, Country, Free, Money, PriceOf, Prices, Tariff};

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceLine {
    pub of: PriceOf,
    pub price: Money,
    /// When the provider charges it.
    pub charged: Charged,
    pub free: Option<Free>,
}

impl PriceLine {
    fn tariff(&self) -> Tariff {
        let allowance = self.free.map(|free| Allowance { of: self.of, free });
        Tariff { price: self.price, charged: self.charged, allowance }
    }
}

/// A price list, as in its file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceList {
    pub file: PathBuf,
    pub currency: Option<String>,
    /// In the order of the file.
    pub lines: Vec<PriceLine>,
}

#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    #[error("the price list {} cannot be read; check `file` under [prices] in volley.toml", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}, line {line}: {sentence}", file.display())]
    Line { file: PathBuf, line: u64, sentence: String },
}

/// A line that begins with it is a remark.
const COMMENT: char = '#';

/// The columns that a list may have, in any order. `channel` and `price` are required.
const COLUMNS: [&str; 8] =
    ["channel", "country", "category", "currency", "price", "charged", "free_a_month", "free_in_window"];

impl PriceList {
    pub fn load(file: &Path) -> Result<Self, PriceError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| PriceError::Read { file: file.to_owned(), source })?;
        Self::read(file, &text)
    }

    pub fn read(file: &Path, text: &str) -> Result<Self, PriceError> {
        let wrong = |line: u64, sentence: String| PriceError::Line { file: file.to_owned(), line, sentence };
        let text = text.trim_start_matches('\u{feff}');
        let header = text.lines().find(|line| !line.starts_with(COMMENT)).unwrap_or_default();
        let delimiter = [b',', b';', b'\t'].into_iter().find(|byte| header.as_bytes().contains(byte)).unwrap_or(b',');
        let mut format = csv::ReaderBuilder::new();
        let format = format.delimiter(delimiter).trim(csv::Trim::All).comment(u8::try_from(COMMENT).ok());
        let mut reader = format.from_reader(text.as_bytes());
        let broken = |error: &csv::Error| {
            wrong(
                error.position().map_or(1, csv::Position::line),
                "has another number of columns than the first line".to_owned(),
            )
        };
        let names: Vec<String> =
            reader.headers().map_err(|error| broken(&error))?.iter().map(str::to_lowercase).collect();
        let strange = names.iter().find(|name| !COLUMNS.contains(&name.as_str()));
        if let Some(strange) = strange {
            return Err(wrong(1, format!("unknown column \"{strange}\"; use one of {}", COLUMNS.join(", "))));
        }
        let position = |name: &str| names.iter().position(|known| known == name);
        let (Some(channel), Some(price)) = (position("channel"), position("price")) else {
            return Err(wrong(
                1,
                "a price list needs the columns channel and price, and may have country, category, currency, charged, free_a_month and free_in_window"
                    .to_owned(),
            ));
        };
        let (country, category, currency) = (position("country"), position("category"), position("currency"));
        let [charged, a_month, in_window] = ["charged", "free_a_month", "free_in_window"].map(position);
        let mut list = Self { file: file.to_owned(), ..Self::default() };
        for row in reader.records() {
            let row = row.map_err(|error| broken(&error))?;
            let line = line_of(text, row.position().map_or(1, csv::Position::line));
            let cell =
                |column: Option<usize>| column.and_then(|n| row.get(n)).filter(|cell| !matches!(*cell, "" | "*"));
            let wrong = |error: &dyn std::fmt::Display| wrong(line, error.to_string());
            let channel: Channel = cell(Some(channel)).unwrap_or_default().parse().map_err(|error| wrong(&error))?;
            let said: Option<Charged> = cell(charged).map(str::parse).transpose().map_err(|error| wrong(&error))?;
            if channel == Channel::Sms && said == Some(Charged::Delivery) {
                return Err(wrong(&"charges an SMS for its delivery, but every SMS is charged when it is submitted"));
            }
            let number = |column| cell(column).map(|cell| number(cell).map_err(|error| wrong(&error))).transpose();
            let free = match (number(a_month)?, number(in_window)?) {
                (Some(_), Some(_)) => {
                    return Err(wrong(&"has both free_a_month and free_in_window; write one of them"));
                }
                (a_month, in_window) => a_month.map(Free::AMonth).or(in_window.map(Free::InWindow)),
            };
            if matches!(free, Some(Free::InWindow(_))) && channel != Channel::WhatsApp {
                return Err(wrong(&"has free_in_window, but only recipients on WhatsApp open a window"));
            }
            if free.is_some() && channel == Channel::Sms {
                return Err(wrong(&"has free messages, but an SMS is charged by its parts; write a price of 0"));
            }
            let of = PriceOf {
                channel,
                category: cell(category).map(str::parse).transpose().map_err(|error| wrong(&error))?,
                country: cell(country).map(country_of).transpose().map_err(|error| wrong(&error))?,
            };
            let price = cell(Some(price)).unwrap_or_default().parse().map_err(|error| wrong(&error))?;
            if list.lines.iter().any(|other: &PriceLine| other.of == of) {
                return Err(wrong(&"repeats an earlier line; remove one of them"));
            }
            let read = PriceLine { of, price, charged: said.unwrap_or(Charged::usual(channel)), free };
            if let Some(currency) = cell(currency).map(str::to_uppercase) {
                match &list.currency {
                    Some(other) if *other != currency => {
                        return Err(wrong(&format_args!(
                            "is in {currency}, but other lines are in {other}; a price list has one currency"
                        )));
                    }
                    Some(_) | None => list.currency = Some(currency),
                }
            }
            list.lines.push(read);
        }
        Ok(list)
    }

    /// The prices of a step. A line that names the category takes precedence over one that does not.
    pub fn of(&self, channel: Channel, content: &Content) -> Prices {
        let category = content.category();
        let mut prices = Prices::default();
        for precise in [false, true] {
            let fits = |line: &&PriceLine| {
                line.of.channel == channel
                    && if precise {
                        line.of.category.is_some() && line.of.category == category
                    } else {
                        line.of.category.is_none()
                    }
            };
            if let Some(line) = self.lines.iter().filter(fits).find(|line| line.of.country.is_none()) {
                // A line for the category without a country takes precedence over a line for a country without the
                // category.
                prices = Prices { others: Some(line.tariff()), ..Prices::default() };
            }
            let named = self.lines.iter().filter(fits).filter_map(|line| Some((line.of.country?, line.tariff())));
            prices.by_country.extend(named);
        }
        prices
    }
}

/// The line of a record that the reader has found at this line or after remarks and empty lines there.
fn line_of(text: &str, found: u64) -> u64 {
    let rest = text.lines().skip(usize::try_from(found.saturating_sub(1)).unwrap_or(usize::MAX));
    found + rest.take_while(|line| line.trim().is_empty() || line.starts_with(COMMENT)).count() as u64
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no number of free messages; write one such as 1000"))
}

fn country_of(code: &str) -> Result<Country, String> {
    Country::by_code(code).ok_or_else(|| format!("unknown country \"{code}\"; write a two-letter code such as SG"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Step;

    fn list(text: &str) -> Result<PriceList, String> {
        PriceList::read(Path::new("prices.csv"), text).map_err(|error| error.to_string())
    }

    fn template(category: &str) -> Content {
        let text = format!(r#"{{"template": {{"name": "promo", "language": "en", "category": "{category}"}}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_most_specific_line_counts() {
        let list = list(
            "Channel,Country,Category,Price,Currency\nSMS,SG,,0.04,EUR\nSMS,*,,0.09,eur\nWhatsApp,,MARKETING,0.07,\n\
             WhatsApp,SG,marketing,0.05,\nWhatsApp,SG,,0.01,\nViber,,,0.02,\n",
        );
        let list = list.unwrap();
        let of = |channel, content: &Content, code: &str| {
            list.of(channel, content).of(code.parse().unwrap()).map(|tariff| tariff.price.to_string())
        };
        let text = Step::of_text(Channel::Sms, "sms", "Hi").content;
        for (channel, content, code, price) in [
            (Channel::Sms, &text, "MY", Some("0.09")),
            (Channel::WhatsApp, &template("MARKETING"), "SG", Some("0.05")),
            (Channel::WhatsApp, &template("MARKETING"), "MY", Some("0.07")),
            (Channel::WhatsApp, &template("UTILITY"), "SG", Some("0.01")),
            (Channel::WhatsApp, &template("UTILITY"), "MY", None),
            (Channel::Viber, &text, "MY", Some("0.02")),
            (Channel::Rcs, &text, "MY", None),
        ] {
            assert_eq!(of(channel, content, code).as_deref(), price, "{channel} {code}");
        }
        assert_eq!(list.currency.as_deref(), Some("EUR"));
    }

    #[test]
    fn whatsapp_is_charged_for_deliveries_unless_the_list_says_otherwise() {
        let list = list(
            "# An example.\nchannel,country,price,charged\nWhatsApp,,0.07,\nWhatsApp,SG,0.05,submission\nViber,,0.02,\n\
             Viber,SG,0.01,delivery\nSMS,,0.04,\n",
        );
        let list = list.unwrap();
        let text = Step::of_text(Channel::Sms, "sms", "Hi").content;
        for (channel, code, charged) in [
            (Channel::WhatsApp, "MY", Charged::Delivery),
            (Channel::WhatsApp, "SG", Charged::Submission),
            (Channel::Viber, "MY", Charged::Submission),
            (Channel::Viber, "SG", Charged::Delivery),
            (Channel::Sms, "SG", Charged::Submission),
        ] {
            assert_eq!(list.of(channel, &text).of(code.parse().unwrap()).unwrap().charged, charged, "{channel} {code}");
        }
    }

    #[test]
    fn the_sample_is_an_example_in_which_whatsapp_costs_something_and_what_is_delivered_counts() {
        let text = include_str!("../../../samples/prices.csv");
        assert!(text.starts_with("# An example of "), "an example, with its date: {text}");
        let list = list(text).unwrap();
        let free_form = Step::of_text(Channel::WhatsApp, "wa", "Hi").content;
        let templates = ["UTILITY", "AUTHENTICATION", "MARKETING"].map(template);
        let contents: Vec<Content> = std::iter::once(free_form).chain(templates).collect();
        for (content, code) in contents.iter().flat_map(|content| ["SG", "MY", "US"].map(|code| (content, code))) {
            let price = list.of(Channel::WhatsApp, content).of(code.parse().unwrap()).unwrap();
            assert!(!price.price.is_zero() && price.charged == Charged::Delivery, "{code}: {content:?} {price:?}");
        }
    }

    #[test]
    fn an_invalid_list_names_the_line_and_the_problem() {
        for (text, sentence) in [
            ("", "prices.csv, line 1: a price list needs the columns channel and price"),
            ("channel,prize\n", "line 1: unknown column \"prize\"; use one of channel"),
            ("channel;price\nSMS;0,04\n", "line 2: \"0,04\" is not an amount of money"),
            ("channel,price\nSMSS,0.04\n", "line 2: unknown channel \"SMSS\""),
            ("channel,country,price\nSMS,UK,0.04\n", "line 2: unknown country \"UK\""),
            ("# Ours\nchannel,price\n# of May\nSMSS,0.04\n", "line 4: unknown channel \"SMSS\""),
            (
                "channel,price,charged\nViber,1,read\n",
                "line 2: unknown charge \"read\"; use one of submission, delivery",
            ),
            ("channel,price,free_a_month\nViber,1,many\n", "line 2: \"many\" is no number of free messages"),
            ("channel,price,free_a_month\nSMS,1,9\n", "line 2: has free messages, but an SMS is charged by its parts"),
            (
                "channel,price,free_in_window\nViber,1,9\n",
                "line 2: has free_in_window, but only recipients on WhatsApp",
            ),
            ("channel,price,free_a_month,free_in_window\nWhatsApp,1,9,9\n", "line 2: has both free_a_month and"),
            ("channel,price,charged\nSMS,1,delivery\n", "line 2: charges an SMS for its delivery"),
            ("channel,price\nSMS,0.04\nSMS,0.05\n", "line 3: repeats an earlier line"),
            ("channel,price\nSMS\n", "line 2: has another number of columns"),
            ("channel,price,currency\nSMS,1,EUR\nViber,1,USD\n", "line 3: is in USD, but other lines are in EUR"),
        ] {
            let error = list(text).unwrap_err();
            assert!(error.contains(sentence), "{text}\n  gave: {error}\n  want: {sentence}");
        }
    }
}
