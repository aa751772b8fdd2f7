//! A text as a strip of characters, one of which is selected.

use std::sync::Arc;

use leptos::prelude::*;
use shared::reading::{Position, Reading};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::figures::{level, visible};
use crate::place::Place;
use crate::route::View;

/// By what characters are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colouring {
    /// How strongly one feature fires.
    Feature(usize),
    /// How badly the activation is reconstructed.
    Error,
}

impl Colouring {
    /// What the address says.
    pub fn of(view: &View) -> Self {
        view.feature.map_or(Self::Error, Self::Feature)
    }

    fn value(self, position: &Position) -> f32 {
        match self {
            Self::Error => position.error,
            Self::Feature(feature) => {
                let found = position.active.iter().find(|active| active.feature == feature);
                found.map_or(0.0, |active| active.strength)
            }
        }
    }
}

/// The strip. Arrows move the selection, which stands in the address.
#[component]
pub fn Strip(
    /// What the models make of the text.
    reading: Arc<Reading>,
) -> impl IntoView {
    let place = Place::here();
    let count = reading.positions.len();
    let levels = {
        let reading = reading.clone();
        Memo::new(move |_| {
            let colouring = place.route.with(|route| Colouring::of(&route.view));
            let values = reading.positions.iter().map(|position| colouring.value(position));
            let values: Vec<f32> = values.collect();
            let most = values.iter().copied().fold(0.0, f32::max);
            values.into_iter().map(|value| level(value, most)).collect::<Vec<u8>>()
        })
    };
    let selected = Memo::new(move |_| place.route.with(|route| selected(&route.view, count)));
    let press = move |event: leptos::ev::KeyboardEvent| {
        let now = selected.get_untracked();
        let next = match event.key().as_str() {
            "ArrowRight" => now + 1,
            "ArrowLeft" => now.saturating_sub(1),
            "Home" => 0,
            "End" => count.saturating_sub(1),
            _ => return,
        };
        event.prevent_default();
        let next = next.min(count.saturating_sub(1));
        place.look(|view| view.at = Some(next));
        let button = document().get_element_by_id(&format!("character-{next}"));
        let button = button.and_then(|button| button.dyn_into::<HtmlElement>().ok());
        let _ = button.map(|button| button.focus());
    };
    let characters = reading.text.chars().enumerate().map(|(at, character)| {
        let class = move || {
            let level = levels.with(|levels| levels.get(at).copied().unwrap_or(0));
            let here = if selected.get() == at { " here" } else { "" };
            format!("lit{level}{here}")
        };
        let label = match character {
            '\n' => "line break".to_string(),
            ' ' => "space".to_string(),
            other => other.to_string(),
        };
        view! {
            <button
                type="button"
                id=format!("character-{at}")
                class=class
                aria-label=format!("{label}, character {}", at + 1)
                aria-pressed=move || (selected.get() == at).to_string()
                tabindex=move || if selected.get() == at { "0" } else { "-1" }
                on:click=move |_| place.look(|view| view.at = Some(at))
            >
                {if character == ' ' { "\u{a0}".to_string() } else { visible(character) }}
            </button>
            {(character == '\n').then(|| view! { <br /> })}
        }
    });
    view! {
        <div
            class="strip"
            role="group"
            aria-label="The text, character by character"
            data-testid="strip"
            on:keydown=press
        >
            {characters.collect_view()}
        </div>
    }
}

/// The selected character: what the address says, else the last one.
pub fn selected(view: &View, count: usize) -> usize {
    view.at.unwrap_or(usize::MAX).min(count.saturating_sub(1))
}
