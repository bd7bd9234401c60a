//! Problems and warnings in the words of the pages.
//!
//! The plan speaks of the keys of a campaign file. A page names the fields of these keys instead, and leaves out advice about
//! files and commands. A warning has its keys and such advice apart ([`crate::base::config::Sentence`]); in a problem they are found by
//! its words.

use std::collections::BTreeSet;
use std::ops::Range;

use super::problems::page_of;
use crate::base::config::{NamedKey, Problem};
use crate::base::domain::text::list;
use crate::campaigns::campaign::{Lint, Warning};
use crate::http::pages::{Texts, WritingPage, texts};

type Label = fn(&Texts) -> &'static str;

/// The keys of a campaign, each with the label of its field if a page has one.
const OF_CAMPAIGN: [(&str, Option<Label>); 30] = [
    ("name", Some(|t| t.review.campaign_name)),
    ("audience", Some(|t| t.step_recipients)),
    ("numbers", None),
    ("exclude", None),
    ("country", Some(|t| t.default_country)),
    ("where", Some(|t| t.filter_recipients)),
    ("allow_countries", None),
    ("ttl", Some(|t| t.ttl)),
    ("at", Some(|t| t.start_at)),
    ("when", None),
    ("end", Some(|t| t.end)),
    ("time_zone", Some(|t| t.time_zone)),
    ("over", Some(|t| t.spread)),
    ("send_window", Some(|t| t.results.send_window)),
    ("quiet_hours", Some(|t| t.quiet_hours)),
    ("holidays", Some(|t| t.results.holidays)),
    ("on_missed", None),
    ("max_messages", Some(|t| t.max_messages)),
    ("budget", Some(|t| t.budget)),
    ("pause_when", Some(|t| t.pause_when)),
    ("hold_paid_when", Some(|t| t.results.hold_paid_when)),
    ("on_overlap", None),
    ("on_unknown", None),
    ("after_gap", None),
    ("on_missing_value", None),
    ("values", None),
    ("purpose", None),
    ("route", None),
    ("sub_account", None),
    ("step", Some(|t| t.step_route)),
];

/// The keys of a step, and the same.
const OF_STEP: [(&str, Option<Label>); 38] = [
    ("channel", Some(|t| t.channel)),
    ("purpose", None),
    ("lane", Some(|t| t.lane)),
    ("lanes", None),
    ("fallback_after", Some(|t| t.fallback_after)),
    ("success_status", Some(|t| t.success_status)),
    ("receipt_window", None),
    ("ttl", None),
    ("leave_within", None),
    ("on_tier_spent", None),
    ("on_recipient_limit", None),
    ("us_marketing", None),
    ("quiet_hours", None),
    ("send_window", None),
    ("only", Some(|t| t.only_countries)),
    ("skip_when", None),
    ("max_messages", None),
    ("budget", None),
    ("text", Some(|t| t.text)),
    ("source", Some(|t| t.sender)),
    ("encoding", None),
    ("transliterate", None),
    ("image", None),
    ("video", None),
    ("audio", None),
    ("file", None),
    ("button", None),
    ("suggestions", None),
    ("template", Some(|t| t.template)),
    ("template.ttl", None),
    ("location", None),
    ("interactive", None),
    ("card", None),
    ("cards", None),
    ("card_width", None),
    ("notification", None),
    ("raw", None),
    ("line_user_id", None),
];

/// Keys that are no English words, although they have no underscore.
const NO_WORDS: [&str; 3] = ["ttl", "template.ttl", "source"];
/// What only a file or a command has. An advice with one of these is left out.
const OF_FILES: [&str; 4] = ["[[", "[step", "--", "volley "];

/// The label of a key's field; `Some(None)` if it is a key without a field.
fn label_of(key: &str, is_of_step: bool) -> Option<Option<Label>> {
    let (own, other) = if is_of_step { (&OF_STEP[..], &OF_CAMPAIGN[..]) } else { (&OF_CAMPAIGN[..], &OF_STEP[..]) };
    own.iter().chain(other).find(|(known, _)| *known == key).map(|(_, label)| *label)
}

