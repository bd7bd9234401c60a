//! What can still be changed about a campaign that was launched, and the question before a draft is deleted.

use askama::Template;

use super::campaigns::campaign_path;
use super::frame::Frame;
use super::writing::{Field, FieldKind};

/// A step whose hours and limits can be changed.
#[derive(Debug)]
pub struct ChangeStep {
    pub number: usize,
    pub title: String,
    pub fields: Vec<Field>,
    /// What is wrong and belongs to no field.
    pub problems: Vec<String>,
    /// Why it is held, if it is.
    pub held: Option<String>,
    /// Messages that wait for it.
    pub queued: i64,
}

/// What can still be changed about a campaign.
#[derive(Debug, Template)]
#[template(path = "change.html")]
pub struct ChangePage {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    /// The edition of the plan that the page shows.
    pub edition: u32,
    pub name: Field,
    /// The fields of the campaign, by heading.
    pub groups: Vec<(&'static str, Vec<Field>)>,
    pub steps: Vec<ChangeStep>,
    pub problems: Vec<String>,
    /// Why nothing but the name can be changed.
    pub locked: Option<String>,
}

impl ChangePage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }
}

/// The question before a draft is deleted.
#[derive(Debug, Template)]
#[template(path = "delete_draft.html")]
pub struct DeleteDraftPage {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    pub messages: u32,
}

impl DeleteDraftPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }
}
