//! What tables have in common: heads that sort, and links to features.

use leptos::prelude::*;

use crate::figures::visible;
use crate::place::Place;
use crate::route::{Column, Page, Sort};

/// The head of a column by which the table can be sorted.
#[component]
pub fn SortHead(
    /// What it sorts by.
    column: Column,
    /// Its name.
    name: &'static str,
    /// What it means, in a sentence.
    meaning: &'static str,
    /// How the table is sorted if the address does not say.
    default: Sort,
) -> impl IntoView {
    let place = Place::here();
    let now = move || place.route.with(|route| route.view.sort).unwrap_or(default);
    let direction = move || match now() {
        Sort { column: by, descending } if by == column => {
            Some(if descending { "descending" } else { "ascending" })
        }
        _ => None,
    };
    let sort = move |_| {
        let descending = match now() {
            Sort { column: by, descending } if by == column => !descending,
            _ => column != Column::Number,
        };
        place.look(|view| view.sort = Some(Sort { column, descending }));
    };
    let arrow = move || match direction() {
        Some("ascending") => " ▲",
        Some(_) => " ▼",
        None => "",
    };
    // Numbers stand to the right, a name or its number to the left.
    let class = (column != Column::Number).then_some("number");
    view! {
        <th scope="col" class=class aria-sort=direction>
            <button class="head" title=meaning on:click=sort>
                {name}
                <span aria-hidden="true">{arrow}</span>
            </button>
        </th>
    }
}

/// A link to a feature.
#[component]
pub fn FeatureLink(
    /// Its number.
    feature: usize,
) -> impl IntoView {
    let place = Place::here();
    view! { <a class="feature" href=move || place.to(Page::Feature(feature))>"f" {feature}</a> }
}

/// The parts of a combination as links.
pub fn parts(parts: &[usize]) -> impl IntoView + use<> {
    let links = parts.iter().enumerate().map(|(place, part)| {
        let sign = (place > 0).then_some(" + ");
        view! {
            {sign}
            <FeatureLink feature=*part />
        }
    });
    view! { <span class="parts">{links.collect_view()}</span> }
}

/// A few characters, each as a key.
pub fn characters(characters: &str) -> impl IntoView + use<> {
    let keys = characters.chars().map(|character| view! { <kbd>{visible(character)}</kbd> " " });
    view! { <span class="keys">{keys.collect_view()}</span> }
}
