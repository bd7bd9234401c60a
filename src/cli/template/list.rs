//! `volley template list`: every template that is known, in use or on hold.

use crate::cli::CommandContext;
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::clock::format_time;
use crate::domain::Category;
use crate::status::{KnownTemplateView, TemplateView, Templates, holds};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Only templates with this status at the provider, such as APPROVED, PENDING or PAUSED.
    #[arg(long)]
    status: Option<String>,
    /// Only templates of this category: AUTHENTICATION, UTILITY or MARKETING.
    #[arg(long)]
    category: Option<Category>,
    /// Only templates in this language, such as en or en_US.
    #[arg(long)]
    language: Option<String>,
    /// Print a JSON list of objects.
    #[arg(long)]
    json: bool,
}

impl Args {
    const fn has_filter(&self) -> bool {
        self.status.is_some() || self.category.is_some() || self.language.is_some()
    }

    fn selects(&self, known: &KnownTemplateView) -> bool {
        let is =
            |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(own));
        let category = self.category.is_none_or(|wanted| wanted.as_str().eq_ignore_ascii_case(&known.category));
        is(&self.status, &known.status) && is(&self.language, &known.language) && category
    }
}

/// The most characters of a template's text in the table.
const TEXT_MAX: usize = 40;

pub(super) async fn run(context: &CommandContext, args: &Args) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let mut templates = Templates::read(&context.launcher(store.as_ref())).await?;
    if args.has_filter() {
        // What the filters ask for is known of fetched templates only.
        for view in &mut templates.views {
            view.at_provider.retain(|known| args.selects(known));
        }
        templates.views.retain(|view| !view.at_provider.is_empty());
    }
    if args.json {
        return out::json(&templates.views);
    }
    if templates.views.is_empty() {
        out::talk(match (args.has_filter(), templates.is_fetched) {
            (true, true) => "No template matches.",
            (true, false) => "No template matches: none was fetched yet; fetch them with volley template pull.",
            (false, true) => "The provider has no templates, none is on hold, and no active campaign uses one.",
            (false, false) => {
                "No template is on hold, and no active campaign uses one. Fetch the provider's templates with volley \
                 template pull."
            }
        });
        return Ok(());
    }
    let paint = To::Stdout.paint();
    let table =
        if templates.is_fetched { of_provider(&templates.views, paint) } else { in_use(&templates.views, paint) };
    out::lines(table.lines(paint))?;
    details(context, &templates, paint)
}

/// What Volley does with a template now.
fn state(template: &TemplateView, paint: Paint) -> String {
    match template.status() {
        _ if !template.holds.is_empty() => paint.bad("on hold"),
        Some("FLAGGED") => paint.so_so("ready, FLAGGED"),
        Some(_) | None => paint.good("ready"),
    }
}

/// Without the provider's list: the templates in use and on hold.
fn in_use(views: &[TemplateView], paint: Paint) -> Table {
    let mut table = Table::new(&["template", "languages", "lanes", "active campaigns", "state"]);
    for template in views {
        table.row([
            template.name.clone(),
            template.languages.join(", "),
            template.lanes.join(", "),
            template.campaigns.join(", "),
            state(template, paint),
        ]);
    }
    table
}

/// Every template in each of its languages. One that is used or on hold but not listed has a row of its own.
fn of_provider(views: &[TemplateView], paint: Paint) -> Table {
    let columns =
        ["template", "language", "category", "status", "quality", "text", "updated", "active campaigns", "hold"];
    let mut table = Table::new(&columns);
    for template in views {
        let campaigns = template.campaigns.join(", ");
        let hold = if template.holds.is_empty() { String::new() } else { paint.bad("on hold") };
        for known in &template.at_provider {
            let updated = known.updated_at.map(|at| format_time(at, None)).unwrap_or_default();
            table.row([
                template.name.clone(),
                known.language.clone(),
                known.category.clone(),
                status(&known.status, paint),
                known.quality.clone().unwrap_or_default(),
                beginning(&known.text.body),
                updated,
                campaigns.clone(),
                hold.clone(),
            ]);
        }
        if template.at_provider.is_empty() {
            let (languages, unknown) = (template.languages.join(", "), paint.so_so("not listed"));
            let name = template.name.clone();
            let empty = String::new;
            table.row([name, languages, empty(), unknown, empty(), empty(), empty(), campaigns, hold]);
        }
    }
    table
}

pub(super) fn status(word: &str, paint: Paint) -> String {
    match word {
        "APPROVED" => paint.good(word),
        "REJECTED" | "DISABLED" | "PAUSED" | "PENDING_DELETION" => paint.bad(word),
        _ => paint.so_so(word),
    }
}

/// The first characters of a text, on one line.
fn beginning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TEXT_MAX {
        return line;
    }
    let mut short: String = line.chars().take(TEXT_MAX - 1).collect();
    short.push('…');
    short
}

/// Holds, what the provider reports, and the campaigns that a flagged template affects.
fn details(context: &CommandContext, templates: &Templates, paint: Paint) -> anyhow::Result<()> {
    let Templates { views, holds: all, waiting, flagged, .. } = templates;
    for hold in all {
        out::data(format_args!("\n{}", holds::sentence_since(hold, waiting.held_by(hold), context.now())))?;
        out::data(paint.dim(format!("  {}", holds::what_to_do(hold))))?;
    }
    for (template, report) in
        views.iter().flat_map(|template| template.reports.iter().map(move |report| (template, report)))
    {
        out::data(format_args!("\n{}", report.sentence(&template.name)))?;
    }
    for (batch, _, sentence) in flagged {
        let name = batch.display_name();
        out::data(format_args!("\n{}", paint.so_so(format!("\"{name}\": {sentence}"))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_stays_on_one_line() {
        assert_eq!(beginning("Hi {{1}},\n\nwelcome"), "Hi {{1}}, welcome");
        let long = beginning(&"ä".repeat(50));
        assert!(long.chars().count() == TEXT_MAX && long.ends_with("ä…"), "{long}");
    }
}
