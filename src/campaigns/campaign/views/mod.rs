//! Campaigns as JSON: plans, launches, rules, decisions, purges and the calendar.

mod calendar;
mod decision;
mod launch;
mod plan;
mod preview;
mod retention;
mod rules;

pub use calendar::{CalendarView, Dated};
pub use decision::{ChangeView, DecisionView, RenameView, StepDecisionView, TemplateDecisionView};
pub use launch::LaunchView;
pub use plan::{PlanStepView, PlanView, PreviewView, WarningView};
pub use preview::ValuesView;
pub use retention::{ErasureView, PurgeView};
pub use rules::{LimitsView, RulesView, StepRulesView, StopsView, local_start};
