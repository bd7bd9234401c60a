//! Campaigns: from a file to a batch in the store, and its life until it is settled.
//!
//! In: a campaign file or the same JSON ([`Draft`]), the configuration's lanes, the recipients, and the time.
//! Out: when a campaign may send ([`schedule`]), the plan of its batch ([`plan`]), warnings about input that is allowed
//! but probably not intended ([`lint`]), and a batch in the store ([`Launcher`]). Operators change, rename, pause, resume
//! and cancel it, and delete drafts; the housekeeper starts, finishes and settles it ([`Housekeeper`]).
//! Decisions of operators about the lanes ([`LaneDecision`]) and templates ([`TemplateDecision`]) of campaigns.
//! Promises: no key is ignored. All problems are reported at once, each with its step, its key and what to do. A plan
//! obeys every rule of the route, so later rooms do not check it again.
//! May not: send messages, or decide about a single message, which only the engine does.

mod addresses;
mod affected;
mod amend;
mod approval;
mod beginnings;
mod carry_out;
mod certificate;
mod channel_users;
mod chosen;
mod confirmations;
mod correction;
mod costing;
mod decisions;
mod delete;
mod due_at_once;
mod error;
mod examination;
mod excluded;
mod figures;
mod file;
mod flagged;
#[cfg(test)]
mod fuzz;
mod guards;
mod held;
mod housekeeper;
mod imported;
mod join;
mod lacking;
mod lane_decisions;
mod launch;
mod lay_out;
mod lint;
mod lint_cells;
mod lint_hours;
mod lint_limits;
mod lint_pace;
mod lint_us;
mod message_decisions;
mod named;
mod need_no_slot;
mod noted;
mod opt_out_hint;
mod opt_out_walk;
mod outlook;
mod overlap;
mod plain_texts;
mod plan_checks;
mod preview;
mod prices;
mod recipients;
mod rejected_rows;
mod rename;
mod repeat;
mod repricing;
mod restored;
mod retention;
mod retries;
mod rewrite;
mod route;
mod route_lanes;
mod route_templates;
pub mod rules;
mod second_operator;
mod settling;
mod step_decisions;
mod template_decisions;
mod templates;
mod time;
mod trial;
mod used_up;
mod values;
mod views;
mod windows;

pub use addresses::Addresses;
#[cfg(test)]
pub(crate) use amend::bring_forward;
pub use amend::{Amend, Amended};
pub use approval::{Approval, Unapproved};
pub use beginnings::Beginnings;
pub use carry_out::{CampaignDecision, CarriedOut, DecidedBy, DecisionError, carry_out, why_not};
pub use certificate::certify;
pub use chosen::{ChosenSteps, DraftRoute};
pub use confirmations::OptOutConfirmations;
pub use correction::{SENDS, may_be_corrected, text_of};
pub use decisions::{Decided, Released, cancel, hold_step, pause, refuse, release_steps, resume, start};
pub use delete::{Deleted, delete_draft};
pub use due_at_once::DueAtOnce;
pub use error::{FileError, lines};
pub use excluded::{Excluded, NotExcluded};
pub use file::{Draft, refuse_campaign_file};
pub use flagged::Flagged;
pub use held::{held, what_is_held};
pub use housekeeper::Housekeeper;
pub use join::SingleMessage;
pub use lacking::Lacking;
pub use lane_decisions::{
    LaneCarriedOut, LaneDecision, LaneDecisionError, SettingChange, SettingError, carry_out_on_lane,
};
pub use launch::{Counted, LaunchError, Launched, Launcher, Prepared};
pub use lint::{Facts, Lint, Warning, lint};
pub use lint_limits::small_limits;
pub use message_decisions::{MessageDecision, MessageDecisionError, carry_out_on_message};
pub use named::{CampaignRow, FindError, LATEST, campaigns, find, find_by_id, find_exactly};
pub use noted::{NODE_SILENT, Noted, noted};
pub use outlook::crowd_in;
pub use plain_texts::Transliterated;
pub use preview::{
    BrokenLimit, Choice, FirstMessage, MessagePreview, PreviewRequest, Previews, Sample, SentText, SentTexts,
    StepPreview, ValuesError, first_messages, message, sent_texts,
};
pub use prices::{PriceError, PriceLine, PriceList};
pub use recipients::{Recipients, RecipientsError, ensure_same_columns};
pub use rejected_rows::RejectedRows;
pub use rename::{RenameError, rename};
pub use repeat::{NoRecipientsToRepeat, Repeat};
pub use restored::{HowToLaunch, restored_from};
pub use retention::{CompactError, Erasure, ErasureError, Overdue, compact, overdue, purge};
pub use rewrite::{LostRecipients, Rewritten};
pub use route::{check_routes, plan};
pub use route_templates::PlanTemplates;
pub use second_operator::{NeedsApproval, needs_second_operator};
pub use settling::settled_by;
pub use step_decisions::{StepCarriedOut, StepDecision, StepDecisionError, carry_out_on_step};
pub use template_decisions::{TemplateCarriedOut, TemplateDecision, carry_out_on_template, lanes_to_hold};
pub use templates::TemplateError;
pub use time::{ResolvedInstant, Schedule, instant, schedule};
pub use trial::{TEST_PROBLEM, Trial};
pub use used_up::{UsedUp, reserved, used_up};
pub use views::{
    CalendarView, ChangeView, Dated, DecisionView, ErasureView, LaunchView, LimitsView, PlanStepView, PlanView,
    PreviewView, PurgeView, RenameView, RulesView, StepDecisionView, StepRulesView, StopsView, TemplateDecisionView,
    ValuesView, WarningView, local_start,
};

#[cfg(test)]
mod tests;
