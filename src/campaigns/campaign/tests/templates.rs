//! Tests campaigns against what is known of the provider's templates.

use super::setup::Setup;
use super::*;
use crate::base::clock::Clock;
use crate::base::domain::{BatchState, Category, Content, Country};
use crate::base::events::Subject;
use crate::sending::book::Book;
use crate::store::{
    AccountEvent, Batch, Cursor, FetchedTemplates, HeldBy, Hold, ProviderReport, StoredTemplate, TemplatePlace,
};

const LANES: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\naccount_id = \"acme-1\"\n\
                     api_key = \"k\"\n[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nchannel_id = \"wa-1\"\n[[lane]]\n\
                     name = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";

impl Setup {
    async fn of_lanes() -> Self {
        Self::with(Config::read(Some((Path::new("volley.toml"), LANES)), std::iter::empty(), []).unwrap().config).await
    }

    /// A store that knows the template `promo` in English, with this status.
    async fn knowing(status: &str) -> Self {
        let setup = Self::of_lanes().await;
        setup.fetch(status).await;
        setup
    }

    async fn fetch(&self, status: &str) {
        self.fetch_on("wa-1", status, "UTILITY").await;
    }

    async fn fetch_on(&self, channel: &str, status: &str, category: &str) {
        let components = r#"[{"type":"HEADER","format":"TEXT","text":"News"},
            {"type":"BODY","text":"Hi {{1}}, code {{2}} is yours."},{"type":"FOOTER","text":"Acme"},
            {"type":"BUTTONS","buttons":[{"type":"URL","text":"Go","url":"https://a.example/{{1}}"}]}]"#;
        self.fetch_parts(channel, status, category, components).await;
    }

    async fn fetch_parts(&self, channel: &str, status: &str, category: &str, components: &str) {
        let template = StoredTemplate {
            name: "promo".to_owned(),
            language: "en".to_owned(),
            category: category.to_owned(),
            status: status.to_owned(),
            components: components.to_owned(),
            updated_at: None,
        };
        let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: channel.to_owned() };
        let fetched = FetchedTemplates { place, fetched_at: self.clock.now(), templates: vec![template] };
        self.store.replace_templates(fetched, Vec::new()).await.unwrap();
    }

    /// A webhook that reports another category.
    async fn report_category(&self, category: &str) {
        self.clock.advance(Span::from_secs(1));
        let at = self.clock.now();
        let (about, what, value) = (Subject::template("promo", "en"), "category".to_owned(), category.to_owned());
        let event = AccountEvent {
            id: format!("{category} {}", at.rfc3339()),
            received: at,
            happened_at: at,
            kind: "template_category_update".to_owned(),
            raw: "{}".to_owned(),
            events: Vec::new(),
            overrides: Vec::new(),
            holds: Vec::new(),
            releases: Vec::new(),
            ended: Vec::new(),
            reports: vec![ProviderReport { about, what, value, at }],
        };
        self.store.take_business(vec![event]).await.unwrap();
    }

    /// The step of a campaign after a server that has just started has looked, with the number of its changes.
    async fn looked_at(&self, batch: &Batch) -> (Step, u32) {
        let (mut housekeeper, book) = self.housekeeper();
        self.state(batch, &mut housekeeper, &book).await;
        let plan = self.store.plan(batch.id).await.unwrap().unwrap();
        (plan.steps[0].clone(), self.store.batch(batch.id).await.unwrap().unwrap().edition)
    }

    async fn plan(&self, keys: &str, of_template: &str) -> Result<Prepared, String> {
        self.launcher().plan(&campaign(keys, of_template)).await.map_err(|error| error.to_string())
    }

    async fn launch_promo(&self, keys: &str) -> Batch {
        let launched = self.launcher().launch(&campaign(keys, ""), |_| None).await.unwrap().0;
        self.store.batch(launched.batch).await.unwrap().unwrap()
    }

    /// The state of a campaign after the housekeeper has looked, with its reason.
    async fn state(&self, batch: &Batch, housekeeper: &mut Housekeeper, book: &Book) -> (BatchState, Option<String>) {
        book.refresh().await.unwrap();
        housekeeper.run_once(self.clock.now()).await.unwrap();
        let batch = self.store.batch(batch.id).await.unwrap().unwrap();
        (batch.state, batch.origin.and_then(|origin| origin.reason))
    }

    fn housekeeper(&self) -> (Housekeeper, Arc<Book>) {
        let book = Arc::new(Book::new(Arc::clone(&self.store)));
        (Housekeeper::new(Arc::clone(&self.store), Arc::clone(&book), Arc::new(self.config.clone())), book)
    }
}

