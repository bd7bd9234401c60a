//! Examines the recipients of a campaign while they are gathered: who lacks a value, what their messages cost, what
//! transliteration changes, whose id or file is wrong, and what a preview shows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::addresses::{AddressPass, Addresses};
use super::costing::{Costed, Costing};
use super::excluded::ExcludedRecipients;
use super::file::Draft;
use super::lacking::{Lacking, Needs};
use super::plain_texts::{PlainTexts, Transliterated};
use super::preview::{OnLooked, PreviewPass, PreviewRequest, Previews};
use super::prices::PriceList;
use super::route;
use super::route_templates::PlanTemplates;
use super::time::Schedule;
use crate::base::config::Config;
use crate::base::domain::{OnMissingValue, Recipient, StepIndex};
use crate::provider::catalogue::Catalogue;
use crate::recipients::audience::{KnownRecipients, RecipientObserver};

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
    except: OnceLock<(Arc<ExcludedRecipients>, Arc<KnownRecipients>)>,
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
    /// `None` if the recipients' countries decide what their messages cost.
    costing: Option<Costing>,
    /// `None` if no cell decides where a message goes, or where its file is.
    addresses: Option<Mutex<AddressPass>>,
    /// `None` if no previews are wanted.
    previews: Option<Mutex<PreviewPass>>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Examined {
    pub(super) lacking: Lacking,
    pub(super) transliterated: BTreeMap<StepIndex, Transliterated>,
    /// `None` if it was not asked for.
    pub(super) costed: Option<Costed>,
    pub(super) addresses: Addresses,
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
    pub(super) fn except(&self, excluded: &Arc<ExcludedRecipients>, known: &Arc<KnownRecipients>) {
        self.except.get_or_init(|| (Arc::clone(excluded), Arc::clone(known)));
    }

    pub(super) fn found(&self) -> Examined {
        let questions = self.questions.get().and_then(Option::as_ref);
        let previews = questions.and_then(|questions| questions.previews.as_ref()).map(|pass| pass.lock().found());
        let addresses = questions.and_then(|questions| questions.addresses.as_ref());
        let addresses = addresses.map(|pass| pass.lock().found()).unwrap_or_default();
        let costs = questions.is_some_and(|questions| questions.costing.is_some());
        let found = self.found.lock().clone();
        Examined { addresses, previews, costed: found.costed.or_else(|| costs.then(Costed::default)), ..found }
    }

    fn questions(&self, columns: &[String]) -> Option<Questions> {
        let Self { draft, config, schedule, prices, catalogue, .. } = self;
        let planned = route::plan(draft, columns, config, schedule, prices.as_ref(), catalogue);
        let (plan, _) = planned.ok()?;
        let counts = matches!(plan.on_missing_value, Some(OnMissingValue::Skip | OnMissingValue::Refuse));
        let needs = Some(Needs::of(&plan)).filter(|needs| counts || needs.may_be_unreadable());
        let plain_texts = PlainTexts::of(&plan);
        let leaves_nobody_out = |(excluded, known): &(Arc<ExcludedRecipients>, Arc<KnownRecipients>)| {
            excluded.is_empty() && known.nobody_has_opted_out()
        };
        let all_get_one = self.except.get().is_none_or(leaves_nobody_out);
        let costing = Costing::of(&plan, all_get_one);
        let wish = self.preview.lock().take();
        let pass = |Wish { request, on_looked }| {
            let templates = PlanTemplates::of(plan.indexed_steps(), config, catalogue);
            PreviewPass::new(&plan, &templates, request, on_looked).ok()
        };
        let previews = wish.and_then(pass).map(Mutex::new);
        let addresses = AddressPass::of(&plan, config).map(Mutex::new);
        let has_any = needs.is_some()
            || !plain_texts.is_empty()
            || costing.is_some()
            || addresses.is_some()
            || previews.is_some();
        has_any.then_some(Questions { needs, plain_texts, costing, addresses, previews })
    }
}

impl RecipientObserver for Examination {
    fn wants(&self, columns: &[String]) -> bool {
        self.questions.get_or_init(|| self.questions(columns)).is_some()
    }

    fn observe(&self, recipients: &[Recipient]) {
        let Some(questions) = self.questions.get().and_then(Option::as_ref) else { return };
        let Questions { needs, plain_texts, costing, addresses, previews } = questions;
        let gets_one = |recipient: &&Recipient| {
            let Some((excluded, known)) = self.except.get() else { return true };
            recipient.address.as_ref().is_none_or(|it| !excluded.contains(it) && !known.has_opted_out(it))
        };
        if let Some(pass) = previews {
            pass.lock().look(recipients.iter().filter(gets_one));
        }
        let mut addresses = addresses.as_ref().map(|pass| pass.lock());
        let mut found = self.found.lock();
        for recipient in recipients.iter().filter(gets_one) {
            // A message with unreadable fields is reported when it is to be sent.
            let Ok(fields) = recipient.fields.unpack() else { continue };
            let lacked = needs.as_ref().and_then(|needs| needs.lacked_by(recipient, &fields));
            let lacks = lacked.is_some();
            if let Some(lacked) = lacked {
                found.lacking.add(recipient.address.as_ref(), lacked);
            }
            plain_texts.count(recipient, &fields, &mut found.transliterated);
            if let Some(costing) = costing {
                costing.count(recipient.into(), &fields, lacks, found.costed.get_or_insert_default());
            }
            if let Some(pass) = &mut addresses {
                pass.look(recipient, &fields);
            }
        }
    }
}
