//! A drawing of a table's lines that is made when someone opens it.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::place::Place;
use crate::route::Page;

/// The lines as dots. Who clicks a dot comes to its page; who cannot point has the table.
#[component]
pub fn Plot(
    /// What it shows.
    name: &'static str,
    /// What must be known to read it.
    meaning: &'static str,
    /// The drawing, as SVG whose dots have numbers.
    draw: impl Fn() -> String + Clone + Send + Sync + 'static,
    /// The page of a number.
    page: fn(usize) -> Page,
) -> impl IntoView {
    let place = Place::here();
    let is_open = RwSignal::new(false);
    let turn = move |event: leptos::ev::Event| {
        let details = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        is_open.set(details.is_some_and(|details| details.has_attribute("open")));
    };
    let go = move |event: leptos::ev::MouseEvent| {
        let dot = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let number = dot.and_then(|dot| dot.get_attribute("data-number")?.parse().ok());
        number.into_iter().for_each(|number| place.go(page(number)));
    };
    let drawn = move || {
        let draw = draw.clone();
        view! {
            <div class="plot" data-testid="plot" on:click=go inner_html=draw></div>
            <p class="hint">{meaning}</p>
        }
    };
    view! {
        <details on:toggle=turn>
            <summary>{name}</summary>
            {move || is_open.get().then(&drawn)}
        </details>
    }
}
