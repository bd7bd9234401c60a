//! Defines what the store keeps about lanes: holds, changed settings, reports of the provider, and their states.

use crate::base::domain::text::shell;
use crate::base::domain::{Member, OverridableSetting, Portion, SenderPart, Step, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};

/// Why a lane, or one template on it, may not send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub lane: String,
    /// Empty for a hold on the lane itself.
    pub template: String,
    /// Empty if the template is held in all languages.
    pub language: String,
    pub by: HeldBy,
    pub code: Option<u32>,
    /// Who holds it, and why.
    pub origin: Origin,
    pub since: Timestamp,
}

/// Who has placed a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// An operator.
    Operator = 0,
    /// The provider, in its answer to a request.
    Answer = 1,
    /// The provider, in a receipt. Its codes differ from those of answers.
    Receipt = 2,
    /// The provider, in an account event.
    Event = 3,
    /// The quality guard, because the provider reports falling quality. It holds only MARKETING steps: all of a lane, or
    /// those with a template.
    Quality = 4,
}

impl HeldBy {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Operator),
            1 => Some(Self::Answer),
            2 => Some(Self::Receipt),
            3 => Some(Self::Event),
            4 => Some(Self::Quality),
            _ => None,
        }
    }
}

impl Hold {
    /// Builds the hold for a fault of the sender: on the step's template if that is the cause and there is one, else on the
    /// lane that sent it.
    ///
    /// Returns `None` if the step itself is the cause (see `book::hold_for_refusal`).
    pub fn for_fault(
        step: &Step,
        lane: &str,
        part: SenderPart,
        by: HeldBy,
        code: Option<u32>,
        reason: &str,
        since: Timestamp,
    ) -> Option<Self> {
        let (template, language) = match (part, step.content.template()) {
            (SenderPart::Step, _) => return None,
            (SenderPart::Template, Some(template)) => (template.name.to_owned(), template.language.to_owned()),
            (SenderPart::Template | SenderPart::Lane, _) => (String::new(), String::new()),
        };
        Some(Self { lane: lane.to_owned(), template, language, by, code, origin: Origin::provider(reason), since })
    }

    /// Builds the provider's hold on a whole lane.
    pub fn on_lane(lane: &str, by: HeldBy, code: Option<u32>, reason: &str, since: Timestamp) -> Self {
        let (template, language) = (String::new(), String::new());
        Self { lane: lane.to_owned(), template, language, by, code, origin: Origin::provider(reason), since }
    }

    /// Whether it holds a lane, or the content that a step sends by that lane.
    pub fn is_on(&self, lane: &str, step: &Step) -> bool {
        if self.by == HeldBy::Quality && !step.content.is_marketing() {
            return false;
        }
        let on_content = step.content.template().is_some_and(|template| {
            self.template == template.name && (self.language.is_empty() || self.language == template.language)
        });
        self.lane == lane && (self.template.is_empty() || on_content)
    }

    /// The hold for which messages of a lane wait at a step: the lane is held, and so is each lane that could replace it.
    pub fn keeping<'a>(holds: &'a [Self], step: &Step, member: &Member) -> Option<&'a Self> {
        let on = |lane: &str| holds.iter().find(|hold| hold.is_on(lane, step));
        let mut others = step.lanes.members().iter().filter(|other| step.lanes.may_replace(other, member));
        on(&member.lane).filter(|_| others.all(|other| on(&other.lane).is_some()))
    }

    /// Builds an operator's hold on a lane (`template` empty) or on a template in every language.
    pub fn by_operator(lane: &str, template: &str, origin: Origin, since: Timestamp) -> Self {
        let (lane, template) = (lane.to_owned(), template.to_owned());
        Self { lane, template, language: String::new(), by: HeldBy::Operator, code: None, origin, since }
    }

    /// What an operator did to it: lanes are paused, templates are held.
    pub const fn verb(&self) -> &'static str {
        if self.template.is_empty() { "paused" } else { "held" }
    }

    /// The command that releases it.
    pub fn resume_command(&self) -> String {
        let lane = shell(&self.lane);
        match self.template.as_str() {
            "" => format!("volley lane resume {lane}"),
            template => format!("volley template resume {} --lane {lane}", shell(template)),
        }
    }

    /// Who holds it, and why: `paused by Ann: wrong text`, or the provider's reason.
    pub fn reason(&self) -> String {
        self.origin.because(self.verb())
    }

    /// The event that records it.
    pub fn event(&self) -> Event {
        let subject = Subject::held(&self.lane, &self.template, &self.language);
        Event { at: self.since, subject, origin: self.origin.clone(), kind: EventKind::Held { code: self.code } }
    }
}

/// A setting that was changed while a server ran. It applies until the value in the file changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub setting: OverridableSetting,
    /// The name of the lane, account or portfolio.
    pub name: String,
    /// The value, in the notation of the file.
    pub value: String,
    /// The value in the file at that time.
    pub in_file: String,
    /// Who changed it, and why.
    pub origin: Origin,
    /// When it was changed. The later of two changes applies, in whatever order they arrive.
    pub since: Timestamp,
}

