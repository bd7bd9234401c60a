//! Which page and which field a problem of a campaign belongs to.

use super::document::Keys;
use super::words;
use crate::base::config::Problem;
use crate::http::pages::{Field, StepFields, WritingPage};

/// Keys of the campaign by their page. The others, such as those of the audience, belong to the recipients.
const OF_CHECK: [&str; 1] = ["where"];
const OF_TIME: [&str; 14] = [
    "at",
    "when",
    "end",
    "time_zone",
    "over",
    "quiet_hours",
    "send_window",
    "holidays",
    "on_missed",
    "ttl",
    "max_messages",
    "budget",
    "pause_when",
    "hold_paid_when",
];
/// Keys of a step that are on the page of the route. The others are its content.
const OF_ROUTE: [&str; 8] =
    ["channel", "lane", "lanes", "fallback_after", "success_status", "only", "skip_when", "receipt_window"];

/// The page on which a problem is mended.
pub(super) fn page_of(problem: &Problem) -> WritingPage {
    let is_of = |keys: &[&str]| keys.iter().any(|key| is_about(&problem.key, key));
    match problem.step {
        Some(_) if is_of(&OF_ROUTE) => WritingPage::Route,
        Some(_) => WritingPage::Content,
        None if is_of(&OF_CHECK) => WritingPage::Check,
        None if is_of(&OF_TIME) => WritingPage::Time,
        None if is_of(&["step", "route"]) => WritingPage::Route,
        None if is_of(&["name"]) => WritingPage::Review,
        None => WritingPage::Recipients,
    }
}

/// Whether a content was begun: a key of the step belongs neither to the route nor to the sender.
pub(super) fn has_content(step: &Keys) -> bool {
    step.0.keys().any(|key| key != "source" && !OF_ROUTE.contains(&key.as_str()))
}

/// Whether a problem's key is this one, or a part of it: `template, body 2` is about `template`.
fn is_about(problem: &str, key: &str) -> bool {
    problem
        .strip_prefix(key)
        .is_some_and(|rest| rest.is_empty() || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Puts each problem of a page beside its field: of the campaign's own fields, those whose name is its key. Returns the
/// others.
pub(super) fn beside<'a>(fields: &mut [Field], problems: impl Iterator<Item = &'a Problem>) -> Vec<String> {
    let mut rest = Vec::new();
    for problem in problems {
        // The field with the longest name that fits: `template_body` for `template, body 2`.
        let key = problem.key.replace(", ", "_").replace(' ', "_");
        let own = |field: &&mut Field| {
            let name = field.name.rsplit('-').next().unwrap_or_default();
            is_about(&key, name) || key.starts_with(&format!("{name}_"))
        };
        match fields.iter_mut().filter(own).max_by_key(|field| field.name.len()) {
            Some(field) if field.problem.is_none() => {
                field.problem = Some(words::said(&problem.sentence, problem.step.is_some()));
            }
            _ => rest.push(words::problem(problem)),
        }
    }
    rest
}

/// The same for the fields of the steps.
pub(super) fn beside_steps(steps: &mut [StepFields], problems: &[Problem], page: WritingPage) {
    for step in steps {
        let own = problems.iter().filter(|problem| {
            page_of(problem) == page && problem.step.is_some_and(|index| index.index() + 1 == step.number)
        });
        step.problems = beside(&mut step.fields, own);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::base::domain::StepIndex;
    use crate::campaigns::campaign::Draft;

    fn problem(step: bool, key: &str) -> Problem {
        Problem::new(step.then_some(StepIndex::FIRST), key, format!("wrong {key}"))
    }

    #[test]
    fn every_key_of_a_page_is_a_key_of_a_campaign_file() {
        let wrong = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), false.into())).collect::<Map<_, _>>();
        let mut campaign = wrong(&[&OF_CHECK[..], &OF_TIME].concat());
        campaign.insert("step".to_owned(), vec![wrong(&OF_ROUTE)].into());
        let problems = Draft::from_json(campaign.into()).unwrap_err();
        let unknown: Vec<_> = problems.iter().filter(|problem| problem.sentence.contains("unknown key")).collect();
        assert!(problems.len() > 15 && unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn a_problem_is_mended_on_the_page_of_its_key() {
        for (step, key, page) in [
            (true, "fallback_after", WritingPage::Route),
            (true, "template, body 2", WritingPage::Content),
            (true, "text", WritingPage::Content),
            (false, "where", WritingPage::Check),
            (false, "quiet_hours", WritingPage::Time),
            (false, "audience", WritingPage::Recipients),
            (false, "name", WritingPage::Review),
            (false, "step", WritingPage::Route),
        ] {
            assert_eq!(page_of(&problem(step, key)), page, "{key}");
        }
    }

    #[test]
    fn a_problem_stands_beside_its_field() {
        let field = |name: &str| Field::text(name, ("", ""), String::new());
        let mut fields = [field("1-template"), field("1-template_body"), field("1-text")];
        let problems = [problem(true, "template, body 2"), problem(true, "text"), problem(true, "media")];
        let rest = beside(&mut fields, problems.iter());
        let found: Vec<_> = fields.iter().map(|field| field.problem.as_deref()).collect();
        assert_eq!(found, [None, Some("wrong template, body 2"), Some("wrong text")]);
        assert_eq!(rest.len(), 1);
    }
}