/// A key in a sentence.
struct Mention<'a> {
    /// With the marks around it.
    at: Range<usize>,
    key: &'a str,
    label: Option<Label>,
    /// It is given a value: `text = "…"`.
    is_set: bool,
}

/// The keys in a part of a sentence: marked as such, given a value, or no English words.
fn mentions(part: &str, is_of_step: bool) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = part.get(from..).and_then(|rest| rest.find(|c: char| c.is_ascii_lowercase())) {
        let start = from + start;
        let rest = part.get(start..).unwrap_or_default();
        let length = rest.find(|c: char| !(c.is_ascii_lowercase() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
        let key = rest.get(..length).unwrap_or_default().trim_end_matches('.');
        let end = start + key.len();
        from = end.max(start + 1);
        let (before, after) = (part.get(..start).unwrap_or_default(), part.get(end..).unwrap_or_default());
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '{' | '-' | '/'))
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let Some(label) = label_of(key, is_of_step).filter(|_| is_whole) else { continue };
        let (is_marked, is_set) = (before.ends_with('`') && after.starts_with('`'), after.starts_with(" = "));
        if is_marked {
            found.push(Mention { at: start - 1..end + 1, key, label, is_set });
        } else if is_set || key.contains('_') || NO_WORDS.contains(&key) {
            found.push(Mention { at: start..end, key, label, is_set });
        }
    }
    found
}

