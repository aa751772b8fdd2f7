//! The table of combinations.

use std::sync::Arc;

use leptos::prelude::*;
use shared::report::is_found_again;
use shared::site::{CombinationRow, RunIndex};

use super::plot::Plot;
use super::table::{Count, Filter, SortHead, characters, lines, open_by_key, parts, sort_by};
use crate::app::with_index;
use crate::csv;
use crate::figures::{number as figure, thousands};
use crate::place::Place;
use crate::route::{Column, Page, Sort, View};
use crate::scatter::{Axis, Dot, scatter};
use crate::shown::empty;
use crate::take_along::CsvButton;

const DEFAULT: Sort = Sort { column: Column::Interaction, descending: true };

/// The combinations of the shown run.
#[component]
pub fn Combinations() -> impl IntoView {
    with_index(|index| {
        let table = match index.combinations.is_empty() {
            true => nothing(&index).into_any(),
            false => view! { <Table index /> }.into_any(),
        };
        view! {
            <h1>"Combinations"</h1>
            <p class="lead">
                "Features that act together: what they say as a group is more than the sum of what each \
                 says alone."
            </p>
            {table}
        }
        .into_any()
    })
}

fn nothing(index: &RunIndex) -> impl IntoView + use<> {
    empty(
        "None are known here",
        format!(
            "{} has no list of combinations: its trainer did not search for them, or found none. The \
             text page shows which features this run's model combines.",
            index.name
        ),
    )
}

#[component]
fn Table(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let all = index.combinations.len();
    let rows = {
        let index = index.clone();
        Memo::new(move |_| place.route.with(|route| chosen(&index.combinations, &route.view)))
    };
    let csv = {
        let index = index.clone();
        move || rows.with_untracked(|rows| csv::combinations(&index.combinations, rows))
    };
    let draw = {
        let index = index.clone();
        move || rows.with(|rows| drawing(&index.combinations, rows))
    };
    let said = agreement(&index.combinations);
    let line = move |number: usize| {
        let row = index.combinations[number].clone();
        view! { <Line number row /> }
    };
    view! {
        {said.map(|said| view! { <p data-testid="agreement">{said}</p> })}
        <div class="filters" role="search">
            <Filter
                name="Features"
                test="size"
                values=&[(0, "any number"), (2, "two"), (3, "three"), (4, "four")]
                at=|view| &mut view.size
            />
            <Count rows all />
            <CsvButton name="combinations" text=csv />
        </div>
        <Plot
            name="Support and interaction as a drawing"
            meaning="Each dot is a combination: in how many rows all its parts are active, and how \
                     strongly they interact. Faint ones are filtered out. A click opens it."
            draw
            page=Page::Combination
        />
        <table class="cards" data-testid="combinations">
            <thead>
                <tr>
                    <SortHead column=Column::Number name="Number" meaning="Its number" default=DEFAULT />
                    <th scope="col">"Parts"</th>
                    <th scope="col">"Raises"</th>
                    <SortHead
                        column=Column::Interaction
                        name="Interaction"
                        meaning="What exactly these parts do together and no fewer of them, with 95 % interval"
                        default=DEFAULT
                    />
                    <SortHead
                        column=Column::Support
                        name="Support"
                        meaning="In how many rows all parts are active"
                        default=DEFAULT
                    />
                    <SortHead
                        column=Column::Lift
                        name="Lift"
                        meaning="How much more often than if the parts were independent"
                        default=DEFAULT
                    />
                    <th scope="col" class="number" title="In how many trainings from different seeds it was found">
                        "Seeds"
                    </th>
                </tr>
            </thead>
            <tbody>{lines(rows, line)}</tbody>
        </table>
    }
}

#[component]
fn Line(
    /// The combination.
    number: usize,
    /// What the table shows of it.
    row: CombinationRow,
) -> impl IntoView {
    let place = Place::here();
    view! {
        <tr tabindex="-1" data-line on:keydown=open_by_key(place, Page::Combination(number))>
            <th scope="row">
                <a class="feature" href=move || place.to(Page::Combination(number))>"c" {number}</a>
            </th>
            <td data-name="Parts">{parts(&row.parts)}</td>
            <td data-name="Raises">{characters(&row.raises)}</td>
            <td data-name="Interaction" class="number">
                <span>
                    {figure(row.interaction)}
                    {row.ci95.map(|interval| view! { <span class="hint">{written(interval)}</span> })}
                </span>
            </td>
            <td data-name="Support" class="number">{thousands(row.support as i64)}</td>
            <td data-name="Lift" class="number">{figure(row.lift)}</td>
            <td data-name="Seeds" class="number">
                {row.seeds.map_or_else(|| "not known".into(), |[found, of]| format!("{found} of {of}"))}
            </td>
        </tr>
    }
}

/// All combinations by support and interaction, those with these numbers as the shown ones.
fn drawing(rows: &[CombinationRow], shown: &[usize]) -> String {
    let mut is_shown = vec![false; rows.len()];
    shown.iter().for_each(|number| is_shown[*number] = true);
    let dots = rows.iter().enumerate().map(|(number, row)| {
        let parts: Vec<String> = row.parts.iter().map(|part| format!("f{part}")).collect();
        let says = format!(
            "c{number} = {}: interaction {}, support {}",
            parts.join(" + "),
            figure(row.interaction),
            thousands(row.support as i64)
        );
        Dot { number, at: [row.support as f64, row.interaction], says, is_shown: is_shown[number] }
    });
    let support = Axis { name: "Support", is_logarithmic: true, written: figure };
    let interaction = Axis { name: "Interaction", is_logarithmic: false, written: figure };
    scatter(dots.collect(), [support, interaction])
}

/// How many of the combinations count as found, where several seeds can say so.
pub fn agreement(rows: &[CombinationRow]) -> Option<String> {
    let known: Vec<[usize; 2]> = rows.iter().filter_map(|row| row.seeds).collect();
    let [_, of] = known.first()?;
    let counted = known.iter().filter(|seeds| is_found_again(**seeds)).count();
    let remark = match counted {
        0 => "so each may be the work of one training, and none counts as found",
        _ => "the others may be the work of one training",
    };
    let all = known.len();
    Some(format!("{counted} of {all} were found from four fifths of the {of} seeds: {remark}."))
}

/// An interval, and whether it holds 0.
pub fn written([low, high]: [f64; 2]) -> String {
    let remark = if low <= 0.0 && high >= 0.0 { ", not distinguishable from 0" } else { "" };
    format!(" [{}, {}]{remark}", figure(low), figure(high))
}

/// The combinations that `view` asks for, in its order.
fn chosen(rows: &[CombinationRow], view: &View) -> Vec<usize> {
    let fits = |row: &CombinationRow| view.size.is_none_or(|size| row.parts.len() == size);
    let mut chosen: Vec<usize> = (0..rows.len()).filter(|number| fits(&rows[*number])).collect();
    let sort = view.sort.unwrap_or(DEFAULT);
    sort_by(&mut chosen, sort.descending, |number| match sort.column {
        Column::Interaction => rows[number].interaction,
        Column::Support => rows[number].support as f64,
        Column::Lift => rows[number].lift,
        _ => number as f64,
    });
    chosen
}
