//! One feature: how often and how strongly it fires, where, and what it says.

use std::sync::Arc;

use leptos::prelude::*;
use shared::report::{FeatureStats, Histogram};
use shared::site::RunIndex;

use super::effects::Effects;
use super::table::parts;
use crate::app::with_index;
use crate::charts;
use crate::figures::{number as figure, percent, thousands};
use crate::place::Place;
use crate::route::Page;
use crate::session::{self, Problem, Resource};
use crate::shown::{Passage, empty, shown};

/// The page of a feature.
#[component]
pub fn Feature(
    /// Its number.
    number: usize,
) -> impl IntoView {
    let place = Place::here();
    let stats = Resource::new(move || {
        let (run, index) = (place.run.get()?, place.index.value()?);
        let count = index.features.len();
        Some(async move {
            if number >= count {
                let what = format!(
                    "There is no feature {number}; this run has 0 to {}.",
                    count.max(1) - 1
                );
                return Err(Problem::Absent(what));
            }
            session::feature(run, number).await
        })
    });
    with_index(move |index| {
        let count = index.features.len();
        view! {
            <div class="title">
                <h1>"Feature " {number}</h1>
                <Neighbours number count page=Page::Feature />
            </div>
            {shown(stats, move |stats| view! { <Known number index=index.clone() stats /> }.into_any())}
        }
        .into_any()
    })
}

/// Links to the one before and the one after.
#[component]
pub fn Neighbours(
    /// The number of the shown one.
    number: usize,
    /// How many there are.
    count: usize,
    /// The page of a number.
    page: fn(usize) -> Page,
) -> impl IntoView {
    let place = Place::here();
    view! {
        <nav class="neighbours" aria-label="Neighbours">
            {(number > 0 && number <= count).then(|| view! {
                <a data-previous href=move || place.to(page(number - 1))>"← " {number - 1}</a>
            })}
            {(number < count.saturating_sub(1)).then(|| view! {
                <a data-next href=move || place.to(page(number + 1))>{number + 1} " →"</a>
            })}
        </nav>
    }
}

#[component]
fn Known(
    /// Its number.
    number: usize,
    /// The run.
    index: Arc<RunIndex>,
    /// What is known of it.
    stats: Arc<FeatureStats>,
) -> impl IntoView {
    if stats.max == 0.0 {
        return empty(
            "It is dead",
            "It did not fire on a single held-out row, so nothing is known of it.",
        )
        .into_any();
    }
    view! {
        <dl class="tiles">
            <div class="tile">
                <dt>"Density"</dt>
                <dd>{percent(stats.density)}</dd>
                <dd class="meaning">"of the rows activate it"</dd>
            </div>
            <div class="tile">
                <dt>"Mean"</dt>
                <dd>{figure(stats.mean_active)}</dd>
                <dd class="meaning">"strength when it is active"</dd>
            </div>
            <div class="tile">
                <dt>"Max"</dt>
                <dd>{figure(stats.max)}</dd>
                <dd class="meaning">"the strongest it fires"</dd>
            </div>
            <div class="tile">
                <dt>"Combinations"</dt>
                {match index.combinations.is_empty() {
                    true => view! {
                        <dd>"–"</dd>
                        <dd class="meaning">"this run has no list of them"</dd>
                    }
                    .into_any(),
                    false => view! {
                        <dd>{combinations_with(&index, number).len()}</dd>
                        <dd class="meaning">"have it as a part"</dd>
                    }
                    .into_any(),
                }}
            </div>
        </dl>
        <div class="columns">
            <Places stats=stats.clone() />
            <div>
                <section aria-labelledby="says">
                    <h2 id="says">"What it says about the next character"</h2>
                    <Effects raises=stats.raises.clone() lowers=stats.lowers.clone() />
                    <p class="hint">
                        "Logits that strength 1 adds by the direct path to the output, less the mean over \
                         characters."
                    </p>
                </section>
                <section aria-labelledby="strengths">
                    <h2 id="strengths">"How strongly it fires"</h2>
                    <div inner_html=charts::histogram(&stats.histogram.counts, stats.histogram.high)></div>
                    <p class="hint">"Rows by strength; the scale upwards is logarithmic."</p>
                    {bins(&stats.histogram)}
                </section>
                <InCombinations number index />
            </div>
        </div>
    }
    .into_any()
}

/// The drawing of strengths as numbers.
fn bins(histogram: &Histogram) -> impl IntoView + use<> {
    let edge = histogram.high / histogram.counts.len().max(1) as f64;
    let lines = histogram.counts.iter().enumerate().map(|(place, count)| {
        let edges = [place, place + 1].map(|place| figure(edge * place as f64));
        view! {
            <tr>
                <th scope="row">{edges.join(" to ")}</th>
                <td class="number">{thousands(*count as i64)}</td>
            </tr>
        }
    });
    view! {
        <details>
            <summary>"As a table"</summary>
            <table class="effects" data-testid="bins">
                <thead>
                    <tr>
                        <th scope="col">"Strength"</th>
                        <th scope="col" class="number">"Rows"</th>
                    </tr>
                </thead>
                <tbody>{lines.collect_view()}</tbody>
            </table>
        </details>
    }
}

#[component]
fn Places(
    /// What is known of it.
    stats: Arc<FeatureStats>,
) -> impl IntoView {
    let group = |title: String, examples: &[shared::report::Example]| {
        let lines = examples.iter().map(|example| {
            let strength = example.values.get(example.at).copied().unwrap_or(0.0);
            view! {
                <li tabindex="-1" data-line>
                    <Passage example=example.clone() />
                    <span class="strength">{figure(strength.into())}</span>
                </li>
            }
        });
        view! {
            <h3>{title}</h3>
            <ol class="places">{lines.collect_view()}</ol>
        }
    };
    let quarters =
        stats.quarters.iter().enumerate().rev().filter(|(_, examples)| !examples.is_empty());
    let groups = quarters.map(|(place, examples)| {
        let edge = |place: usize| figure(stats.max * place as f64 / stats.quarters.len() as f64);
        group(format!("Between {} and {}", edge(place), edge(place + 1)), examples)
    });
    view! {
        <section aria-labelledby="places" data-testid="places">
            <h2 id="places">"Where it fires"</h2>
            {group("Strongest".into(), &stats.examples)}
            {groups.collect_view()}
            <p class="hint">
                "The boxed character is the one at which it fires; underlines say how strongly it fires \
                 at the others."
            </p>
        </section>
    }
}

fn combinations_with(index: &RunIndex, number: usize) -> Vec<usize> {
    let all = index.combinations.iter().enumerate();
    all.filter(|(_, found)| found.parts.contains(&number)).map(|(place, _)| place).collect()
}

#[component]
fn InCombinations(
    /// The feature.
    number: usize,
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let found = combinations_with(&index, number);
    let lines = found.into_iter().map(|combination| {
        let row = &index.combinations[combination];
        view! {
            <li>
                <a href=move || place.to(Page::Combination(combination))>"c" {combination}</a>
                " = "
                {parts(&row.parts)}
            </li>
        }
    });
    let lines = lines.collect_view();
    view! {
        <section aria-labelledby="in">
            <h2 id="in">"Combinations it is in"</h2>
            {match lines.is_empty() {
                true => view! { <p class="hint">"None of those that this run knows."</p> }.into_any(),
                false => view! { <ul class="plain">{lines}</ul> }.into_any(),
            }}
        </section>
    }
}
