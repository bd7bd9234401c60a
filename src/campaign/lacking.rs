//! Examines the recipients of a campaign before anything is sent: who lacks a value for a variable, what transliteration
//! changes, and what a preview shows.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::file::Draft;
use super::lint::{Lint, Warning};
use super::plain_texts::{PlainTexts, Transliterated};
use super::preview::{OnLooked, PreviewPass, PreviewRequest, Previews};
use super::prices::PriceList;
use super::route;
use super::route_templates::PlanTemplates;
use super::time::Schedule;
use crate::audience::RecipientObserver;
use crate::catalogue::Catalogue;
use crate::config::{Config, Problem};
use crate::domain::{Countries, Msisdn, OnMissingValue, Plan, Recipient, StepIndex, grouped};
use crate::optout::OptOuts;
use crate::template::{self, Lack, LackCause, Variables};

/// The variables of a plan's steps.
#[derive(Debug)]
pub(super) struct Needs {
    steps: Vec<(Countries, Variables)>,
}

impl Needs {
    pub(super) fn of(plan: &Plan) -> Self {
        let of_step = |step: &crate::domain::Step| {
            let marked = template::mark(&step.content, step.line_user_id.as_deref(), plan.names()).ok()?;
            (!marked.variables.is_empty()).then(|| (step.countries.clone(), marked.variables))
        };
        Self { steps: plan.steps.iter().filter_map(of_step).collect() }
    }

    /// What the recipient lacks for a step that applies to it.
    pub(super) fn lacked_by(&self, recipient: &Recipient) -> Option<Lack> {
        // A message with unreadable fields is reported when it is to be sent.
        let fields = recipient.fields.unpack().ok()?;
        let theirs = self.steps.iter().filter(|(countries, _)| countries.contain(Some(recipient.country)));
        theirs.filter_map(|(_, variables)| variables.first_missing(&fields)).next()
    }

    /// Whether the empty cells of the columns do not tell who lacks a value.
    fn may_be_unreadable(&self) -> bool {
        self.steps.iter().flat_map(|(_, variables)| variables.iter()).any(template::Variable::may_be_unreadable)
    }
}

/// The recipients who lack a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    pub recipients: u64,
    /// A few of them, each with what it lacks.
    pub first: Vec<(Msisdn, Lack)>,
    /// What to do about all of them.
    remedies: BTreeSet<Remedy>,
}

/// What to do about a lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Remedy {
    Fill,
    StateForm,
    AddOthers,
}

impl Remedy {
    const fn of(cause: &LackCause) -> Self {
        match cause {
            LackCause::Empty => Self::Fill,
            LackCause::Unreadable { .. } => Self::StateForm,
            LackCause::Unmatched { .. } => Self::AddOthers,
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Fill => "fill these cells, or give the variable a default: {{Column|…}}",
            Self::StateForm => {
                "correct the cells that a filter cannot read, or tell it their form: number(2, \"en\", \"de\"), \
                 date(\"%d %B %Y\", \"en\", \"%d/%m/%Y\")"
            }
            Self::AddOthers => "add a text for each such value, or `others` for all of them",
        }
    }
}

/// How many of them are named.
const NAMED: usize = 3;

impl Lacking {
    fn add(&mut self, msisdn: Msisdn, lacked: Lack) {
        self.recipients += 1;
        self.remedies.insert(Remedy::of(&lacked.cause));
        if self.first.len() < NAMED {
            self.first.push((msisdn, lacked));
        }
    }

    /// Who lacks what: `2 of 10 recipients lack a value: +6591234567 (Code), …`.
    fn sentence(&self, all: u64) -> String {
        let named: Vec<String> = self.first.iter().map(|(msisdn, lacked)| format!("{msisdn} ({lacked})")).collect();
        let more = if self.recipients > self.first.len() as u64 { ", …" } else { "" };
        let verb = if self.recipients == 1 { "lacks" } else { "lack" };
        let of = format!("{} of {} recipients", grouped(self.recipients), grouped(all));
        format!("{of} {verb} a value for a variable: {}{more}", named.join(", "))
    }

    fn advice(&self) -> String {
        self.remedies.iter().map(|remedy| remedy.sentence()).collect::<Vec<_>>().join("; ")
    }

    /// The problem of a campaign that may not have such recipients.
    pub(super) fn problem(&self, plan: &Plan, all: u64) -> Option<Problem> {
        let refuses = plan.on_missing_value == Some(OnMissingValue::Refuse) && self.recipients > 0;
        refuses.then(|| Problem::new(None, "on_missing_value", format!("{}; {}", self.sentence(all), self.advice())))
    }

