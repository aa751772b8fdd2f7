//! What the models make of one character: features, combinations, what comes next.

use std::sync::Arc;

use leptos::prelude::*;
use shared::reading::{Position, Reading};
use shared::site::{CompositionKind, RunIndex};

use super::table::{FeatureLink, characters, parts};
use crate::charts;
use crate::figures::{number as figure, percent, visible};
use crate::place::Place;
use crate::route::Page;

/// How many features are listed before the rest is asked for.
const SHORT: usize = 12;

/// The panels for the character at `at`.
#[component]
pub fn PositionPanels(
    /// What the models make of the text.
    reading: Arc<Reading>,
    /// The run.
    index: Arc<RunIndex>,
    /// Which character.
    at: usize,
) -> impl IntoView {
    let Some(position) = reading.positions.get(at).cloned() else { return ().into_any() };
    let character = reading.text.chars().nth(at).map_or(String::new(), visible);
    view! {
        <h2 class="at">
            "Character " {at + 1} " of " {reading.positions.len()} ", " <kbd>{character}</kbd>
        </h2>
        <div class="columns">
            <ActiveFeatures position=position.clone() index=index.clone() />
            <div>
                <Composed position=position.clone() index />
                <Next position />
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn ActiveFeatures(
    /// The character.
    position: Position,
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let is_long = RwSignal::new(false);
    let count = position.active.len();
    let most = position.active.first().map_or(0.0, |active| f64::from(active.strength));
    let lines = position.active.into_iter().enumerate().map(|(line, active)| {
        let row = index.features.get(active.feature).cloned().unwrap_or_default();
        let feature = active.feature;
        let is_chosen = move || place.route.with(|route| route.view.feature == Some(feature));
        let is_hidden = move || line >= SHORT && !is_long.get();
        let choose = move |_| {
            let chosen = (!is_chosen()).then_some(feature);
            place.look(|view| view.feature = chosen);
        };
        view! {
            <tr prop:hidden=is_hidden>
                <th scope="row"><FeatureLink feature /></th>
                <td class="side">{characters(&row.raises)}</td>
                <td
                    class="wide"
                    inner_html=charts::bar(active.strength.into(), most, None)
                ></td>
                <td class="number">{figure(active.strength.into())}</td>
                <td class="number">{percent(active.share.into())}</td>
                <td>
                    <button
                        class="small"
                        aria-pressed=move || is_chosen().to_string()
                        aria-label=format!("Colour the text by feature {feature}")
                        on:click=choose
                    >
                        "colour"
                    </button>
                </td>
            </tr>
        }
    });
    view! {
        <section aria-labelledby="active" data-testid="active">
            <h3 id="active">{count} " active features"</h3>
            <table class="effects">
                <thead>
                    <tr>
                        <th scope="col">"Feature"</th>
                        <th scope="col" class="side">"Raises"</th>
                        <th scope="col"><span class="unseen">"Bar"</span></th>
                        <th scope="col" class="number">"Strength"</th>
                        <th scope="col" class="number">"Share"</th>
                        <th scope="col"><span class="unseen">"Colour"</span></th>
                    </tr>
                </thead>
                <tbody>{lines.collect_view()}</tbody>
            </table>
            {(count > SHORT).then(|| view! {
                <button
                    aria-expanded=move || is_long.get().to_string()
                    on:click=move |_| is_long.update(|long| *long = !*long)
                >
                    {move || match is_long.get() {
                        true => "Show fewer".to_string(),
                        false => format!("Show all {count}"),
                    }}
                </button>
            })}
        </section>
    }
}

#[component]
fn Composed(
    /// The character.
    position: Position,
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let share = percent(position.composed_share.into());
    let (title, panel) = match index.composition {
        CompositionKind::None => return ().into_any(),
        CompositionKind::Attention => ("Attention between features", attention(&position)),
        CompositionKind::Units => ("Combinations that speak", units(&position, &index)),
    };
    view! {
        <section aria-labelledby="composed" data-testid="composed">
            <h3 id="composed">{title}</h3>
            <p class="hint">"Share of the reconstruction: " {share} "."</p>
            {panel}
        </section>
    }
    .into_any()
}

fn attention(position: &Position) -> AnyView {
    if position.attention.is_empty() {
        return view! { <p class="hint">"No feature attends to another here."</p> }.into_any();
    }
    let lines = position.attention.iter().map(|pair| {
        view! {
            <tr>
                <th scope="row">
                    <FeatureLink feature=pair.from />
                    " → "
                    <FeatureLink feature=pair.to />
                </th>
                <td class="hint">"head " {pair.head + 1}</td>
                <td class="wide" inner_html=charts::bar(pair.weight.into(), 1.0, None)></td>
                <td class="number">{figure(pair.weight.into())}</td>
            </tr>
        }
    });
    view! {
        <table class="effects">
            <thead class="unseen">
                <tr>
                    <th scope="col">"Features"</th>
                    <th scope="col">"Head"</th>
                    <th scope="col">"Bar"</th>
                    <th scope="col">"Attention"</th>
                </tr>
            </thead>
            <tbody>{lines.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn units(position: &Position, index: &RunIndex) -> AnyView {
    if position.units.is_empty() {
        return view! { <p class="hint">"None speaks here."</p> }.into_any();
    }
    let most = position.units.first().map_or(0.0, |unit| f64::from(unit.strength));
    let place = Place::here();
    let lines = position.units.iter().map(|unit| {
        let listed = index.combinations.iter().position(|row| row.parts == unit.parts);
        let link = listed.map(|number| {
            let address = move || place.to(Page::Combination(number));
            view! { <a class="feature" href=address>"c" {number}</a> }
        });
        view! {
            <tr>
                <th scope="row">{link}</th>
                <td>{parts(&unit.parts)}</td>
                <td class="wide" inner_html=charts::bar(unit.strength.into(), most, None)></td>
                <td class="number">{figure(unit.strength.into())}</td>
            </tr>
        }
    });
    view! {
        <table class="effects">
            <thead class="unseen">
                <tr>
                    <th scope="col">"Combination"</th>
                    <th scope="col">"Parts"</th>
                    <th scope="col">"Bar"</th>
                    <th scope="col">"Strength"</th>
                </tr>
            </thead>
            <tbody>{lines.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

#[component]
fn Next(
    /// The character.
    position: Position,
) -> impl IntoView {
    let lines = position.next.iter().map(|guess| {
        view! {
            <tr>
                <th scope="row"><kbd>{visible(guess.character)}</kbd></th>
                <td class="wide" inner_html=charts::bar(guess.clean.into(), 1.0, None)></td>
                <td class="number">{percent(guess.clean.into())}</td>
                <td class="wide second" inner_html=charts::bar(guess.reconstructed.into(), 1.0, None)></td>
                <td class="number">{percent(guess.reconstructed.into())}</td>
            </tr>
        }
    });
    view! {
        <section aria-labelledby="next" data-testid="next">
            <h3 id="next">"Next character"</h3>
            <table class="effects">
                <thead>
                    <tr>
                        <th scope="col"><span class="unseen">"Character"</span></th>
                        <th scope="col" colspan="2">"Untouched model"</th>
                        <th scope="col" colspan="2">"With reconstructions"</th>
                    </tr>
                </thead>
                <tbody>{lines.collect_view()}</tbody>
            </table>
            <p class="hint">
                "The reconstruction here misses " {percent(position.error.into())}
                " of the activation's squared length."
            </p>
        </section>
    }
}
