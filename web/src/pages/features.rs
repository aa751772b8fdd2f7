//! The table of features: sorted, searched, each line a link.

use std::sync::Arc;

use leptos::prelude::*;
use shared::site::{FeatureRow, RunIndex};

use super::plot::Plot;
use super::table::{Count, FeatureLink, Filter, SortHead, characters, lines, open_by_key, sort_by};
use crate::app::with_index;
use crate::figures::{number as figure, one_line, percent, thousands};
use crate::place::Place;
use crate::route::{Column, Page, Sort, View};
use crate::scatter::{Axis, Dot, scatter};
use crate::take_along::CsvButton;
use crate::{charts, csv};

const DEFAULT: Sort = Sort { column: Column::Number, descending: false };

/// The table of the shown run's features.
#[component]
pub fn Features() -> impl IntoView {
    with_index(|index| view! { <Table index /> }.into_any())
}

#[component]
fn Table(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let all = index.features.len();
    let reuse = Arc::new(reuse(&index));
    let has_combinations = !index.combinations.is_empty();
    let rows = {
        let (index, reuse) = (index.clone(), reuse.clone());
        Memo::new(move |_| place.route.with(|route| chosen(&index, &reuse, &route.view)))
    };
    let csv = {
        let (index, reuse) = (index.clone(), reuse.clone());
        move || rows.with_untracked(|rows| csv::features(&index, &reuse, rows))
    };
    let draw = {
        let (index, reuse) = (index.clone(), reuse.clone());
        move || rows.with(|rows| drawing(&index, &reuse, rows))
    };
    let search = move |event| place.look(|view| view.search = event_target_value(&event));
    let random = move |_| {
        let chosen = (js_sys::Math::random() * all as f64) as usize;
        place.go(Page::Feature(chosen.min(all.saturating_sub(1))));
    };
    let line = move |number: usize| {
        let row = index.features[number].clone();
        view! { <Line number row reuse=has_combinations.then(|| reuse[number]) /> }
    };
    view! {
        <h1>"Features"</h1>
        <div class="filters" role="search">
            <label>
                "Search"
                <input
                    type="search"
                    data-search
                    data-testid="search"
                    placeholder="number, character, example"
                    prop:value=move || place.view().search
                    on:input=search
                />
            </label>
            <Filter
                name="Fires in at least"
                test="least"
                values=&[
                    (0.0, "any share"),
                    (0.001, "0.1 %"),
                    (0.01, "1 %"),
                    (0.1, "10 %"),
                    (0.3, "30 %"),
                ]
                at=|view| &mut view.least
            />
            <button on:click=random>"Any feature"</button>
            <Count rows all />
            <CsvButton name="features" text=csv />
        </div>
        {has_combinations.then(|| view! {
            <Plot
                name="Density and reuse as a drawing"
                meaning="Each dot is a feature: how often it is active, and in how many combinations. \
                         Faint ones are filtered out. A click opens the feature."
                draw
                page=Page::Feature
            />
        })}
        <table class="cards features" data-testid="features">
            <thead>
                <tr>
                    <SortHead column=Column::Number name="Feature" meaning="Its number" default=DEFAULT />
                    <th scope="col">"Fires at the end of"</th>
                    <th scope="col">"Raises"</th>
                    <SortHead
                        column=Column::Density
                        name="Density"
                        meaning="In which share of the rows it is active"
                        default=DEFAULT
                    />
                    <SortHead
                        column=Column::Mean
                        name="Mean"
                        meaning="How strongly it fires on average when it is active"
                        default=DEFAULT
                    />
                    <SortHead
                        column=Column::Max
                        name="Max"
                        meaning="The strongest it fires"
                        default=DEFAULT
                    />
                    {has_combinations.then(|| view! {
                        <SortHead
                            column=Column::Reuse
                            name="Reuse"
                            meaning="In how many combinations it is"
                            default=DEFAULT
                        />
                    })}
                    <th scope="col">"Strengths"</th>
                </tr>
            </thead>
            <tbody>{lines(rows, line)}</tbody>
        </table>
        {move || rows.with(Vec::is_empty).then(|| view! {
            <p class="card empty" data-testid="empty">
                "No feature fits. "
                <button on:click=move |_| place.look(|view| {
                    view.search.clear();
                    view.least = None;
                })>"Show all"</button>
            </p>
        })}
    }
}

#[component]
fn Line(
    /// The feature.
    number: usize,
    /// What the table shows of it.
    row: FeatureRow,
    /// In how many combinations it is.
    reuse: Option<usize>,
) -> impl IntoView {
    let place = Place::here();
    view! {
        <tr tabindex="-1" data-line on:keydown=open_by_key(place, Page::Feature(number))>
            <th scope="row"><FeatureLink feature=number /></th>
            <td data-name="Fires at the end of" class="passage">{one_line(&row.example)}</td>
            <td data-name="Raises">{characters(&row.raises)}</td>
            <td data-name="Density" class="number">{percent(row.density)}</td>
            <td data-name="Mean" class="number">{figure(row.mean)}</td>
            <td data-name="Max" class="number">{figure(row.max)}</td>
            {reuse.map(|reuse| view! { <td data-name="Reuse" class="number">{reuse}</td> })}
            <td data-name="Strengths" inner_html=charts::spark(&row.histogram)></td>
        </tr>
    }
}

/// In how many combinations each feature is.
fn reuse(index: &RunIndex) -> Vec<usize> {
    let mut reuse = vec![0; index.features.len()];
    for part in index.combinations.iter().flat_map(|combination| &combination.parts) {
        if let Some(count) = reuse.get_mut(*part) {
            *count += 1;
        }
    }
    reuse
}

/// All features by density and reuse, those with these numbers as the shown ones.
fn drawing(index: &RunIndex, reuse: &[usize], shown: &[usize]) -> String {
    let mut is_shown = vec![false; reuse.len()];
    shown.iter().for_each(|number| is_shown[*number] = true);
    let dots = index.features.iter().enumerate().map(|(number, row)| Dot {
        number,
        at: [row.density, reuse[number] as f64],
        says: format!("f{number}: {}, {} combinations", percent(row.density), reuse[number]),
        is_shown: is_shown[number],
    });
    let density = Axis { name: "Density", is_logarithmic: true, written: percent };
    let combinations =
        Axis { name: "Reuse", is_logarithmic: false, written: |count| thousands(count as i64) };
    scatter(dots.collect(), [density, combinations])
}

/// The features that `view` asks for, in its order.
fn chosen(index: &RunIndex, reuse: &[usize], view: &View) -> Vec<usize> {
    let search = view.search.trim().to_lowercase();
    let fits = |number: usize, row: &FeatureRow| {
        row.density >= view.least.unwrap_or(0.0)
            && (search.is_empty()
                || number.to_string() == search.trim_start_matches('f')
                || row.example.to_lowercase().contains(&search)
                || row.raises.to_lowercase().contains(&search))
    };
    let features = index.features.iter().enumerate();
    let mut chosen: Vec<usize> =
        features.filter(|(number, row)| fits(*number, row)).map(|(number, _)| number).collect();
    let sort = view.sort.unwrap_or(DEFAULT);
    sort_by(&mut chosen, sort.descending, |number| match sort.column {
        Column::Density => index.features[number].density,
        Column::Mean => index.features[number].mean,
        Column::Max => index.features[number].max,
        Column::Reuse => reuse[number] as f64,
        _ => number as f64,
    });
    chosen
}
