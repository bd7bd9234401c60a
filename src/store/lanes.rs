//! Lanes: what holds them, what was turned on them, what the provider says of them, and how they go.

use crate::domain::{Content, Knob, Member, Portion, SenderPart, Step, TemplateContent, Timestamp};

/// Why a lane, or one template on it, may not send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub lane: String,
    /// Empty for a hold on the lane itself.
    pub template: String,
    /// Empty where the template is held in all of them.
    pub language: String,
    pub by: HeldBy,
    pub code: Option<u32>,
    pub reason: String,
    pub since: Timestamp,
}

/// Who has put a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    Person = 0,
    /// The provider, in its answer to a request.
    Answer = 1,
    /// The provider, in a receipt, whose codes are others than those of answers.
    Receipt = 2,
    /// The provider, in an event of the account.
    Event = 3,
}

impl HeldBy {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Person),
            1 => Some(Self::Answer),
            2 => Some(Self::Receipt),
            3 => Some(Self::Event),
            _ => None,
        }
    }
}

impl Hold {
    /// The hold that a fault of the sender's asks for: on the step's template where that is to blame and there is one,
    /// else on the lane that sent it. Nothing where the step itself is to blame (see [`super::StepHold::for_refusal`]).
    pub fn for_fault(
        step: &Step,
        lane: &str,
        part: SenderPart,
        by: HeldBy,
        code: Option<u32>,
        reason: String,
        since: Timestamp,
    ) -> Option<Self> {
        let (template, language) = match (part, &step.content) {
            (SenderPart::Step, _) => return None,
            (SenderPart::Template, Content::Template(template)) => (template.name.clone(), template.language.clone()),
            (SenderPart::Template | SenderPart::Lane, _) => (String::new(), String::new()),
        };
        Some(Self { lane: lane.to_owned(), template, language, by, code, reason, since })
    }

    /// Whether it is on a lane, or on what a step hands over by it.
    pub fn is_on(&self, lane: &str, step: &Step) -> bool {
        let is_meant = |template: &TemplateContent| {
            self.template == template.name && (self.language.is_empty() || self.language == template.language)
        };
        let on_content = matches!(&step.content, Content::Template(template) if is_meant(template));
        self.lane == lane && (self.template.is_empty() || on_content)
    }

    /// Why people of a lane have to wait with a step: it is held, and so is each that would stand in for it.
    pub fn keeping<'a>(holds: &'a [Self], step: &Step, member: &Member) -> Option<&'a Self> {
        let on = |lane: &str| holds.iter().find(|hold| hold.is_on(lane, step));
        let mut others = step.lanes.members().iter().filter(|other| step.lanes.stands_in(other, member));
        on(&member.lane).filter(|_| others.all(|other| on(&other.lane).is_some()))
    }

    /// Of a person, on a lane (`template` empty) or on a template in whatever language.
    pub fn of_person(lane: &str, template: &str, reason: String, since: Timestamp) -> Self {
        let (lane, template) = (lane.to_owned(), template.to_owned());
        Self { lane, template, language: String::new(), by: HeldBy::Person, code: None, reason, since }
    }
}

/// Something of the configuration that was changed while it ran. It counts until the file says something else than it
/// did then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    pub knob: Knob,
    /// Of the lane, or of the portfolio.
    pub name: String,
    /// As it would stand in the file.
    pub value: String,
    pub in_file: String,
    pub by_person: bool,
    /// Who has turned it and why, in words.
    pub why: String,
    /// When that was said: of two words the later one holds, in whatever order they come.
    pub since: Timestamp,
}

impl Dial {
    /// What events call that which it is about.
    pub fn subject(&self) -> String {
        subject(self.knob, &self.name)
    }
}

/// What events call that which a dial is about.
pub fn subject(knob: Knob, name: &str) -> String {
    match knob {
        Knob::Rate | Knob::Burst => format!("lane {name}"),
        Knob::AccountRate => format!("account {name}"),
        Knob::Tier => format!("portfolio {name}"),
    }
}

/// The bucket of a lane or of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BucketOf {
    Lane(String),
    Account(String),
}