/// A campaign with a template that fits, and more keys.
fn campaign(keys: &str, of_template: &str) -> Draft {
    let text = format!(
        "name = \"a\"\nnumbers = [\"+6591234567\"]\n{keys}\n[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \
         \"promo\"\nlanguage = \"en\"\nbody = [\"Ann\", \"A1\"]\nbuttons = [{{ index = 0, url = \"x\" }}]\n{of_template}\n"
    );
    file(&text).unwrap()
}

fn category(prepared: &Prepared) -> Category {
    let Content::Template(template) = &prepared.plan.steps[0].content else { panic!("a template") };
    template.category
}

#[tokio::test]
async fn the_category_comes_from_the_provider_if_the_file_names_none() {
    let setup = Setup::of_lanes().await;
    let missing = setup.plan("", "").await.unwrap_err();
    assert!(
        missing.contains("step 1, template, category: is missing") && missing.contains("template pull"),
        "{missing}"
    );
    let stated = setup.plan("", "category = \"MARKETING\"").await.unwrap();
    assert!(stated.templates.is_unchecked && stated.templates.known.is_empty());
    setup.fetch("APPROVED").await;
    let planned = setup.plan("", "").await.unwrap();
    assert_eq!((category(&planned), planned.templates.is_unchecked), (Category::Utility, false));
    let other = setup.plan("", "category = \"MARKETING\"").await.unwrap_err();
    assert!(other.contains("step 1, template, category: template promo (en) is UTILITY"), "{other}");
}

#[tokio::test]
async fn plan_and_launch_refuse_what_does_not_fit_the_template() {
    let setup = Setup::knowing("APPROVED").await;
    let refused = setup.plan("", "header = { image = \"https://a.example/a.png\" }").await.unwrap_err();
    assert!(refused.contains("step 1, template, header: the header of template promo (en)"), "{refused}");
    let pending = Setup::knowing("PENDING").await;
    let refused = pending.launcher().launch(&campaign("", ""), |_| None).await.unwrap_err().to_string();
    assert!(refused.contains("step 1, template: template promo (en) is PENDING"), "{refused}");
}

#[tokio::test]
async fn the_preview_shows_the_whole_text_of_the_template() {
    let setup = Setup::knowing("APPROVED").await;
    let prepared = setup.plan("", "").await.unwrap();
    let approved = prepared.templates.approved(StepIndex::FIRST);
    let Prepared { plan, recipients, .. } = &prepared;
    let bubble = message(&plan.steps[0], plan.names(), approved.as_ref(), &recipients.first[0]).unwrap();
    let lines: Vec<String> = bubble.lines().into_iter().map(|line| format!("{}: {}", line.label, line.text)).collect();
    assert_eq!(
        lines,
        [
            "template: promo (en, UTILITY)",
            "header: News",
            "body: Hi Ann, code A1 is yours.",
            "footer: Acme",
            "button 0 title: Go",
            "button 0 url: https://a.example/x",
        ]
    );
}

#[tokio::test]
async fn previews_of_all_recipients_have_the_text_of_the_template() {
    let setup = Setup::knowing("APPROVED").await;
    let request = PreviewRequest { to: Vec::new(), seed: 1, sms_parts_max: 10 };
    let planned = setup.launcher().plan_with_preview(&campaign("", ""), request, |_| {}).await.unwrap();
    let previews = planned.recipients.previews.unwrap();
    let [step] = &previews.steps[..] else { panic!("one step") };
    assert_eq!((previews.recipients, step.breaking, step.shown.len()), (1, 0, 1));
    let body = step.shown[0].bubble.body.text.as_ref().map(ToString::to_string);
    assert_eq!(body.as_deref(), Some("Hi Ann, code A1 is yours."));
    // The same without recipients.
    let draft = campaign("", "");
    let sample = Sample::of_draft(&draft, &setup.config, setup.store.as_ref()).await.unwrap();
    let messages = sample.messages(|_| true, &[], 10).unwrap();
    assert_eq!(messages[0].1.bubble.footer.as_ref().map(ToString::to_string).as_deref(), Some("Acme"));
    // Without a wish, nothing is previewed.
    assert!(setup.plan("", "").await.unwrap().recipients.previews.is_none());
}

