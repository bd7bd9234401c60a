//! Corrects the text of a step until its campaign sends its first message.

use std::collections::BTreeSet;

use super::costing::{Costed, Costing};
use super::launch::{LaunchError, Launcher};
use super::second_operator::needs_second_operator;
use crate::base::config::{Config, Table, reachable_by_all};
use crate::base::domain::{BatchState, Content, Cost, Crowd, Loaded, Names, Plan, Step, StepIndex, Taker};
use crate::campaigns::report::copied;
use crate::rules::forecast::Bill;
use crate::rules::template::{self, Sending, Variable, Variables};
use crate::store::{Batch, Scope};

/// The key of a step whose value is its text.
pub(super) const TEXT: &str = "text";

/// Why a text cannot be corrected any more.
pub const SENDS: &str =
    "the campaign has begun to send, so its text cannot be corrected; cancel it, and send a corrected copy";
/// The same of one whose messages would be late once it is approved again.
const WOULD_BE_LATE: &str = "the campaign has started, and its messages would wait for another approval while the times of \
    `over` and `leave_within` go on; cancel it, and send a corrected copy";

/// The text of a step that may be corrected, or the caption of its file.
pub fn text_of(content: &Content) -> Option<&str> {
    match content {
        Content::Text { text, .. } => Some(text),
        Content::Rich(message) => message.text.as_deref(),
        _ => None,
    }
}

fn text_of_mut(content: &mut Content) -> Option<&mut String> {
    match content {
        Content::Text { text, .. } => Some(text),
        Content::Rich(message) => message.text.as_mut(),
        _ => None,
    }
}

/// Whether a campaign has sent nothing. Of one that was restored, that is unknown.
pub fn may_be_corrected(batch: &Batch) -> bool {
    let is_untouched = batch.texts_final_at.is_none() && batch.restored_from.is_none();
    BatchState::OPEN.contains(&batch.state) && is_untouched
}

/// Whether the messages of a started campaign have times that an approval would use up.
fn would_be_late(plan: &Plan, batch: &Batch, config: &Config) -> bool {
    let has_times = plan.over.is_some() || plan.steps.iter().any(|step| step.leave_within.is_some());
    has_times && batch.started_at.is_some() && needs_second_operator(config, batch.messages.into())
}

/// Gives a step the text that the table names.
pub(super) fn correct(plan: &mut Plan, index: StepIndex, table: &mut Table<'_>, batch: &Batch, config: &Config) {
    let Some(text) = table.filled_text(TEXT) else { return };
    let Some(step) = plan.step(index) else { return };
    if text_of(&step.content) == Some(&text) {
        return;
    }
    if !may_be_corrected(batch) {
        table.wrong(TEXT, SENDS);
        return;
    }
    if would_be_late(plan, batch, config) {
        table.wrong(TEXT, WOULD_BE_LATE);
        return;
    }
    match corrected(step, plan.names(), text, config) {
        Ok(content) => plan.steps[index.index()].content = content,
        Err(problems) => problems.into_iter().for_each(|problem| table.wrong(TEXT, problem)),
    }
}

/// The content of a step with another text, or what is wrong with it.
fn corrected(step: &Step, names: Names<'_>, text: String, config: &Config) -> Result<Content, Vec<String>> {
    let mut content = step.content.clone();
    let Some(own) = text_of_mut(&mut content) else {
        return Err(vec!["its content is no text; cancel the campaign, and send a corrected copy".to_owned()]);
    };
    *own = text;
    template::fill_constants(&mut content, names);
    let lanes = step.lanes.names().filter_map(|lane| config.lane(lane));
    let sending =
        Sending { channel: step.channel, transliterates: step.transliterate, reachable: reachable_by_all(lanes) };
    let problems: Vec<String> =
        template::check(sending, &content).into_iter().map(|error| error.problem.to_string()).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let variables = |content: &Content| -> Result<Variables, Vec<String>> {
        let marked = template::mark(content, step.user_id.as_deref(), names);
        marked.map(|marked| marked.variables).map_err(|error| vec![error.problem.to_string()])
    };
    let (before, after) = (variables(&step.content)?, variables(&content)?);
    // The launch has counted the recipients who lack a value, and decided what becomes of them.
    let known: BTreeSet<usize> = before.iter().flat_map(Variable::needed_columns).map(|(column, _)| column).collect();
    let unknown = after.iter().flat_map(Variable::needed_columns).find(|(column, _)| !known.contains(column));
    if let Some((_, name)) = unknown {
        let sentence =
            format!("the launch has not looked at who lacks {{{{{name}}}}}; write a default: {{{{{name}|…}}}}");
        return Err(vec![sentence]);
    }
    let is_new = |variable: &&Variable| variable.may_be_unreadable() && !before.iter().any(|known| known == *variable);
    match after.iter().find(is_new) {
        Some(_) => {
            Err(vec!["a filter that cannot read every value is new in it; write the variable as it was".to_owned()])
        }
        None => Ok(content),
    }
}

impl Launcher<'_> {
    /// What a campaign that has sent nothing costs with a corrected text, counted for each of its messages.
    pub(super) async fn cost_of(&self, batch: &Batch, plan: &Plan) -> Result<Option<Cost>, LaunchError> {
        let walk = copied(self.store, batch.id, Scope::FactsAndRecipients, &mut |_, _| {}).await?;
        let Some(mut walk) = walk else { return Ok(None) };
        let costing = Costing::of(plan, true);
        let (mut costed, mut crowd) = (Costed::default(), Crowd::new());
        while let Some(page) = walk.next().await? {
            for facts in page.iter().filter(|facts| facts.message.present.outcome().is_none()) {
                let Loaded { country, address, .. } = facts.message;
                let taker = Taker { country, only_on: plan.only_on(address) };
                *crowd.entry(taker).or_default() += 1;
                let fields = facts.recipient.as_ref().and_then(|recipient| recipient.fields.unpack().ok());
                if let (Some(costing), Some(fields)) = (&costing, fields) {
                    costing.count(taker, &fields, false, &mut costed);
                }
            }
        }
        let by_taker = || Bill::of_crowd(plan, &crowd);
        Ok(costing.map_or_else(by_taker, |_| costed.bill().clone()).cost(plan))
    }
}
