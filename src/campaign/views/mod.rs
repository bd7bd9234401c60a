//! Campaigns as JSON: plans, launches, rules, decisions and the calendar.

mod calendar;
mod decision;
mod launch;
mod plan;
mod rules;

pub use calendar::{CalendarView, Dated};
pub use decision::{ChangeView, DecisionView, StepDecisionView, TemplateDecisionView};
pub use launch::LaunchView;
pub use plan::{PlanStepView, PlanView, PreviewLine, PreviewView, WarningView, preview};
pub use rules::{LimitsView, RulesView, StepRulesView, local_start};
