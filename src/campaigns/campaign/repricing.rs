//! Gives the campaigns in play the category that the provider has moved a template to: it sets the price of each message, how
//! long the provider delivers it, and whether the quality guard holds it.

use std::collections::{BTreeMap, BTreeSet};

use super::prices::PriceList;
use crate::base::config::Config;
use crate::base::domain::{
    BatchState, Category, Channel, Content, Plan, Prices, Step, StepIndex, Tariff, TemplateName, Timestamp,
};
use crate::base::events::{ChangedKey, Origin};
use crate::provider::catalogue::Catalogue;
use crate::sending::book::{Book, Entry};
use crate::store::{Amendment, Result, Store};

/// Countries whose prices an event shows.
const SHOWN: usize = 5;

/// Compares the campaigns in play with the provider's categories after each decision.
///
/// A plan that has the present categories is left alone. So nothing is changed twice, and a crash after a report loses nothing.
#[derive(Debug, Default)]
pub(super) struct Repricing {
    /// The decision up to which the plans were compared.
    seen: Option<u64>,
}

impl Repricing {
    pub(super) async fn run_once(
        &mut self,
        store: &dyn Store,
        book: &Book,
        config: &Config,
        seq: u64,
        now: Timestamp,
    ) -> Result<()> {
        if self.seen == Some(seq) {
            return Ok(());
        }
        let in_play = book.in_play().into_iter().filter(|entry| BatchState::OPEN.contains(&entry.state()));
        let open: Vec<_> = in_play.filter(|entry| templates(&entry.plan).next().is_some()).collect();
        let names: BTreeSet<&str> =
            open.iter().flat_map(|entry| templates(&entry.plan)).map(|(.., template)| template.name).collect();
        if !names.is_empty() {
            let names = names.into_iter().map(str::to_owned).collect();
            let catalogue = Catalogue::read(store, &config.lanes, Some(names)).await?;
            for entry in &open {
                let categories = moved(&entry.plan, &catalogue, config);
                if !categories.is_empty() {
                    reprice(store, config, entry, &categories, now).await?;
                }
            }
        }
        self.seen = Some(seq);
        Ok(())
    }
}

/// The steps of a plan with a WhatsApp template.
fn templates(plan: &Plan) -> impl Iterator<Item = (StepIndex, &Step, TemplateName<'_>)> {
    let of_whatsapp = plan.indexed_steps().filter(|(_, step)| step.channel == Channel::WhatsApp);
    of_whatsapp.filter_map(|(index, step)| Some((index, step, step.content.template()?)))
}

/// The steps whose template has another category by now.
fn moved(plan: &Plan, catalogue: &Catalogue, config: &Config) -> BTreeMap<StepIndex, Category> {
    let present = |(index, step, template): (StepIndex, &Step, TemplateName<'_>)| {
        let mut lanes = step.lanes.names().filter_map(|lane| config.lane(lane));
        let category = lanes.find_map(|lane| catalogue.category(lane, template.name, template.language))?;
        (step.content.category() != Some(category)).then_some((index, category))
    };
    templates(plan).filter_map(present).collect()
}

/// Changes a campaign in the provider's name. If its plan was changed meanwhile, the next look sees that change as well.
async fn reprice(
    store: &dyn Store,
    config: &Config,
    entry: &Entry,
    categories: &BTreeMap<StepIndex, Category>,
    now: Timestamp,
) -> Result<()> {
    let Some(batch) = store.batch(entry.id).await?.filter(|batch| batch.edition == entry.edition) else {
        return Ok(());
    };
    let (list, kept) = match price_list(&entry.plan, config) {
        Ok(list) => (list, String::new()),
        Err(why) => (None, format!("; its prices stay, because {why}")),
    };
    let mut plan = entry.plan.clone();
    for (index, category) in categories {
        if let Some(step) = plan.steps.get_mut(index.index()) {
            recategorize(step, *category, list.as_ref());
        }
    }
    let changes = differences(&entry.plan, &plan);
    let (batch, edition, starts_at) = (batch.id, batch.edition, batch.starts_at);
    let origin = Origin::provider(format!("the provider has another category for its template{kept}"));
    store.amend(Amendment { batch, edition, plan, starts_at, origin, changes, now }).await?;
    Ok(())
}