/// Writes the labels of the fields in place of their keys.
fn labelled(part: &str, mentions: &[Mention<'_>]) -> String {
    let (mut text, mut from) = (String::new(), 0);
    for mention in mentions {
        text.push_str(part.get(from..mention.at.start).unwrap_or_default());
        match mention.label {
            Some(label) => text.push_str(&format!("\"{}\"", label(texts()))),
            None => text.push_str(mention.key),
        }
        from = mention.at.end;
    }
    text.push_str(part.get(from..).unwrap_or_default());
    text
}

/// A sentence in the words of the pages. `about` is the key that it is about, if that has no field.
fn in_words(sentence: &str, is_of_step: bool, about: Option<&str>) -> String {
    let mut without_field: BTreeSet<&str> = about.into_iter().collect();
    let mut kept = Vec::new();
    for (index, part) in sentence.split("; ").enumerate() {
        // The configuration of the server is a file for everyone.
        if part.contains("volley.toml") && !part.contains("[[") {
            kept.push(part.to_owned());
            continue;
        }
        let found = mentions(part, is_of_step);
        let needs_file = found.iter().any(|mention| mention.label.is_none() || mention.is_set);
        if index == 0 || !(needs_file || OF_FILES.iter().any(|sign| part.contains(sign))) {
            without_field.extend(found.iter().filter(|mention| mention.label.is_none()).map(|mention| mention.key));
            kept.push(labelled(part, &found));
        }
    }
    let mut text = kept.join("; ");
    if !without_field.is_empty() {
        let keys: Vec<&str> = without_field.into_iter().collect();
        text.push_str(". ");
        text.push_str(&texts().wizard.no_field(&list(&keys), keys.len()));
    }
    text
}

/// A sentence of the plan in the words of the pages, without a full stop, which the page writes.
pub(super) fn said(sentence: &str, is_of_step: bool) -> String {
    in_words(sentence.strip_suffix('.').unwrap_or(sentence), is_of_step, None)
}

/// The first word of a problem's key, which may be about a part: `template, body 2`.
fn first_word(key: &str) -> &str {
    key.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap_or_default()
}

/// A problem in the words of the pages, with the field that it is about.
pub(super) fn problem(problem: &Problem) -> String {
    let is_of_step = problem.step.is_some();
    let key = first_word(&problem.key);
    let known = label_of(key, is_of_step);
    let sentence = in_words(&problem.sentence, is_of_step, Some(key).filter(|_| matches!(known, Some(None))));
    let name = known.flatten().map_or(key, |label| label(texts()));
    let part = problem.key.get(key.len()..).unwrap_or_default();
    let sentence = format!("{name}{part}: {sentence}");
    problem.step.map_or(sentence.clone(), |step| texts().about_step(step, &sentence))
}

/// The page of a problem's field, and the field on it; `None` if no page has one.
pub(super) fn field_of(problem: &Problem) -> Option<(WritingPage, String)> {
    let key = first_word(&problem.key);
    label_of(key, problem.step.is_some())??;
    let field = problem.step.map_or_else(|| key.to_owned(), |step| format!("{step}-{key}"));
    Some((page_of(problem), field))
}

/// What the pages call a key. A maker of a sentence names only keys with a field.
fn name_of_field(key: NamedKey) -> String {
    let (key, is_of_step) = match key {
        NamedKey::OfCampaign(key) => (key, false),
        NamedKey::OfStep(key) => (key, true),
    };
    label_of(key, is_of_step).flatten().map_or_else(|| key.to_owned(), |label| format!("\"{}\"", label(texts())))
}

/// A warning in the words of the pages.
pub(super) fn warning(warning: &Warning) -> String {
    let sentence = warning.sentence.on_page(name_of_field);
    warning.step.map_or(sentence.clone(), |step| texts().about_step(step, &sentence))
}

/// The page on which the cause of a warning can be changed, and the field on it; `None` if no page can change it.
pub(super) fn field_of_warning(warning: &Warning) -> Option<(WritingPage, String)> {
    use WritingPage::{Check, Content, Review, Route, Time};
    let of_step = |key: &str| warning.step.map_or_else(String::new, |step| format!("{step}-{key}"));
    let step = || warning.step.map_or_else(String::new, |step| format!("step-{step}"));
    let of_campaign = str::to_owned;
    Some(match warning.code {
        Lint::Overlap if warning.sentence.names(NamedKey::OfStep("template.ttl")) => return None,
        Lint::Overlap
        | Lint::DeadlineMoved
        | Lint::NoDeadline
        | Lint::ShortWindow
        | Lint::LateRead
        | Lint::NothingFollows => (Route, of_step("fallback_after")),
        Lint::StepForNoRecipient | Lint::UnusedCountry => (Route, of_step("only")),
        Lint::NoStep if warning.sentence.names(NamedKey::OfCampaign("allow_countries")) => return None,
        Lint::NoStep | Lint::WithoutNumber => (Route, String::new()),
        Lint::UnevenPool | Lint::UsMarketing => (Route, step()),
        Lint::TemplateFlagged | Lint::NoOptOut => (Content, of_step("template")),
        Lint::NoSource => (Content, of_step("source")),
        Lint::EmptyVariable | Lint::SmsParts | Lint::FreeText | Lint::ParameterText | Lint::Media => (Content, step()),
        Lint::AfterTtl => (Time, of_campaign("ttl")),
        Lint::EndTooSoon => (Time, of_campaign("end")),
        Lint::StartPassed | Lint::ClockChange => (Time, of_campaign("at")),
        Lint::SmallLimit if warning.step.is_some() => return None,
        Lint::SmallLimit if warning.sentence.names(NamedKey::OfCampaign("max_messages")) => {
            (Time, of_campaign("max_messages"))
        }
        Lint::SmallLimit => (Time, of_campaign("budget")),
        Lint::RareCountry | Lint::MisreadCells => (Check, of_campaign("where")),
        Lint::NameTaken => (Review, of_campaign("name")),
        // What a setting of a lane, the provider or a key without a field decides.
        Lint::TemplateTtl | Lint::SmallTier | Lint::BatchOverBurst => return None,
        Lint::UnreadableExclude | Lint::Held | Lint::NeedsApproval => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Sentence;
    use crate::base::domain::StepIndex;

    #[test]
    fn every_key_of_a_campaign_file_is_known() {
        let guide = include_str!("../../../../../docs/campaign-file.md");
        let (_, campaign) = guide.split_once("## The campaign").unwrap();
        let (campaign, step) = campaign.split_once("## A step").unwrap();
        let step = step.split_once("\n## ").map_or(step, |(step, _)| step);
        for (section, known) in [(campaign, &OF_CAMPAIGN[..]), (step, &OF_STEP[..])] {
            let keys: Vec<&str> = section
                .lines()
                .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
                .map(|(key, _)| key)
                .collect();
            assert!(keys.len() > 20, "{keys:?}");
            for key in keys {
                assert!(known.iter().any(|(known, _)| *known == key), "{key} has neither a field nor none");
            }
        }
    }

    #[test]
    fn a_sentence_names_fields_and_leaves_out_what_needs_a_file() {
        for (sentence, is_of_step, wanted) in [
            (
                "\"9:00\" is not after `at`, so nothing could be sent; write a later time",
                false,
                "\"9:00\" is not after \"Start at\", so nothing could be sent; write a later time",
            ),
            ("a step needs content; add text = \"…\", [step.template] or [step.raw]", true, "a step needs content"),
            (
                "a campaign needs a step; add [[step]] with a channel and a text or template, or name a [[route]] of \
                 volley.toml: route = \"…\"",
                false,
                "a campaign needs a step",
            ),
            (
                "there are no prices to count it with; write [prices] file = \"prices.csv\" in volley.toml",
                false,
                "there are no prices to count it with; write [prices] file = \"prices.csv\" in volley.toml",
            ),
            ("unknown column \"ttl\"; did you mean \"text\"?", false, "unknown column \"ttl\"; did you mean \"text\"?"),
        ] {
            assert_eq!(said(sentence, is_of_step), wanted);
        }
    }

    #[test]
    fn a_problem_names_its_field_and_leads_to_it() {
        let of = |step: bool, key: &str, sentence: &str| {
            let of = Problem::new(step.then_some(StepIndex::FIRST), key, sentence);
            (problem(&of), field_of(&of))
        };
        let (text, field) = of(true, "fallback_after", "\"soon\" is not a length of time");
        assert_eq!(text, "step 1: Falls back after: \"soon\" is not a length of time");
        assert_eq!(field, Some((WritingPage::Route, "1-fallback_after".to_owned())));
        let (text, field) = of(false, "over", "is too long");
        assert_eq!(text, "Spread first messages over: is too long");
        assert_eq!(field, Some((WritingPage::Time, "over".to_owned())));
        let (text, field) = of(false, "on_missed", "\"never\" is not known; write start or wait");
        assert!(text.ends_with("The pages have no field for on_missed: a campaign file can set it"), "{text}");
        assert_eq!(field, None);
        let (text, _) = of(true, "template, body 2", "is empty");
        assert_eq!(text, "step 1: Template, body 2: is empty");
    }

    #[test]
    fn a_warning_names_fields_and_links_only_to_one_that_helps() {
        let of = |code, step: bool, sentence: Sentence| {
            let of = Warning { code, step: step.then_some(StepIndex::FIRST), sentence };
            (warning(&of), field_of_warning(&of))
        };
        let sentence =
            Sentence::new("may get both").for_files("; set on_overlap").for_pages("; let it fall back later");
        let (text, field) = of(Lint::Overlap, true, sentence);
        assert_eq!(text, "step 1: may get both; let it fall back later");
        assert_eq!(field, Some((WritingPage::Route, "1-fallback_after".to_owned())));
        let by_template = Sentence::new("may get both").key_without_field(NamedKey::OfStep("template.ttl"), "");
        assert_eq!(of(Lint::Overlap, true, by_template).1, None);
        let (text, field) = of(Lint::SmallLimit, false, Sentence::new("").key("max_messages").text(" allows 2 of 3"));
        assert_eq!(text, "\"Maximum number of messages\" allows 2 of 3");
        assert_eq!(field, Some((WritingPage::Time, "max_messages".to_owned())));
        let own = Sentence::new("").key_without_field(NamedKey::OfStep("max_messages"), "the step's own limit");
        assert_eq!(of(Lint::SmallLimit, true, own), ("step 1: the step's own limit".to_owned(), None));
        let not_allowed = Sentence::new("").key_without_field(NamedKey::OfCampaign("allow_countries"), "the list");
        assert_eq!(of(Lint::NoStep, false, not_allowed).1, None);
        assert_eq!(of(Lint::TemplateTtl, true, "the TTL is odd".into()).1, None);
    }
}
