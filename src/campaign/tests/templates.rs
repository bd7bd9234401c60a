//! Tests campaigns against what is known of the provider's templates.

use super::*;
use crate::book::Book;
use crate::clock::Clock;
use crate::domain::{BatchState, Category, Content};
use crate::store::{Batch, FetchedTemplates, Store, StoredTemplate, TemplatePlace};

const LANES: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\naccount_id = \"acme-1\"\n\
                     api_key = \"k\"\n[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nchannel_id = \"wa-1\"\n[[lane]]\n\
                     name = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";

struct Setup {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    chance: Chance,
    config: Config,
}

impl Setup {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(now()));
        let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let config = Config::read(Some((Path::new("volley.toml"), LANES)), std::iter::empty(), []).unwrap().config;
        Self { store, clock, chance: Chance::seeded(1), config }
    }

    /// A store that knows the template `promo` in English, with this status.
    async fn knowing(status: &str) -> Self {
        let setup = Self::open().await;
        setup.fetch(status).await;
        setup
    }

    async fn fetch(&self, status: &str) {
        let components = r#"[{"type":"HEADER","format":"TEXT","text":"News"},
            {"type":"BODY","text":"Hi {{1}}, code {{2}} is yours."},{"type":"FOOTER","text":"Acme"},
            {"type":"BUTTONS","buttons":[{"type":"URL","text":"Go","url":"https://a.example/{{1}}"}]}]"#;
        let template = StoredTemplate {
            name: "promo".to_owned(),
            language: "en".to_owned(),
            category: "UTILITY".to_owned(),
            status: status.to_owned(),
            components: components.to_owned(),
            updated_at: None,
        };
        let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() };
        let fetched_at = self.clock.now();
        self.store.replace_templates(FetchedTemplates { place, fetched_at, templates: vec![template] }).await.unwrap();
    }

    fn launcher(&self) -> Launcher<'_> {
        let (store, clock, by) = (self.store.as_ref(), self.clock.as_ref(), Origin::operator("Ann", None));
        Launcher { store, clock, chance: &self.chance, config: &self.config, by }
    }

    async fn plan(&self, keys: &str, of_template: &str) -> Result<Prepared, String> {
        self.launcher().plan(&campaign(keys, of_template)).await.map_err(|error| error.to_string())
    }

    async fn launch(&self, keys: &str) -> Batch {
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
        (Housekeeper::new(Arc::clone(&self.store), Arc::clone(&book)), book)
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
    let setup = Setup::open().await;
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
    let known = prepared.templates.known.get(&StepIndex::FIRST);
    let lines = preview(&prepared.plan.steps[0], known, &prepared.plan, &prepared.recipients.first[0]);
    let lines: Vec<String> = lines.into_iter().map(|line| format!("{}: {}", line.label, line.text)).collect();
    assert_eq!(
        lines,
        [
            "template: promo (en, UTILITY)",
            "header: News",
            "body: Hi Ann, code A1 is yours.",
            "footer: Acme",
            "button 0: [Go] https://a.example/x",
        ]
    );
}

#[tokio::test]
async fn a_campaign_begins_when_its_template_is_approved() {
    let setup = Setup::knowing("PENDING").await;
    let batch = setup.launch("when = \"approved\"").await;
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
    let batch = setup.launch("when = \"approved\"").await;
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
    let batch = setup.launch(&format!("when = \"approved\"\nend = \"{end}\"")).await;
    let (mut housekeeper, book) = setup.housekeeper();
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Scheduled);
    assert_eq!(housekeeper.next_start(), Some(now() + Span::from_secs(3_600)));
    setup.clock.advance(Span::from_secs(3_600));
    assert_eq!(setup.state(&batch, &mut housekeeper, &book).await.0, BatchState::Running);
}

#[tokio::test]
async fn a_wait_for_approval_needs_a_known_template_and_no_time_that_counts_from_the_launch() {
    let setup = Setup::open().await;
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
    let sms =
        "name = \"b\"\nnumbers = [\"+6591234567\"]\nwhen = \"approved\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let planned = setup.launcher().plan(&file(sms).unwrap()).await.map_err(|error| error.to_string());
    refused(planned, "when: no step has a WhatsApp template");
}
