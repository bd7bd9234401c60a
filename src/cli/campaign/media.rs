//! The media of a campaign file: reviewed before it is planned, launched or tested.

use std::path::Path;
use std::sync::Arc;

use crate::base::config::DraftStep;
use crate::base::domain::{Names, Plan, Values};
use crate::campaigns::campaign::{Draft, DraftRoute, LaunchError, Lint, Warning};
use crate::cli::CommandContext;
use crate::provider::media::{At, Found, Review};
use crate::rules::template::fill_constants;
use crate::store::Store;

/// Steps with media, as they are written.
pub(in crate::cli) struct Written<'a> {
    pub(in crate::cli) route: &'a mut DraftRoute,
    /// The folder in which the files of own steps are.
    pub(in crate::cli) folder: &'a Path,
    /// The campaign's own variables.
    pub(in crate::cli) values: &'a Values,
}

/// The steps of a campaign file.
pub(in crate::cli) fn of(draft: &mut Draft) -> Written<'_> {
    let folder = draft.folder.as_deref().unwrap_or(Path::new(""));
    Written { route: &mut draft.route, folder, values: &draft.values }
}

/// Replaces the local files of steps by their addresses at the provider. Returns the context
/// with the same done to a configured route, and what is doubtful.
pub(in crate::cli) async fn review(
    context: &CommandContext,
    store: &dyn Store,
    Written { route, folder, values }: Written<'_>,
    (at, looks): (At, bool),
) -> Result<(CommandContext, Vec<Warning>), LaunchError> {
    let (clock, config) = (context.clock.as_ref(), context.config.as_ref());
    let review = |folder| Review { store, clock, config, folder, at, looks };
    // The columns of the audience are not known yet, and a text with one of them is none of constants.
    let names = Names { columns: &[], values };
    let fill = |steps: &mut [DraftStep]| steps.iter_mut().for_each(|step| fill_constants(&mut step.content, names));
    let mut reviewed = context.clone();
    let found = match route {
        DraftRoute::Own(steps) => {
            fill(steps);
            review(folder).of(steps).await?
        }
        chosen => {
            let problem = |problem| LaunchError::Problems(vec![problem]);
            let name = chosen.choose(config).map_err(problem)?.route.unwrap_or_default().to_owned();
            let mut routes = config.clone();
            let Some(route) = routes.routes.iter_mut().find(|route| route.name == name) else {
                return Ok((reviewed, Vec::new()));
            };
            fill(&mut route.steps);
            let folder = context.loaded.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
            let mut found = review(folder).of(&mut route.steps).await?;
            found.problems = found.problems.into_iter().map(|problem| problem.in_route(&name)).collect();
            reviewed.config = Arc::new(routes);
            found
        }
    };
    Ok((reviewed, warnings(found)?))
}

/// Looks at the files of a campaign that is sent again. Returns what is doubtful.
pub(super) async fn look_again(
    context: &CommandContext,
    store: &dyn Store,
    plan: &Plan,
) -> Result<Vec<Warning>, LaunchError> {
    let (clock, config) = (context.clock.as_ref(), context.config.as_ref());
    let review = Review { store, clock, config, folder: Path::new(""), at: At::BeforeLaunch, looks: true };
    let mut found = review.of_plan(plan).await;
    for problem in &mut found.problems {
        problem.sentence += "; a repetition sends the same content, so launch the campaign file instead";
    }
    warnings(found)
}

/// What is doubtful, unless something is wrong.
fn warnings(Found { problems, notes }: Found) -> Result<Vec<Warning>, LaunchError> {
    if !problems.is_empty() {
        return Err(LaunchError::Problems(problems));
    }
    let warning = |note: crate::provider::media::Note| Warning {
        code: Lint::Media,
        step: Some(note.step),
        sentence: note.sentence.into(),
    };
    Ok(notes.into_iter().map(warning).collect())
}

/// Uploads the local files of a draft, and writes their addresses into the plan that was made of it.
pub(super) async fn upload(
    context: &CommandContext,
    store: &dyn Store,
    mut draft: Draft,
    plan: &mut Plan,
) -> Result<(), LaunchError> {
    // What is doubtful was said before the launch.
    let (context, _) = review(context, store, of(&mut draft), (At::Launch, false)).await?;
    let chosen = draft.route.choose(&context.config).map_err(|problem| LaunchError::Problems(vec![problem]))?;
    for (planned, uploaded) in plan.steps.iter_mut().zip(chosen.steps) {
        for address in uploaded.content.media().iter().filter(|address| !address.has_variables()) {
            planned.content.set_media(&address.part, &address.text);
        }
    }
    Ok(())
}
