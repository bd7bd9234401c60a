//! The texts about audiences and rejected rows.

use super::texts;
use crate::base::domain::text::{grouped, plural};
use crate::http::pages::show::Plain;
use crate::recipients::audience::{ImportNote, Reason};

texts! {
    /// The texts about audiences and rejected rows.
    AudienceTexts;
    title = "Audiences";
    audience = "Audience";
    lead = "Your imported recipient files. A campaign sends to one or several of them.";

    // The list.
    name_contains = "Name contains";
    file = "File";
    files = "Files";
    imported = "Imported";
    by_command = "by command";
    none_yet = "There are no audiences yet.";
    none_yet_hint = "Upload a recipient file above, or run: volley audience import FILE";
    upload_new = "New audience";

    // One audience.
    new_campaign_with_it = "Use in a new campaign";
    download_recipients = "Download CSV";
    delete_it = "Delete…";
    used_by = "Campaigns that use it";
    not_used = "No campaign uses it.";
    older_campaigns = "Older campaigns use it too.";
    other_countries = "other countries";
    other_columns = "other columns";
    no_record = "The import of this audience was not recorded.";
    imported_notice = "The file is imported.";
    deleted_notice = "The audience is deleted.";

    // Rejected rows.
    rejected_lead = "These rows of the file were rejected. Correct their numbers here, and the rows are added to this audience.";
    all_reasons = "All reasons";
    line = "Line";
    number_as_written = "Number as written";
    download_rejects = "Download CSV";
    none_rejected = "No row was rejected.";
    none_rejected_hint = "Every row of the file became a recipient.";
    none_of_reason = "No stored row has this reason.";
    cut_rows = "A row of more than 64 KiB is stored in part: its long cells end with “… (cut)”. Correct such a row in its file, not here.";
    not_stored = "An earlier version of Volley imported the file and did not store these rows. Import it again to see them.";
    back_to_campaign = "Back to the unfinished campaign";
    mend = "Import corrected rows";
    mend_lead = "Rows whose number you changed on this page are added to this audience.";
    mend_lead_campaign = "Rows whose number you changed on this page are added to this audience, and so to the campaign.";
    mend_unchanged = "Import the unchanged rows of this page too";
    mend_unchanged_hint = "For example after you have chosen another country or other numbers above.";
    mend_button = "Import corrected rows";
    ask_country_lead = "Nothing is stored yet. Which country are they from?";
    ask_country_hint = "Numbers with a country code keep it. Without a country here, these rows are rejected and the others are imported.";
    ask_country_button = "Import";
    nothing_to_mend = "No number was changed, or the rows are corrected already, so nothing was imported.";
    upload_corrected = "Or upload a corrected file";
    upload_corrected_lead = "Download the rejected rows, correct them in a spreadsheet, and upload the file. Its columns line and reason are ignored.";
    corrected_file = "Corrected file";

    // Deleting.
    delete_title = "Delete this audience?";
    delete_confirm = "Delete the audience";
    keep_it = "Keep it";
    delete_lead = "Its recipients and its rejected rows are deleted from the database. This cannot be undone.";
    delete_unused = "No campaign uses it. Reports of purged campaigns stay as they are.";
    delete_refused = "Campaigns use this audience. It can be deleted once they are purged: after the time under [retention] in volley.toml, or by the command volley purge.";
    delete_sketches = "These unfinished campaigns then need another audience:";

    // How a file was read.
    notes = "How the file was read";
    upload_replaces_nothing = "A file that you upload again is another audience: add it, and remove this one from the campaign.";

    // How the numbers of a file are read.
    lines = "Numbers";
    all_lines = "All valid numbers";
    mobile_lines = "Mobile numbers only";
    lines_hint = "Few messages arrive at landlines and service numbers. Some countries do not tell them from mobile numbers.";

    // The audiences of an unfinished campaign.
    chosen = "Audiences of this campaign";
    chosen_lead = "A number in several audiences gets one message, with the values of the first audience.";
    nothing_chosen = "No audience is chosen yet. Upload a file, or add an imported audience below.";
    remove = "Remove";
    add = "Add";
    add_audience = "Add an imported audience";
    add_another = "Change the audiences";
    chosen_tag = "chosen";
    missing = "deleted";
    go_to_check = "Continue";
    in_all = "Recipients in all audiences";
    see_rows = "Correct these rows";
}