#[tokio::test]
async fn a_campaign_begins_when_its_template_is_approved() {
    let setup = Setup::knowing("PENDING").await;
    let batch = setup.launch_promo("when = \"approved\"").await;
    assert_eq!(batch.state, BatchState::Scheduled);
    let (mut housekeeper, book) = setup.housekeeper();
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Scheduled);
    setup.clock.advance(Span::from_secs(86_400));
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Scheduled, "nothing was missed");
    setup.fetch("APPROVED").await;
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await, (BatchState::Running, None));
}

#[tokio::test]
async fn a_campaign_whose_template_is_rejected_is_paused_with_the_reason() {
    let setup = Setup::knowing("PENDING").await;
    let batch = setup.launch_promo("when = \"approved\"").await;
    let (mut housekeeper, book) = setup.housekeeper();
    setup.fetch("REJECTED").await;
    let (state, why) = setup.state(&batch, &mut housekeeper, &book).await;
    assert_eq!(state, BatchState::Paused);
    assert!(why.as_deref().is_some_and(|why| why.contains("template promo (en), which is REJECTED")), "{why:?}");
    // To resume it does not send what the provider refuses.
    let batch = setup.store.batch(batch.id).await.unwrap().unwrap();
    resume(setup.store.as_ref(), setup.clock.as_ref(), &batch, &Origin::operator("Ann", None)).await.unwrap();
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Paused);
}

#[tokio::test]
async fn a_campaign_that_still_waits_at_its_end_starts_and_expires() {
    let setup = Setup::knowing("PENDING").await;
    let end = (now() + Span::from_secs(3_600)).rfc3339();
    let batch = setup.launch_promo(&format!("when = \"approved\"\nend = \"{end}\"")).await;
    let (mut housekeeper, book) = setup.housekeeper();
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Scheduled);
    assert_eq!(housekeeper.next_start(), Some(now() + Span::from_secs(3_600)));
    setup.clock.advance(Span::from_secs(3_600));
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Running);
}

#[tokio::test]
async fn a_wait_for_approval_needs_a_known_template_and_no_time_that_counts_from_the_launch() {
    let setup = Setup::of_lanes().await;
    let marketing = "category = \"MARKETING\"";
    let refused = |problem: Result<Prepared, String>, says: &str| {
        let problem = problem.unwrap_err();
        assert!(problem.contains(says), "{problem}");
    };
    refused(setup.plan("when = \"approved\"", marketing).await, "when: the status of its templates is unknown");
    setup.fetch("REJECTED").await;
    refused(setup.plan("when = \"approved\"", "").await, "template promo (en) is REJECTED");
    setup.fetch("PENDING").await;
    setup.plan("when = \"approved\"", "").await.unwrap();
    refused(setup.plan("when = \"approved\"\nover = \"1h\"", "").await, "over: counts from the launch");
    refused(
        setup.plan("when = \"approved\"\nat = \"2026-12-01T09:00Z\"\non_missed = \"skip\"", "").await,
        "on_missed: is about a start",
    );
    let sms =
        "name = \"b\"\nnumbers = [\"+6591234567\"]\nwhen = \"approved\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let planned = setup.launcher().plan(&file(sms).unwrap()).await.map_err(|error| error.to_string());
    refused(planned, "when: no step has a WhatsApp template");
}

