//! The errors of other rooms as problems: each with the sentence that its command would print.

use axum::http::{HeaderValue, header};

use super::problem::{FieldProblem, Kind, Problem};
use crate::base::config;
use crate::base::domain::Span;
use crate::campaigns::campaign::{
    DecisionError, FindError, LaneDecisionError, LaunchError, MessageDecisionError, RenameError, StepDecisionError,
    TemplateError,
};
use crate::campaigns::status::StatusError;
use crate::http::access::{AccessError, Denied};
use crate::http::outgoing;
use crate::store;

/// When a database that is locked or full may be written again.
const LATER: Span = Span::from_secs(5);

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Scope(_) | Denied::Address { .. } | Denied::Limited { .. } => Self::new(Kind::Forbidden, denied),
            Denied::Unavailable { .. } => Self::new(Kind::Busy, denied).retry_after(LATER),
            denied => {
                let bearer = HeaderValue::from_static("Bearer");
                Self::new(Kind::Unauthorized, denied).with_header(header::WWW_AUTHENTICATE, bearer)
            }
        }
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Name(_) => Self::new(Kind::Invalid, error).at("/name"),
            AccessError::Password(_) => Self::new(Kind::Invalid, error).at("/password"),
            AccessError::Key(_) => Self::new(Kind::Invalid, error),
            AccessError::KeyExists { .. } | AccessError::OperatorExists { .. } => Self::new(Kind::NameTaken, error),
            AccessError::UnknownKey { .. } | AccessError::UnknownOperator { .. } => Self::new(Kind::NotFound, error),
            AccessError::Revoked { .. } | AccessError::LastAdmin { .. } => Self::new(Kind::Conflict, error),
            AccessError::SetupToken => Self::new(Kind::Forbidden, error),
            AccessError::Store(error) => error.into(),
            AccessError::Random(_) | AccessError::Hash(_) => Self::failed(&error),
        }
    }
}

impl From<outgoing::Failed> for Problem {
    fn from(error: outgoing::Failed) -> Self {
        use outgoing::Failed;
        match error {
            Failed::Name(_) => Self::new(Kind::Invalid, error).at("/name"),
            Failed::Url { .. } => Self::new(Kind::Invalid, error).at("/url"),
            Failed::Type { .. } | Failed::NoProviderForm => Self::new(Kind::Invalid, error).at("/types"),
            Failed::SubAccount => Self::new(Kind::Invalid, error).at("/sub_account"),
            Failed::Authorization => Self::new(Kind::Invalid, error).at("/authorization"),
            Failed::Overlap(_) => Self::new(Kind::Invalid, error).at("/overlap"),
            Failed::Taken(_) => Self::new(Kind::NameTaken, error),
            Failed::Unknown { .. } | Failed::Delivery { .. } => Self::new(Kind::NotFound, error),
            Failed::TooMany | Failed::Already(..) | Failed::Unsigned(_) => Self::new(Kind::Conflict, error),
            Failed::Store(error) => error.into(),
            Failed::Random(_) => Self::failed(&error),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NameTaken { .. } => Self::new(Kind::NameTaken, error),
            store::Error::Gone { .. } | store::Error::InUse { .. } => Self::new(Kind::Conflict, error),
            error if error.is_passing() => Self::new(Kind::Busy, error).retry_after(LATER),
            error => Self::failed(&error),
        }
    }
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Store(error) => error.into(),
            error => Self::new(Kind::NotFound, error),
        }
    }
}

impl From<DecisionError> for Problem {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Store(error) => error.into(),
            DecisionError::NotCertified { .. } => Self::failed(&error),
            DecisionError::Outdated { .. } => Self::new(Kind::Changed, error),
            DecisionError::NoReason { .. } => Self::new(Kind::Invalid, error).at("/reason"),
            DecisionError::Restored { .. } => Self::new(Kind::Restored, error),
            error => Self::new(Kind::Conflict, error),
        }
    }
}

impl From<StepDecisionError> for Problem {
    fn from(error: StepDecisionError) -> Self {
        match error {
            StepDecisionError::Store(error) => error.into(),
            StepDecisionError::NoStep { .. } => Self::new(Kind::NotFound, error),
            error => Self::new(Kind::Conflict, error),
        }
    }
}

impl From<MessageDecisionError> for Problem {
    fn from(error: MessageDecisionError) -> Self {
        match error {
            MessageDecisionError::Store(error) => error.into(),
            error @ MessageDecisionError::Gone => Self::new(Kind::NotFound, error),
            error => Self::new(Kind::Conflict, error),
        }
    }
}

impl From<LaunchError> for Problem {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Problems(problems) => of_problems(&problems),
            LaunchError::Store(error) => error.into(),
            LaunchError::Restored { .. } => Self::new(Kind::Restored, error),
            error => Self::new(Kind::Conflict, error),
        }
    }
}

impl From<LaneDecisionError> for Problem {
    fn from(error: LaneDecisionError) -> Self {
        match error {
            LaneDecisionError::Store(error) => error.into(),
            error @ LaneDecisionError::Outdated(_) => Self::new(Kind::Conflict, error),
            error @ LaneDecisionError::NoTier(_) => Self::new(Kind::Invalid, error),
        }
    }
}

impl From<TemplateError> for Problem {
    fn from(error: TemplateError) -> Self {
        match error {
            TemplateError::Store(error) => error.into(),
            TemplateError::Unknown { .. } => Self::new(Kind::NotFound, error),
            error => Self::new(Kind::Invalid, error),
        }
    }
}

impl From<RenameError> for Problem {
    fn from(error: RenameError) -> Self {
        match error {
            RenameError::Store(error) => error.into(),
            RenameError::NameTaken { .. } => Self::new(Kind::NameTaken, error),
            RenameError::Nameless => Self::new(Kind::Conflict, error),
        }
    }
}

impl From<StatusError> for Problem {
    fn from(error: StatusError) -> Self {
        match error {
            StatusError::Store(error) => error.into(),
            error => Self::new(Kind::NotFound, error),
        }
    }
}

/// The place of a key, and of its part: `template, body 2` is `/template/body/1`.
fn within(key: &str) -> String {
    let key = key.strip_prefix("template.").map_or_else(|| key.to_owned(), |part| format!("template {part}"));
    let words = key.split([',', ' ']).filter(|word| !word.is_empty());
    let part = |word: &str| match word.parse::<usize>() {
        Ok(number) => format!("/{}", number.saturating_sub(1)),
        Err(_) => format!("/{}", super::extract::escaped(word)),
    };
    words.map(part).collect()
}

/// The problems of a campaign, each with the place of its key. [`Problem::pointing_into`] shortens a place that the body does not
/// have.
fn of_problems(problems: &[config::Problem]) -> Problem {
    let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let errors = problems.iter().zip(&sentences).map(|(problem, sentence)| FieldProblem {
        pointer: problem.route.is_none().then(|| {
            let step = problem.step.map(|step| format!("/step/{}", step.index()));
            format!("{}{}", step.unwrap_or_default(), within(&problem.key))
        }),
        parameter: None,
        detail: sentence.clone(),
    });
    Problem::new(Kind::Invalid, sentences.join("\n")).with_errors(errors.collect())
}
