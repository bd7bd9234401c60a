//! `volley template list`: every template that is known, in use or on hold.

use std::collections::BTreeSet;

use crate::base::clock::format_time;
use crate::base::domain::Category;
use crate::campaigns::status::{KnownTemplateView, TemplateView, Templates, holds};
use crate::cli::CommandContext;
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Only templates of this lane's channel, and those in use or on hold on the lane.
    #[arg(long, value_name = "NAME")]
    lane: Option<String>,
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
        self.lane.is_some() || self.asks_the_provider()
    }

    /// Whether it asks for what is known of fetched templates only.
    const fn asks_the_provider(&self) -> bool {
        self.status.is_some() || self.category.is_some() || self.language.is_some()
    }

    /// Leaves only what the filters select.
    fn select(&self, templates: &mut Templates) {
        let is_lane = |lane: &String| self.lane.as_ref().is_none_or(|wanted| wanted == lane);
        templates.holds.retain(|hold| is_lane(&hold.lane));
        for view in &mut templates.views {
            view.holds.retain(|hold| is_lane(&hold.lane));
            view.reports.retain(|report| report.lane.as_ref().is_none_or(is_lane));
            view.at_provider.retain(|known| known.lanes.iter().any(is_lane) && self.selects(known));
        }
        let is_used = |view: &TemplateView| !self.asks_the_provider() && view.lanes.iter().any(is_lane);
        templates.views.retain(|view| !view.at_provider.is_empty() || is_used(view));
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
    if let Some(lane) = &args.lane {
        context.config.named_lane(lane)?;
    }
    let store = context.store_for_reading().await?;
    let mut templates = Templates::read(&context.launcher(store.as_ref())).await?;
    if args.has_filter() {
        args.select(&mut templates);
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

/// Every template in each of its languages, with its lanes if there are templates of several channels. One that is used or on
/// hold but not listed has a row of its own.
fn of_provider(views: &[TemplateView], paint: Paint) -> Table {
    let channels: BTreeSet<(&str, &str)> =
        views.iter().flat_map(|view| &view.at_provider).map(KnownTemplateView::channel).collect();
    let of_lanes = |lanes: &[String]| (channels.len() > 1).then(|| lanes.join(", "));
    let mut columns = vec!["template", "language"];
    columns.extend((channels.len() > 1).then_some("lanes"));
    columns.extend(["category", "status", "quality", "text", "updated", "active campaigns", "hold"]);
    let mut table = Table::new(&columns);
    for template in views {
        let campaigns = template.campaigns.join(", ");
        let hold = if template.holds.is_empty() { String::new() } else { paint.bad("on hold") };
        for known in &template.at_provider {
            let updated = known.updated_at.map(|at| format_time(at, None)).unwrap_or_default();
            let rest = [
                known.category.clone(),
                status(&known.status, paint),
                known.quality.clone().unwrap_or_default(),
                beginning(&known.text.body),
                updated,
                campaigns.clone(),
                hold.clone(),
            ];
            let name = [template.name.clone(), known.language.clone()];
            table.row(name.into_iter().chain(of_lanes(&known.lanes)).chain(rest));
        }
        if template.at_provider.is_empty() {
            let (languages, unknown) = (template.languages.join(", "), paint.so_so("not listed"));
            let empty = String::new;
            let rest = [empty(), unknown, empty(), empty(), empty(), campaigns, hold];
            let name = [template.name.clone(), languages];
            table.row(name.into_iter().chain(of_lanes(&template.lanes)).chain(rest));
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
    use crate::base::domain::Timestamp;
    use crate::campaigns::report::QueuedMessages;
    use crate::provider::catalogue::TemplateTextView;

    /// A template that is listed on these lanes' channels, one for each, and used on `used`.
    fn view(name: &str, listed: &[&str], used: &[&str]) -> TemplateView {
        let known = |lane: &&str| KnownTemplateView {
            account_id: "acme-1".to_owned(),
            channel_id: format!("channel of {lane}"),
            lanes: vec![(*lane).to_owned()],
            language: "en".to_owned(),
            category: "UTILITY".to_owned(),
            status: "APPROVED".to_owned(),
            quality: None,
            rejection: None,
            text: TemplateTextView::default(),
            updated_at: None,
            fetched_at: Timestamp::from_millis(0),
        };
        TemplateView {
            name: name.to_owned(),
            lanes: used.iter().map(|lane| (*lane).to_owned()).collect(),
            at_provider: listed.iter().map(known).collect(),
            ..TemplateView::default()
        }
    }

    /// The rows that the filters leave, with their header.
    fn listed(lane: Option<&str>, status: Option<&str>) -> Vec<Vec<String>> {
        let views = vec![
            view("both", &["one", "two"], &[]),
            view("first", &["one"], &[]),
            view("unlisted", &[], &["two"]),
            view("elsewhere", &["one"], &["two"]),
        ];
        let (holds, waiting, flagged) = (Vec::new(), QueuedMessages::default(), Vec::new());
        let mut templates = Templates { views, holds, waiting, is_fetched: true, flagged };
        let [lane, status] = [lane, status].map(|text| text.map(str::to_owned));
        Args { lane, status, category: None, language: None, json: false }.select(&mut templates);
        let lines = of_provider(&templates.views, Paint::PLAIN).lines(Paint::PLAIN);
        lines.iter().map(|line| line.split_whitespace().take(3).map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_lane_selects_the_templates_of_its_channel_and_those_in_use_on_it() {
        let of_one = [["template", "language", "category"], ["both", "en", "UTILITY"], ["first", "en", "UTILITY"]];
        assert_eq!(listed(Some("one"), None), [&of_one[..], &[["elsewhere", "en", "UTILITY"]]].concat());
        let of_two = [
            ["template", "language", "category"],
            ["both", "en", "UTILITY"],
            ["unlisted", "–", "–"],
            ["elsewhere", "–", "–"],
        ];
        assert_eq!(listed(Some("two"), None), of_two);
        assert_eq!(listed(Some("two"), Some("approved")), of_two[..2]);
    }

    #[test]
    fn templates_of_several_channels_are_listed_with_their_lanes() {
        let all = [
            ["template", "language", "lanes"],
            ["both", "en", "one"],
            ["both", "en", "two"],
            ["first", "en", "one"],
            ["unlisted", "–", "two"],
            ["elsewhere", "en", "one"],
        ];
        assert_eq!(listed(None, None), all);
    }

    #[test]
    fn a_long_text_is_cut_and_stays_on_one_line() {
        assert_eq!(beginning("Hi {{1}},\n\nwelcome"), "Hi {{1}}, welcome");
        let long = beginning(&"ä".repeat(50));
        assert!(long.chars().count() == TEXT_MAX && long.ends_with("ä…"), "{long}");
    }
}
