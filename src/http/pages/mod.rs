//! Pages for operators, as HTML. Their templates are the files in `html`, their style and script those in `assets`.
//!
//! In: typed data of other rooms, such as the [`Bubble`](crate::rules::template::preview::Bubble) of a message, the
//! [`Look`](crate::campaigns::status::Look) of a campaign or the [`Story`](crate::campaigns::story::Story) of a message.
//!
//! Out: the pages of the server, each a type such as [`HomePage`]; [`PreviewPage`], a self-contained page of messages as
//! handsets show them; and [`ReferencePage`], the reference of the API.
//!
//! Promises:
//! - Every value is escaped where it is written, so a cell of a recipient file stays text.
//! - A page of the server loads its own style, icon and script, and nothing else. The other two run no script.
//! - Every page of the server works without its script: by links and forms.
//! - Without colours, without style and to a screen reader, a page says the same.
//! - Every text of the server's pages is in `texts`.
//!
//! May not: do I/O, read the store or decide anything.

mod access;
mod again;
mod assets;
mod audiences;
mod calendar;
mod campaign;
mod campaigns;
mod change;
mod chart;
mod events;
mod figures;
mod file_fields;
mod frame;
mod home;
mod lanes;
mod messages;
mod opt_outs;
mod plan;
mod preview;
mod recipient;
mod reference;
mod replies;
mod report;
mod review;
mod sending;
mod server;
mod show;
mod sign_in;
mod texts;
mod trouble;
mod webhooks;
mod writing;

pub use access::{
    AccessDone, AccessState, AskPage, AuditLogPage, AuditRow, Choices, KeyRow, KeysPage, NewKeyPage, NewOperatorPage,
    OperatorRow, OperatorScopesPage, OperatorsPage, PasswordPage, ScopeChoices, SecretKind, SecretPage, ShownSecret,
    operator_path,
};
pub use again::{AgainOutcome, AgainPage, AgainRecipient, UseAgainPage};
pub use assets::{ASSETS, Asset, Assets};
pub use audiences::{
    AudienceContents, AudiencePage, AudienceRow, AudiencesPage, CampaignUse, DeleteAudiencePage, ImportPage,
    RejectedPage, audience_path, countries, editable, is_mendable, mended_place, rejected_path,
};
pub use calendar::{CalendarEntry, CalendarPage, DayPage, Month};
pub use campaign::{CONFIRM_RESTORED, CampaignPage, CancelPage, CoursePart, Done, LivePart, RefusePage, RestoredPage};
pub use campaigns::{CampaignsPage, Row, campaign_path};
pub use change::{ChangePage, ChangeStep, DeleteDraftPage};
pub use events::EventsPage;
pub use file_fields::{CountryQuestion, FileFields, country_field};
pub use frame::{Frame, Part, Place};
pub use home::{Attention, HomePage};
pub use lanes::{LaneSettingsPage, LanesPage};
pub use messages::{
    FoundPage, LookedAt, MessagePage, NO_CODE, RecipientFilter, RecipientsPage, Repeatable, SentMessage, SentStep,
    Standing, repetition_of_one,
};
pub use opt_outs::{AddOptOutsPage, OptOutRow, OptOutsPage, Opted, purpose_field};
pub use plan::PlanPage;
pub use preview::{PreviewMessage, PreviewPage, PreviewStep};
pub use recipient::{ConsentDone, ConsentPage, Contact, RecipientPage, WishLine, path_of, recipient_path};
pub use reference::{Operation, OperationGroup, Parameter, PossibleAnswer, ProblemPage, ReferencePage, SchemaText};
pub use replies::{AnsweredMessage, RepliesPage, Reply, UNDECIDED_COUNTED};
pub use report::{
    ReportPage, ShareLink, SharePage, SharedReportPage, Tables, TablesPage, TablesStage, outcomes_besides_reached,
};
pub use review::{Outlook, OutlookStep, TestForm, WriteReview};
pub use sending::{
    FetchedLanes, FetchedTemplates, PriceRow, PricesPage, TemplateDone, TemplateHold, TemplateInLanguage, TemplatePage,
    TemplateRow, TemplatesPage, template_path,
};
pub use server::{DoctorPage, SettingChange, SettingRow, SettingSection, SettingsPage};
pub use sign_in::{KeptForm, KeptPage, SetupPage, SignInPage};
pub use texts::Texts;
pub use trouble::TroublePage;
pub use webhooks::{
    DeliveryPage, DeliveryRow, NewWebhookPage, TryRow, TypeGroup, WebhookPage, WebhookRow, WebhooksPage,
};
pub use writing::{
    ChosenAudience, Count, DiscardPage, Field, FieldKind, LineStep, Pattern, StepFields, Unfinished, UnfinishedPage,
    WriteCheck, WriteContent, WriteImport, WriteRecipients, WriteRoute, WriteTime, Writing, WritingPage,
};

/// The texts of the pages.
pub const fn texts() -> &'static Texts {
    &texts::ENGLISH
}

/// A page, or a part of one, that becomes HTML.
pub trait Page {
    fn html(&self) -> Result<String, askama::Error>;
}

impl<T: askama::Template> Page for T {
    fn html(&self) -> Result<String, askama::Error> {
        self.render()
    }
}