/// The present price list; `None` if the campaign was launched without one. An error says why it cannot be used.
fn price_list(plan: &Plan, config: &Config) -> std::result::Result<Option<PriceList>, String> {
    if !plan.has_prices() {
        return Ok(None);
    }
    let file = config.prices.as_deref().ok_or("there is no price list any more")?;
    let list = PriceList::load(file).map_err(|error| error.to_string())?;
    if list.currency == plan.currency {
        return Ok(Some(list));
    }
    let named = |currency: &Option<String>| currency.clone().unwrap_or_else(|| "no currency".to_owned());
    Err(format!("the price list is now in {}, not in {}", named(&list.currency), named(&plan.currency)))
}

/// Sets the category of a step's template, with all that follows from it.
fn recategorize(step: &mut Step, category: Category, list: Option<&PriceList>) {
    let window = |step: &Step| {
        let delivered = step.content.delivers_for(None).unwrap_or(step.receipt_window);
        delivered.max(step.fallback_after.unwrap_or_default())
    };
    let has_own_window = step.receipt_window != window(step);
    step.content.set_category(category);
    if !has_own_window {
        step.receipt_window = window(step);
    }
    if let Some(list) = list {
        step.prices = prices(list, step.channel, &step.content, &step.prices);
    }
}

/// The prices of a content. A country without a price keeps its former one: without any, a budget would not count it. What is
/// charged stays as well, country by country: messages in flight are counted by it.
fn prices(list: &PriceList, channel: Channel, content: &Content, former: &Prices) -> Prices {
    let kept = |was: Tariff, is: Option<Tariff>| is.map_or(was, |is| is.counted_as(was));
    let mut prices = list.of(channel, content);
    for (country, was) in &former.by_country {
        prices.by_country.insert(*country, kept(*was, prices.of(*country)));
    }
    if let Some(was) = former.others {
        let named = prices.by_country.iter_mut().filter(|(country, _)| !former.by_country.contains_key(country));
        named.for_each(|(_, is)| *is = is.counted_as(was));
        prices.others = Some(kept(was, prices.others));
    }
    prices
}

fn differences(before: &Plan, after: &Plan) -> Vec<ChangedKey> {
    let mut changes = Vec::new();
    for ((index, was), is) in before.indexed_steps().zip(&after.steps) {
        let mut add = |key: &str, before: String, after: String| {
            if before != after {
                changes.push(ChangedKey { step: Some(index.get() + 1), key: key.to_owned(), before, after });
            }
        };
        let category = |step: &Step| step.content.category().map_or("unknown".to_owned(), |known| known.to_string());
        add("category", category(was), category(is));
        let [before, after] = differing(&was.prices, &is.prices, before.currency.as_deref());
        add("price", before, after);
    }
    changes
}

/// Both prices as texts, where they differ: `SG 0.03 EUR, others 0.05 EUR`.
fn differing(before: &Prices, after: &Prices, currency: Option<&str>) -> [String; 2] {
    let countries: BTreeSet<_> = before.by_country.keys().chain(after.by_country.keys()).collect();
    let of = |prices: &Prices| {
        let of_countries = countries.iter().map(|country| (country.to_string(), prices.of(**country)));
        of_countries.chain([("others".to_owned(), prices.others)]).collect::<Vec<_>>()
    };
    let both = of(before).into_iter().zip(of(after)).filter(|((_, before), (_, after))| before != after);
    let (before, after): (Vec<_>, Vec<_>) = both.unzip();
    [before, after].map(|prices| {
        let text = |(country, price): &(String, Option<_>)| {
            let price = price.map_or("none".to_owned(), |tariff: Tariff| tariff.price.in_currency(currency));
            format!("{country} {price}")
        };
        let mut shown: Vec<String> = prices.iter().take(SHOWN).map(text).collect();
        if prices.len() > SHOWN {
            shown.push(format!("and {} more", prices.len() - SHOWN));
        }
        shown.join(", ")
    })
}