#[tokio::test]
async fn a_new_category_reprices_what_is_not_sent_yet_once() {
    let mut setup = Setup::knowing("APPROVED").await;
    let mut prices = tempfile::NamedTempFile::new().unwrap();
    let list = "channel,category,country,price,currency\nWhatsApp,UTILITY,SG,0.03,EUR\nWhatsApp,UTILITY,MY,0.02,EUR\n\
                WhatsApp,MARKETING,SG,0.08,EUR\n";
    std::io::Write::write_all(&mut prices, list.as_bytes()).unwrap();
    setup.config.prices = Some(prices.path().to_owned());
    let batch = setup.launch_promo("budget = \"10 EUR\"").await;
    let price = |step: &Step, code| step.prices.of(Country::by_code(code).unwrap()).map(|rate| rate.price);
    let euro = |text: &str| Some(text.parse::<Money>().unwrap());
    let (step, changes) = setup.looked_at(&batch).await;
    assert_eq!((step.content.category(), price(&step, "SG"), changes), (Some(Category::Utility), euro("0.03"), 0));
    setup.report_category("MARKETING").await;
    let (step, changes) = setup.looked_at(&batch).await;
    assert_eq!((step.content.category(), price(&step, "SG"), changes), (Some(Category::Marketing), euro("0.08"), 1));
    // The list names no price of this category for Malaysia. Without any, a budget would count nothing.
    assert_eq!(price(&step, "MY"), euro("0.02"));
    assert_eq!(setup.looked_at(&batch).await.1, 1, "a repeated look changes nothing");
    let events = setup.store.events(Cursor::START, 99).await.unwrap();
    let texts: Vec<String> =
        events.iter().map(|(_, event)| event.text()).filter(|text| text.contains("step 1")).collect();
    let change = "changed: the provider has another category for its template: step 1: category: MARKETING instead of \
                  UTILITY; step 1: price: SG 0.08 EUR instead of SG 0.03 EUR";
    assert_eq!(texts, [change]);
    // A later list is the provider's word as well.
    setup.clock.advance(Span::from_secs(1));
    setup.fetch("APPROVED").await;
    let (step, changes) = setup.looked_at(&batch).await;
    assert_eq!((step.content.category(), price(&step, "SG"), changes), (Some(Category::Utility), euro("0.03"), 2));
}

#[tokio::test]
async fn a_repetition_goes_by_the_category_that_the_template_has_by_now() {
    let setup = Setup::knowing("APPROVED").await;
    let text = "name = \"a\"\nnumbers = [\"+6591234567\", \"+12125550123\"]\n[[step]]\nchannel = \"WhatsApp\"\n\
                [step.template]\nname = \"promo\"\nlanguage = \"en\"\nbody = [\"Ann\", \"A1\"]\nbuttons = [{ index = 0, url = \
                \"x\" }]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let launched = setup.launcher().launch(&file(text).unwrap(), |_| None).await.unwrap().0;
    let batch = setup.store.batch(launched.batch).await.unwrap().unwrap();
    for (category, is_withheld) in [("MARKETING", true), ("UTILITY", false)] {
        setup.report_category(category).await;
        setup.looked_at(&batch).await;
        let again = setup.launcher().repeat(&batch, &Repeat::default()).await.unwrap();
        let plan = setup.store.plan(again.batch).await.unwrap().unwrap();
        assert_eq!(plan.steps[0].withholds_us_marketing(), is_withheld, "{category}");
        assert_eq!(plan.steps[0].countries.contain(Some(Country::UNITED_STATES)), !is_withheld, "{category}");
    }
}

#[tokio::test]
async fn a_category_without_a_usable_price_list_changes_all_but_the_prices() {
    let mut setup = Setup::knowing("APPROVED").await;
    let mut prices = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut prices, b"channel,category,price\nWhatsApp,UTILITY,0.03\nWhatsApp,,0.08\n").unwrap();
    setup.config.prices = Some(prices.path().to_owned());
    let batch = setup.launch_promo("budget = 10").await;
    std::io::Write::write_all(&mut prices, b"Pigeon,,1\n").unwrap();
    setup.report_category("AUTHENTICATION").await;
    let (step, _) = setup.looked_at(&batch).await;
    assert_eq!(step.content.category(), Some(Category::Authentication));
    assert_eq!(step.prices.others.map(|rate| rate.price), Some("0.03".parse().unwrap()));
    // The provider tries for ten minutes to deliver a code, and for a month to deliver anything else.
    assert_eq!(
        (step.content.delivers_for(None), step.receipt_window),
        (Some(Span::from_secs(600)), Span::from_secs(600))
    );
    let events = setup.store.events(Cursor::START, 99).await.unwrap();
    assert!(events.iter().any(|(_, event)| event.text().contains("its prices stay, because")), "{events:?}");
}

