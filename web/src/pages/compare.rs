//! All runs of the site side by side.

use std::sync::Arc;

use leptos::prelude::*;
use shared::report::is_found_again;
use shared::site::{Figure, RunIndex};

use super::overview::with_error;
use crate::comparison::{Compared, Measure, compare};
use crate::figures::{number as figure, thousands};
use crate::place::Place;
use crate::route::{Page, View};
use crate::session::{self, Resource};
use crate::shown::shown;
use crate::take_along::CsvButton;
use crate::{charts, csv};

/// What each run made of each method.
#[component]
pub fn Compare() -> impl IntoView {
    let place = Place::here();
    let runs = Resource::new(move || {
        let manifest = place.manifest.value()?;
        Some(async move {
            let mut indices = vec![];
            for run in &manifest.runs {
                indices.push(session::index(run.clone()).await?);
            }
            Ok(indices)
        })
    });
    view! {
        <h1>"Compare runs"</h1>
        {move || match place.manifest.value() {
            Some(_) => shown(runs, |runs| view! { <Side runs /> }.into_any()).into_any(),
            None => shown(place.manifest, |_| ().into_any()).into_any(),
        }}
    }
}

#[component]
fn Side(
    /// The runs.
    runs: Arc<Vec<RunIndex>>,
) -> impl IntoView {
    let place = Place::here();
    let measure = move || place.route.with(|route| route.view.measure).unwrap_or_default();
    let choose = move |event| {
        let chosen = Measure::named(&event_target_value(&event));
        place.look(|view| view.measure = chosen.filter(|chosen| *chosen != Measure::default()));
    };
    let options = Measure::ALL.map(|(known, name, shown)| {
        view! { <option value=name selected=move || known == measure()>{shown}</option> }
    });
    let text = {
        let runs = runs.clone();
        move || csv::comparison(&runs)
    };
    view! {
        <Summary runs=runs.clone() />
        {(runs.len() == 1).then(|| view! {
            <p class="hint" data-testid="single">
                "This site has one run; "
                <code>"trainer site --runs=run_1,run_3"</code>
                " puts others beside it."
            </p>
        })}
        <h2 id="compared">"Methods"</h2>
        <div class="filters">
            <label>
                "What is compared"
                <select data-testid="measure" on:change=choose>{options.into_iter().collect_view()}</select>
            </label>
            <CsvButton name="comparison" text />
        </div>
        {move || view! { <Methods runs=runs.clone() measure=measure() /> }}
        <p class="hint">
            "One scale for all runs. Methods of different runs are comparable where the data set, the \
             profile and the number of active features are the same. Whiskers: two standard errors over \
             seeds."
        </p>
    }
}

#[component]
fn Summary(
    /// The runs.
    runs: Arc<Vec<RunIndex>>,
) -> impl IntoView {
    let place = Place::here();
    let lines = runs.iter().map(|run| {
        let short = run.name.strip_prefix("run_").unwrap_or(&run.name).to_string();
        let address = move || {
            let view = View { run: Some(short.clone()), ..place.view() };
            Page::Overview.with(&view).to_string()
        };
        let seeds = run.combinations.iter().filter_map(|row| row.seeds);
        let again = seeds.clone().filter(|seeds| is_found_again(*seeds)).count();
        let known = (seeds.count() > 0).then(|| format!(", {again} found again"));
        view! {
            <tr>
                <th scope="row"><a href=address>{run.name.clone()}</a></th>
                <td data-name="Data">{run.dataset.clone()} ", " {run.profile.clone()}</td>
                <td data-name="Model">{run.model.replace('_', " ")}</td>
                <td data-name="Features" class="number">{run.features.len()}</td>
                <td data-name="Active" class="number">{run.sparsity_k}</td>
                <td data-name="Combinations" class="number">{run.combinations.len()} {known}</td>
                <td data-name="Rows" class="number">{thousands(run.held_out_rows as i64)}</td>
                <td data-name="Loss" class="number">{run.clean_loss.mean.map(figure)}</td>
            </tr>
        }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Table of runs">
            <table class="cards" data-testid="runs">
                <thead>
                    <tr>
                        <th scope="col">"Run"</th>
                        <th scope="col">"Data"</th>
                        <th scope="col">"Model"</th>
                        <th scope="col" class="number">"Features"</th>
                        <th scope="col" class="number">"Active"</th>
                        <th scope="col" class="number">"Combinations"</th>
                        <th scope="col" class="number">"Held-out rows"</th>
                        <th scope="col" class="number" title="Of the language model, nats per character">
                            "Loss"
                        </th>
                    </tr>
                </thead>
                <tbody>{lines.collect_view()}</tbody>
            </table>
        </div>
    }
}

#[component]
fn Methods(
    /// The runs.
    runs: Arc<Vec<RunIndex>>,
    /// What is compared.
    measure: Measure,
) -> impl IntoView {
    let compared = compare(&runs, measure);
    let means = compared.iter().flat_map(|method| method.figures.iter().flatten());
    let most = means.filter_map(|figure| figure.mean).fold(0.0, f64::max) * 1.05;
    let heads = runs.iter().map(|run| {
        view! {
            <th scope="col">{run.name.clone()}</th>
            <th scope="col" class="number"><span class="unseen">{run.name.clone()} " as number"</span></th>
        }
    });
    let line = |method: &Compared| {
        let cells = method.figures.iter().zip(runs.iter()).map(|(figure, run)| {
            let name = run.name.clone();
            match figure {
                None => view! {
                    <td class="wide"></td>
                    <td data-name=name class="number">"–"</td>
                }
                .into_any(),
                Some(figure) => cell(*figure, measure, most, name).into_any(),
            }
        });
        view! {
            <tr>
                <th scope="row">{method.name.replace('_', " ")}</th>
                {cells.collect_view()}
            </tr>
        }
    };
    view! {
        <div class="scroll" tabindex="0" role="region" aria-labelledby="compared">
            <table class="cards compared" data-testid="compared">
                <thead><tr><th scope="col">"Method"</th>{heads.collect_view()}</tr></thead>
                <tbody>{compared.iter().map(line).collect_view()}</tbody>
            </table>
        </div>
    }
}

fn cell(shown: Figure, measure: Measure, most: f64, run: String) -> impl IntoView {
    let Figure { mean, stderr } = shown;
    let interval = mean.zip(stderr).map(|(mean, error)| [mean - 2.0 * error, mean + 2.0 * error]);
    view! {
        <td class="wide" inner_html=charts::bar(mean.unwrap_or(f64::NAN), most, interval)></td>
        <td data-name=run class="number">{with_error(shown, |value| measure.written(value))}</td>
    }
}