    pub(super) fn warning(&self, plan: &Plan, all: u64) -> Option<Warning> {
        let what = match plan.on_missing_value {
            Some(OnMissingValue::Skip) => "they get no message",
            Some(OnMissingValue::NextStep | OnMissingValue::Refuse) | None => {
                "a step that needs the value is not sent to them, and they get the next step"
            }
        };
        let sentence = || format!("{}; {what}; {}", self.sentence(all), self.advice());
        (self.recipients > 0).then(|| Warning { code: Lint::EmptyVariable, step: None, sentence: sentence() })
    }
}

/// Looks at the recipients of a draft while they are gathered.
#[derive(Debug)]
pub(super) struct Examination {
    draft: Draft,
    config: Config,
    schedule: Schedule,
    prices: Option<PriceList>,
    catalogue: Catalogue,
    /// What to preview, and who is told of the progress; `None` if that is not wanted, or once it has begun.
    preview: Mutex<Option<Wish>>,
    /// `None` if there is nothing to find, or if the draft has errors.
    questions: OnceLock<Option<Questions>>,
    except: OnceLock<(Arc<HashSet<Msisdn>>, Arc<OptOuts>)>,
    found: Mutex<Examined>,
}

/// A wish for previews.
pub(super) struct Wish {
    pub(super) request: PreviewRequest,
    pub(super) on_looked: OnLooked,
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wish").field(&self.request).finish()
    }
}

/// What is asked of each recipient.
#[derive(Debug)]
struct Questions {
    /// `None` if the empty cells by column say enough.
    needs: Option<Needs>,
    plain_texts: PlainTexts,
    /// `None` if no previews are wanted.
    previews: Option<Mutex<PreviewPass>>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Examined {
    pub(super) lacking: Lacking,
    pub(super) transliterated: BTreeMap<StepIndex, Transliterated>,
    pub(super) previews: Option<Previews>,
}

impl Examination {
    pub(super) fn new(
        draft: &Draft,
        config: &Config,
        schedule: &Schedule,
        prices: Option<&PriceList>,
        catalogue: Catalogue,
        preview: Option<Wish>,
    ) -> Self {
        Self {
            draft: draft.clone(),
            config: config.clone(),
            schedule: schedule.clone(),
            prices: prices.cloned(),
            catalogue,
            preview: Mutex::new(preview),
            questions: OnceLock::new(),
            except: OnceLock::new(),
            found: Mutex::default(),
        }
    }

    /// Names recipients who get no message anyway.
    pub(super) fn except(&self, excluded: &Arc<HashSet<Msisdn>>, opted_out: &Arc<OptOuts>) {
        self.except.get_or_init(|| (Arc::clone(excluded), Arc::clone(opted_out)));
    }

    pub(super) fn found(&self) -> Examined {
        let questions = self.questions.get().and_then(Option::as_ref);
        let previews = questions.and_then(|questions| questions.previews.as_ref()).map(|pass| pass.lock().found());
        Examined { previews, ..self.found.lock().clone() }
    }

    fn questions(&self, columns: &[String]) -> Option<Questions> {
        let Self { draft, config, schedule, prices, catalogue, .. } = self;
        let planned = route::plan(draft, columns, config, schedule, prices.as_ref(), catalogue);
        let (plan, _) = planned.ok()?;
        let counts = matches!(plan.on_missing_value, Some(OnMissingValue::Skip | OnMissingValue::Refuse));
        let needs = Some(Needs::of(&plan)).filter(|needs| counts || needs.may_be_unreadable());
        let plain_texts = PlainTexts::of(&plan);
        let wish = self.preview.lock().take();
        let pass = |Wish { request, on_looked }| {
            let templates = PlanTemplates::of(plan.indexed_steps(), config, catalogue);
            PreviewPass::new(&plan, &templates, request, on_looked).ok()
        };
        let previews = wish.and_then(pass).map(Mutex::new);
        let has_any = needs.is_some() || !plain_texts.is_empty() || previews.is_some();
        has_any.then_some(Questions { needs, plain_texts, previews })
    }
}

impl RecipientObserver for Examination {
    fn wants(&self, columns: &[String]) -> bool {
        self.questions.get_or_init(|| self.questions(columns)).is_some()
    }

    fn observe(&self, recipients: &[Recipient]) {
        let Some(Questions { needs, plain_texts, previews }) = self.questions.get().and_then(Option::as_ref) else {
            return;
        };
        let gets_one = |recipient: &&Recipient| {
            let msisdn = recipient.msisdn;
            self.except.get().is_none_or(|(excluded, out)| !excluded.contains(&msisdn) && !out.contains(msisdn))
        };
        if let Some(pass) = previews {
            pass.lock().look(recipients.iter().filter(gets_one));
        }
        let mut found = self.found.lock();
        for recipient in recipients.iter().filter(gets_one) {
            if let Some(lacked) = needs.as_ref().and_then(|needs| needs.lacked_by(recipient)) {
                found.lacking.add(recipient.msisdn, lacked);
            }
            plain_texts.count(recipient, &mut found.transliterated);
        }
    }
}