#[tokio::test]
async fn a_raw_template_gets_the_category_that_becomes_known() {
    let setup = Setup::of_lanes().await;
    let raw = "name = \"a\"\nnumbers = [\"+6591234567\"]\n[[step]]\nchannel = \"WhatsApp\"\nraw = { type = \"template\", \
               content = { template = { name = \"promo\", language = \"en\", components = [] } } }\n";
    let launched = setup.launcher().launch(&file(raw).unwrap(), |_| None).await.unwrap().0;
    let batch = setup.store.batch(launched.batch).await.unwrap().unwrap();
    let [lane, template, language] = ["wa", "promo", "en"].map(str::to_owned);
    let origin = Origin::rule("the provider reports RED");
    let hold = Hold { lane, template, language, by: HeldBy::Quality, code: None, origin, since: now() };
    let (step, _) = setup.looked_at(&batch).await;
    assert_eq!((step.content.category(), hold.is_on("wa", &step)), (None, false));
    setup.fetch_on("wa-1", "APPROVED", "MARKETING").await;
    let (step, _) = setup.looked_at(&batch).await;
    assert_eq!((step.content.category(), hold.is_on("wa", &step)), (Some(Category::Marketing), true));
    let again = file(&raw.replacen("\"a\"", "\"b\"", 1)).unwrap();
    let planned = setup.launcher().plan(&again).await.map_err(|error| error.to_string()).unwrap();
    assert_eq!(planned.plan.steps[0].content.category(), Some(Category::Marketing));
}

#[tokio::test]
async fn only_the_lanes_of_a_step_decide_whether_its_template_is_approved() {
    let setup = Setup::knowing("PENDING").await;
    let batch = setup.launch_promo("when = \"approved\"").await;
    let (mut housekeeper, book) = setup.housekeeper();
    // Its namesake on a channel that no lane names any more.
    setup.fetch_on("wa-9", "REJECTED", "UTILITY").await;
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Scheduled);
    setup.fetch("APPROVED").await;
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await, (BatchState::Running, None));
}

#[tokio::test]
async fn a_plan_warns_of_marketing_that_names_no_way_to_opt_out() {
    let setup = Setup::of_lanes().await;
    let warned = async |of_template: &str| {
        let planned = setup.plan("", of_template).await.unwrap();
        planned.warnings.iter().any(|warning| warning.code == Lint::NoOptOut)
    };
    setup.fetch_on("wa-1", "APPROVED", "UTILITY").await;
    assert!(!warned("").await);
    setup.clock.advance(Span::from_secs(1));
    setup.fetch_on("wa-1", "APPROVED", "MARKETING").await;
    assert!(warned("").await);
    // What the step writes into the text counts as well.
    let says = "name = \"a\"\nnumbers = [\"+6591234567\"]\n[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \
                \"promo\"\nlanguage = \"en\"\nbody = [\"Ann\", \"reply STOP to opt out\"]\nbuttons = [{ index = 0, url = \"x\" }]\n";
    let planned = setup.launcher().plan(&file(says).unwrap()).await.map_err(|error| error.to_string()).unwrap();
    assert!(!planned.warnings.iter().any(|warning| warning.code == Lint::NoOptOut));
}

#[tokio::test]
async fn a_card_of_a_carousel_may_tell_how_to_opt_out() {
    let setup = Setup::of_lanes().await;
    let text = "name = \"a\"\nnumbers = [\"+6591234567\"]\n[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \
                \"promo\"\nlanguage = \"en\"\n[[step.template.carousel]]\nheader = { image = \"https://a.example/1.png\" }\n";
    let warned = async |of_card: &str, button: &str| {
        setup.clock.advance(Span::from_secs(1));
        let components = format!(
            r#"[{{"type":"BODY","text":"Our offers"}},{{"type":"CAROUSEL","cards":[{{"components":[
                {{"type":"HEADER","format":"IMAGE"}},{{"type":"BODY","text":"{of_card}"}},
                {{"type":"BUTTONS","buttons":[{{"type":"QUICK_REPLY","text":"{button}"}}]}}]}}]}}]"#
        );
        setup.fetch_parts("wa-1", "APPROVED", "MARKETING", &components).await;
        let planned = setup.launcher().plan(&file(text).unwrap()).await.map_err(|error| error.to_string()).unwrap();
        planned.warnings.iter().any(|warning| warning.code == Lint::NoOptOut)
    };
    assert!(warned("A shirt", "Buy").await);
    assert!(!warned("A shirt; reply STOP to opt out", "Buy").await);
    assert!(!warned("A shirt", "STOP").await);
}
