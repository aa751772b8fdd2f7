//! One combination: its parts, what it adds, places with all parts beside places with one.

use std::sync::Arc;

use leptos::prelude::*;
use shared::report::{Combination, Example, is_found_again};
use shared::site::RunIndex;

use super::combinations::written;
use super::effects::Effects;
use super::feature::Neighbours;
use super::table::{FeatureLink, parts};
use crate::app::with_index;
use crate::charts;
use crate::figures::{number as figure, signed, thousands};
use crate::place::Place;
use crate::route::Page;
use crate::session::{self, Problem, Resource};
use crate::shown::{Passage, shown};

/// The page of a combination.
#[component]
pub fn CombinationPage(
    /// Its number.
    number: usize,
) -> impl IntoView {
    let place = Place::here();
    let found = Resource::new(move || {
        let (run, index) = (place.run.get()?, place.index.value()?);
        Some(async move {
            match index.combinations.len() {
                0 => Err(Problem::Absent(format!("{} has no list of combinations.", index.name))),
                count if number >= count => {
                    let what = format!(
                        "There is no combination {number}; this run has 0 to {}.",
                        count - 1
                    );
                    Err(Problem::Absent(what))
                }
                _ => session::combination(run, number).await,
            }
        })
    });
    with_index(move |index: Arc<RunIndex>| {
        view! {
            <div class="title">
                <h1>"Combination " {number}</h1>
                <Neighbours number count=index.combinations.len() page=Page::Combination />
            </div>
            {shown(found, |found| view! { <Known found /> }.into_any())}
        }
        .into_any()
    })
}

#[component]
fn Known(
    /// The combination.
    found: Arc<Combination>,
) -> impl IntoView {
    view! {
        <p class="lead">{parts(&found.parts)}</p>
        <dl class="tiles">
            <div class="tile">
                <dt>"Interaction"</dt>
                <dd>{figure(found.interaction)}</dd>
                <dd class="meaning">
                    {found.ci95.map_or_else(|| "no interval known".into(), |ci| format!("95 %{}", written(ci)))}
                </dd>
            </div>
            <div class="tile">
                <dt>"In context"</dt>
                <dd>{figure(found.interaction_in_context)}</dd>
                <dd class="meaning">"among features usually active with them"</dd>
            </div>
            <div class="tile">
                <dt>"Support"</dt>
                <dd>{thousands(found.support as i64)}</dd>
                <dd class="meaning">{sure("rows in which all parts are active", found.support_ci95.map(|ci| ci.map(rows)))}</dd>
            </div>
            <div class="tile">
                <dt>"Lift"</dt>
                <dd>{figure(found.lift)}</dd>
                <dd class="meaning">
                    {sure("times as often as by chance", found.lift_ci95.map(|ci| ci.map(figure)))}
                    {format!("; PMI {}", figure(found.pmi))}
                </dd>
            </div>
            {found.seeds.map(|seeds| view! {
                <div class="tile">
                    <dt>"Seeds"</dt>
                    <dd>{format!("{} of {}", seeds[0], seeds[1])}</dd>
                    <dd class="meaning">
                        {match is_found_again(seeds) {
                            true => "trainings found it, so it counts as found",
                            false => "trainings found it: too few to count",
                        }}
                    </dd>
                </div>
            })}
        </dl>
        <div class="columns">
            <section aria-labelledby="where" data-testid="places">
                <h2 id="where">"Where it acts"</h2>
                <h3>"All parts together"</h3>
                {places(&found.together)}
                {found.parts.iter().zip(&found.alone).map(|(part, examples)| view! {
                    <h3>"Only " <FeatureLink feature=*part /></h3>
                    {places(examples)}
                }).collect_view()}
            </section>
            <div>
                <section aria-labelledby="adds">
                    <h2 id="adds">"What only the combination adds"</h2>
                    <Effects raises=found.raises.clone() lowers=found.lowers.clone() />
                </section>
                <section aria-labelledby="features">
                    <h2 id="features">"Told in features"</h2>
                    {told(&found.adds)}
                </section>
            </div>
        </div>
    }
}

/// What a figure means, and its interval where one is known.
fn sure(meaning: &str, interval: Option<[String; 2]>) -> String {
    match interval {
        Some([low, high]) => format!("{meaning}; 95 % {low} to {high}"),
        None => meaning.into(),
    }
}

fn rows(count: f64) -> String {
    thousands(count.round() as i64)
}

fn places(examples: &[Example]) -> AnyView {
    if examples.is_empty() {
        return view! { <p class="hint">"No such place in the held-out text."</p> }.into_any();
    }
    let lines = examples.iter().map(|example| {
        view! { <li tabindex="-1" data-line><Passage example=example.clone() /></li> }
    });
    view! { <ol class="places">{lines.collect_view()}</ol> }.into_any()
}

fn told(adds: &[(usize, f64)]) -> impl IntoView + use<> {
    let most = adds.iter().map(|(_, amount)| amount.abs()).fold(0.0, f64::max);
    let lines = adds.iter().map(|(feature, amount)| {
        view! {
            <tr class=(*amount < 0.0).then_some("lowers")>
                <th scope="row"><FeatureLink feature=*feature /></th>
                <td class="wide" inner_html=charts::bar(amount.abs(), most, None)></td>
                <td class="number">{signed(*amount)}</td>
            </tr>
        }
    });
    view! {
        <table class="effects">
            <thead class="unseen">
                <tr>
                    <th scope="col">"Feature"</th>
                    <th scope="col">"Bar"</th>
                    <th scope="col">"Amount"</th>
                </tr>
            </thead>
            <tbody>{lines.collect_view()}</tbody>
        </table>
    }
}