/// When a bucket is full again, in nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedBucket {
    pub of: BucketOf,
    pub full_at: u64,
}

/// An event of the account, with everything that comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessEvent {
    /// What makes it the same event.
    pub id: String,
    pub received: Timestamp,
    /// By the provider's clock.
    pub said: Timestamp,
    pub kind: String,
    pub raw: String,
    /// What people should be able to read of it.
    pub told: Vec<(String, String)>,
    pub dials: Vec<Dial>,
    pub holds: Vec<Hold>,
    /// Templates on lanes, in a language, that may be sent again as far as the provider is concerned.
    pub lifts: Vec<(String, String, String)>,
    pub says: Vec<Said>,
}

/// What the provider said last of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// `lane promo-sg`, `template promo (en)`, `portfolio acme`.
    pub about: String,
    /// `quality`, `status`, …
    pub what: String,
    pub value: String,
    pub at: Timestamp,
}

/// What a template is called where something is said of it.
impl Said {
    /// `template promo (en)`; without a language all of them are meant.
    pub fn about_template(name: &str, language: &str) -> String {
        if language.is_empty() { format!("template {name}") } else { format!("template {name} ({language})") }
    }

    /// The name and the language of the template that this is about.
    pub fn template(&self) -> Option<(&str, &str)> {
        let template = self.about.strip_prefix("template ")?;
        let spoken = template.strip_suffix(')').and_then(|template| template.rsplit_once(" ("));
        Some(spoken.unwrap_or((template, "")))
    }

    const OF_NO_LANE: &str = "of no lane";

    /// That an event of this kind named an account which is none of ours.
    pub fn of_unknown_account(account: &str, kind: &str, at: Timestamp) -> Self {
        let (about, value) = (format!("account {account}"), kind.to_owned());
        Self { about, what: Self::OF_NO_LANE.to_owned(), value, at }
    }

    /// That an event with this word named a number which is none of ours. None where it named no number.
    pub fn of_unknown_number(shown: &str, word: &str, at: Timestamp) -> Option<Self> {
        let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
        let about = (!digits.is_empty()).then(|| format!("number {digits}"))?;
        Some(Self { about, what: Self::OF_NO_LANE.to_owned(), value: word.to_owned(), at })
    }

    /// The account that was none of ours when this was said.
    pub fn unknown_account(&self) -> Option<&str> {
        self.about.strip_prefix("account ").filter(|_| self.what == Self::OF_NO_LANE)
    }

    /// The digits of the number that was none of ours when this was said.
    pub fn unknown_number(&self) -> Option<&str> {
        self.about.strip_prefix("number ").filter(|_| self.what == Self::OF_NO_LANE)
    }
}

/// How a lane goes, as the node that sends by it says with each beat.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneState {
    pub lane: String,
    /// Messages a second that it let out.
    pub pace: f64,
    /// How much of its rate it goes at, because it was throttled.
    pub portion: Portion,
    /// Whether every place in the tier of its portfolio is taken.
    pub tier_spent: bool,
    /// Then, when the next one comes free.
    pub free_at: Option<Timestamp>,
    pub standing: Option<Standing>,
    /// What the provider complained of last, however long ago.
    pub complaint: Option<(Timestamp, String)>,
}

/// Why a lane stands still and goes on by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub trouble: Trouble,
    pub since: Timestamp,
    /// When it is tried again.
    pub until: Timestamp,
    /// What the provider said.
    pub why: String,
    /// Requests that were under way when an outage began: at most so many messages may be unknown by it.
    pub in_flight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It was too fast for the provider.
    Throttled = 0,
    /// The provider is not there, or breaks what it gets.
    Outage = 1,
}

impl Trouble {
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Throttled),
            1 => Some(Self::Outage),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_template_names_it_with_its_language() {
        let said = |about: String| Said {
            about,
            what: "status".to_owned(),
            value: "PAUSED".to_owned(),
            at: Timestamp::from_millis(0),
        };
        for (name, language) in [("promo", "en"), ("promo", "")] {
            assert_eq!(said(Said::about_template(name, language)).template(), Some((name, language)));
        }
        assert_eq!(said("lane promo (en)".to_owned()).template(), None);
    }
}