impl Override {
    /// The subject of events about it.
    pub fn subject(&self) -> Subject {
        Subject::of_setting(self.setting, &self.name)
    }
}

/// The bucket of a lane or of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BucketOf {
    Lane(String),
    Account(String),
}

/// The recorded state of a token bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedBucket {
    pub of: BucketOf,
    /// When the bucket is full again, in nanoseconds since 1970.
    pub full_at: u64,
}

/// An account event, with all its effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEvent {
    /// The identity of the event, by which repeats are recognized.
    pub id: String,
    pub received: Timestamp,
    /// When it happened, by the provider's clock.
    pub happened_at: Timestamp,
    pub kind: String,
    pub raw: String,
    pub events: Vec<Event>,
    pub overrides: Vec<Override>,
    pub holds: Vec<Hold>,
    /// Holds of the provider that end.
    pub releases: Vec<Release>,
    /// Overrides of the quality guard that end, as they were known. One that was changed meanwhile stays.
    pub ended: Vec<Override>,
    pub reports: Vec<ProviderReport>,
}

/// The end of the provider's holds on a template, or of the quality guard's hold on a lane or a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub lane: String,
    /// Empty for a lane.
    pub template: String,
    pub language: String,
    pub because: ReleasedBy,
}

/// Why holds end. Each cause ends only the holds of its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleasedBy {
    /// The provider allows the template again.
    Status,
    /// The quality is good again.
    Quality,
}

/// The last report of the provider about something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReport {
    pub about: Subject,
    /// `quality`, `status`, …
    pub what: String,
    pub value: String,
    pub at: Timestamp,
}

impl ProviderReport {
    /// What is recorded of an account or a number that belongs to no lane.
    const OF_NO_LANE: &str = "of no lane";

    /// The name and the language of the template that it is about.
    pub fn template(&self) -> Option<(&str, &str)> {
        match &self.about {
            Subject::Template { template, language, .. } => Some((template, language.as_deref().unwrap_or_default())),
            _ => None,
        }
    }

    /// The only lane that it is about.
    pub fn lane(&self) -> Option<&str> {
        match &self.about {
            Subject::Lane { lane } | Subject::Template { lane: Some(lane), .. } => Some(lane),
            _ => None,
        }
    }

    /// Whether what it says of a template applies on a lane: it names the lane, or none.
    pub fn applies_on(&self, on: &str) -> bool {
        matches!(&self.about, Subject::Template { lane, .. } if lane.as_ref().is_none_or(|lane| lane == on))
    }

    /// The account, if it was not ours when the event arrived.
    pub fn unknown_account(&self) -> Option<&str> {
        if let Subject::UnknownAccount { account } = &self.about { Some(account) } else { None }
    }

    /// The digits of the number, if it was not ours when the event arrived.
    pub fn unknown_number(&self) -> Option<&str> {
        if let Subject::UnknownNumber { number } = &self.about { Some(number) } else { None }
    }

    /// Records that an event of this kind was about an account that is not ours.
    pub fn of_unknown_account(account: &str, kind: &str, at: Timestamp) -> Self {
        let about = Subject::UnknownAccount { account: account.to_owned() };
        Self { about, what: Self::OF_NO_LANE.to_owned(), value: kind.to_owned(), at }
    }

    /// Records that an event with this value was about a number that is not ours; `None` if `shown` contains no number.
    pub fn of_unknown_number(shown: &str, word: &str, at: Timestamp) -> Option<Self> {
        let number: String = shown.chars().filter(char::is_ascii_digit).collect();
        let about = (!number.is_empty()).then_some(Subject::UnknownNumber { number })?;
        Some(Self { about, what: Self::OF_NO_LANE.to_owned(), value: word.to_owned(), at })
    }
}

/// The state of a lane, as its node records it with each beat.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneState {
    pub lane: String,
    /// Messages sent per second.
    pub pace: f64,
    /// The part of its rate that backoff leaves it after throttling.
    pub portion: Portion,
    /// Whether every slot of its portfolio's tier is taken.
    pub tier_spent: bool,
    /// If the tier is spent, when the next slot frees up.
    pub free_at: Option<Timestamp>,
    pub standing: Option<LaneStandstill>,
    /// The provider's latest complaint, however old.
    pub complaint: Option<(Timestamp, String)>,
}

/// Why a lane has stopped for a while; it resumes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStandstill {
    pub trouble: Trouble,
    pub since: Timestamp,
    /// When the next request is tried.
    pub until: Timestamp,
    /// The provider's reason.
    pub why: String,
    /// The number of requests in flight when an outage began. At most as many messages become unknown by it.
    pub in_flight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The provider throttled it.
    Throttled = 0,
    /// The provider is unreachable, or its answers break off.
    Outage = 1,
    /// It refused a message without a known code, and another one tests the lane.
    Refused = 2,
}

impl Trouble {
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Throttled),
            1 => Some(Self::Outage),
            2 => Some(Self::Refused),
            _ => None,
        }
    }
}