impl AudienceTexts {
    /// What is wrong with a row and what to do, in the words of a page.
    pub fn reason(&self, reason: impl Plain<Reason>) -> &'static str {
        match reason.plain() {
            Reason::CountryMissing => {
                "The number has no country code, and the row names no country. Write it with + and country code, or import the row again with the country of such numbers."
            }
            Reason::Landline => {
                "The number is a landline or a service number, and only mobile numbers were accepted. Find the recipient's mobile number, or import the row again with “All valid numbers”."
            }
            Reason::IdTooLong => "The ClientMessageId has more than 50 characters. Shorten it in the file.",
            Reason::TooManyCells => {
                "The row has more filled cells than the header has columns. Put quotes around text that contains the delimiter."
            }
            other => other.sentence(),
        }
    }

    /// What to do about a note on a file, if a page can say it.
    pub fn note_advice(&self, note: &ImportNote) -> Option<String> {
        Some(match note {
            ImportNote::OtherSheets { .. } => "To import another sheet, save it as a file of its own.".to_owned(),
            ImportNote::NoHeader => {
                "To name them, add a first row with names to the file, and upload it again.".to_owned()
            }
            ImportNote::Landlines(_) => {
                format!("To leave them out, upload the file again with “{}”.", self.mobile_lines)
            }
            ImportNote::UntoldCountry(_) | ImportNote::NotACountry { .. } => {
                "If numbers are national, upload the file again with their country.".to_owned()
            }
            ImportNote::OtherNumbers { taken, .. } => {
                format!("To send to others, remove \"{taken}\" from the file, and upload it again.")
            }
            ImportNote::Damaged { .. } => "Save the file as UTF-8, and upload it again.".to_owned(),
            _ => return None,
        })
    }

    /// The name of a reason, as a heading.
    pub fn reason_name(&self, reason: impl Plain<Reason>) -> String {
        crate::base::domain::text::capital(reason.plain().as_str())
    }

    /// `12 rejected rows: too short`, for a link.
    pub fn rows_of(&self, reason: impl Plain<Reason>, rows: impl Plain<u64>) -> String {
        format!("{}: {}", plural(rows.plain(), "rejected row", "rejected rows"), reason.plain().as_str())
    }

    /// What the list of rows lacks.
    pub fn only_first_stored(&self, stored: impl Plain<u64>, rows: impl Plain<u64>) -> String {
        format!(
            "The first {} of {} rejected rows are stored and shown. Check the whole file with: volley audience check FILE --rejects ROWS.csv",
            grouped(stored.plain()),
            grouped(rows.plain())
        )
    }

    pub fn more(&self, number: impl Plain<usize>, what: &str) -> String {
        format!("and {} {what}", number.plain())
    }

    pub fn hidden_columns(&self, number: impl Plain<usize>) -> String {
        format!(
            "{} are in the CSV file only.",
            plural(u64::try_from(number.plain()).unwrap_or(u64::MAX), "further column", "further columns")
        )
    }

    /// The label of the field with the number of a row.
    pub fn number_in_line(&self, line: impl Plain<u64>) -> String {
        format!("Number in line {}", line.plain())
    }

    /// `203 of 264 rows have a number without a country code.`
    pub fn without_country(&self, without: impl Plain<u64>, rows: impl Plain<u64>) -> String {
        let (without, rows) = (without.plain(), rows.plain());
        format!("{} of {} have a number without a country code.", grouped(without), plural(rows, "row", "rows"))
    }

    pub fn mend_all(&self, rows: impl Plain<u64>) -> String {
        format!("Import all {} of this reason", plural(rows.plain(), "row", "rows"))
    }

    /// The name of a file with corrected rows.
    pub fn mended(&self, name: &str) -> String {
        format!("{name}, corrected")
    }

    /// What became of rejected rows that were corrected.
    pub fn were_corrected(&self, rows: impl Plain<u64>) -> String {
        let rows = plural(rows.plain(), "of them was", "of them were");
        format!("{rows} corrected, and imported as recipients.")
    }

    /// `without the 2 that were corrected`.
    pub fn beside_corrected(&self, rows: impl Plain<u64>) -> String {
        format!("without the {} corrected", plural(rows.plain(), "that was", "that were"))
    }

    pub fn remove_audience(&self, name: &str) -> String {
        format!("Remove {name}")
    }

    pub fn add_this(&self, name: &str) -> String {
        format!("Add {name}")
    }
}
