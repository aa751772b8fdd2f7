//! What tables have in common: heads that sort, filters, lines that come bit by bit, links to features.

use std::fmt::Display;
use std::str::FromStr;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::figures::visible;
use crate::place::Place;
use crate::route::{Column, Page, Sort, View};

/// So many lines are drawn at once: more than a screen shows, and in less time than anyone notices.
const AT_ONCE: usize = 32;

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

/// A filter with few values, the first of which lets everything pass.
#[component]
pub fn Filter<T>(
    /// What it asks for.
    name: &'static str,
    /// How tests find it.
    test: &'static str,
    /// The values with their names.
    values: &'static [(T, &'static str)],
    /// Where the address has it.
    at: fn(&mut View) -> &mut Option<T>,
) -> impl IntoView
where
    T: Copy + Default + PartialOrd + Display + FromStr + Send + Sync + 'static,
{
    let place = Place::here();
    let choose = move |event| {
        let value = event_target_value(&event).parse().ok().filter(|value| *value > T::default());
        place.look(|view| *at(view) = value);
    };
    let options = values.iter().map(|(value, name)| {
        let is_shown = move || at(&mut place.view()).unwrap_or_default() == *value;
        view! { <option value=value.to_string() selected=is_shown>{*name}</option> }
    });
    view! {
        <label>
            {name}
            <select data-testid=test on:change=choose>{options.collect_view()}</select>
        </label>
    }
}

/// How many of `all` lines the filters let pass.
#[component]
pub fn Count(
    /// Those that pass.
    rows: Memo<Vec<usize>>,
    /// How many there are.
    all: usize,
) -> impl IntoView {
    view! {
        <p class="count" role="status" data-testid="count">
            {move || format!("{} of {all} shown", rows.with(Vec::len))}
        </p>
    }
}

/// Sorts the numbers of lines by their `key`.
pub fn sort_by(rows: &mut [usize], descending: bool, key: impl Fn(usize) -> f64) {
    rows.sort_by(|one, other| match descending {
        true => key(*other).total_cmp(&key(*one)),
        false => key(*one).total_cmp(&key(*other)),
    });
}

/// The lines of a table: a screenful at once, the others a few with each picture, so that the page
/// answers meanwhile.
pub fn lines<V: IntoView + 'static>(
    rows: Memo<Vec<usize>>,
    line: impl Fn(usize) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView {
    let drawn = RwSignal::new(first(&rows.get_untracked(), AT_ONCE));
    Effect::new(move |before: Option<()>| {
        let rows = rows.get();
        if before.is_some() {
            drawn.set(first(&rows, AT_ONCE));
        }
        draw_more(drawn, rows);
    });
    view! { <For each=move || drawn.get() key=|number| *number children=line /> }
}

fn first(rows: &[usize], count: usize) -> Vec<usize> {
    rows.iter().take(count).copied().collect()
}

fn draw_more(drawn: RwSignal<Vec<usize>>, rows: Vec<usize>) {
    request_animation_frame(move || {
        // The page may have gone, or the lines have changed since.
        let count =
            drawn.try_with_untracked(|drawn| rows.starts_with(drawn).then_some(drawn.len()));
        if let Some(Some(count)) = count
            && count < rows.len()
        {
            drawn.set(first(&rows, count + AT_ONCE));
            draw_more(drawn, rows);
        }
    });
}

/// What Enter does on a line: it opens the line's page, unless a link in the line has the focus.
pub fn open_by_key(place: Place, page: Page) -> impl Fn(KeyboardEvent) + 'static {
    move |event| {
        let is_plain =
            !(event.ctrl_key() || event.meta_key() || event.alt_key() || event.shift_key());
        if event.key() == "Enter" && is_plain && event.target() == event.current_target() {
            place.go(page);
        }
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
