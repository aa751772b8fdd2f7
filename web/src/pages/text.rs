//! What the models make of a text, stored or own.

use std::sync::Arc;

use leptos::prelude::*;
use shared::reading::{LONGEST, Reading, encode};
use shared::site::RunIndex;

use super::position::PositionPanels;
use super::strip::{Colouring, Strip, selected};
use crate::app::with_index;
use crate::engine_link::{Answer, EngineLink, EngineState};
use crate::figures::{number as figure, one_line};
use crate::place::Place;
use crate::session::{self, Problem, Resource};
use crate::shown::shown;

/// The text page.
#[component]
pub fn Text() -> impl IntoView {
    with_index(|index| view! { <Desk index /> }.into_any())
}

#[component]
fn Desk(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let own = Memo::new(move |_| place.route.with(|route| route.view.text.clone()));
    view! {
        <h1>"Text"</h1>
        <p class="lead">
            "Choose a text or write your own, then a character: the features that fire there, how they \
             combine, and what the language model expects next."
        </p>
        <OwnText index=index.clone() />
        <Stored index=index.clone() />
        {move || match own.get() {
            Some(text) => view! { <OwnReading index=index.clone() text /> }.into_any(),
            None => view! { <StoredReading index=index.clone() /> }.into_any(),
        }}
    }
}

#[component]
fn OwnText(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let link = EngineLink::here();
    let address = Memo::new(move |_| place.route.with(|route| route.view.text.clone()));
    let written = RwSignal::new(address.get_untracked().unwrap_or_default());
    Effect::new(move |before: Option<()>| {
        let text = address.get();
        if let (Some(text), Some(())) = (text, before) {
            written.set(text);
        }
    });
    let megabytes = place.run.get_untracked().map_or(0.0, |run| run.model_bytes as f64 / 1e6);
    let refusal = {
        let index = index.clone();
        Memo::new(move |_| {
            written.with(|text| match text.is_empty() {
                true => None,
                false => encode(text, &index.vocab).err().map(|error| error.to_string()),
            })
        })
    };
    let run = move || {
        let text = written.get_untracked();
        if text.is_empty() || refusal.get_untracked().is_some() {
            return;
        }
        if address.with_untracked(|shown| shown.as_ref() == Some(&text)) {
            link.read(text.clone());
        }
        place.look(|view| {
            view.text = Some(text);
            view.example = None;
            view.at = None;
        });
    };
    let press = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            run();
        }
    };
    view! {
        <div class="own card">
            <label for="own-text">"Your own text"</label>
            <textarea
                id="own-text"
                data-testid="own-text"
                rows="3"
                spellcheck="false"
                aria-describedby="own-hint"
                prop:value=move || written.get()
                on:input=move |event| written.set(shortened(event_target_value(&event)))
                on:keydown=press
            ></textarea>
            <div class="row">
                <button class="main" data-testid="read" on:click=move |_| run()
                    disabled=move || written.with(String::is_empty) || refusal.get().is_some()>
                    "Read it"
                </button>
                <span class="count">
                    {move || written.with(|text| text.chars().count())} " / " {LONGEST}
                </span>
            </div>
            <p id="own-hint" class="hint" role="status" data-testid="own-hint">
                {move || match (refusal.get(), link.state.get()) {
                    (Some(refusal), _) => format!("{}.", capital(&refusal)),
                    (None, EngineState::Off) => {
                        format!("The first text loads the model, {megabytes:.1} MB. It stays on this page.")
                    }
                    (None, EngineState::Starting) => "Loading the engine.".into(),
                    (None, EngineState::Loading(percent)) => format!("Loading the model: {percent} %."),
                    (None, EngineState::WarmingUp) => "The graphics card is warming up.".into(),
                    (None, EngineState::Failed(reason)) => {
                        format!("The engine failed: {reason}. The stored texts work without it.")
                    }
                    (None, EngineState::OnCpu { why_not_gpu: Some(reason) }) => {
                        format!("On the processor; not on the graphics card: {reason}.")
                    }
                    (None, _) => "Ctrl-Enter reads it, too.".into(),
                }}
            </p>
        </div>
    }
}

/// What is pasted may be megabytes; one character more than allowed is enough to say so.
fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST + 1) {
        Some((end, _)) => text[..end].to_string(),
        None => text,
    }
}

fn capital(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

#[component]
fn Stored(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let shown = Memo::new(move |_| {
        place.route.with(|route| match route.view.text {
            Some(_) => None,
            None => Some(route.view.example.unwrap_or(0)),
        })
    });
    let buttons = index.texts.iter().enumerate().map(|(number, text)| {
        let choose = move |_| {
            place.look(|view| {
                view.text = None;
                view.at = None;
                view.example = (number > 0).then_some(number);
            });
        };
        view! {
            <button
                class="choice"
                aria-pressed=move || (shown.get() == Some(number)).to_string()
                on:click=choose
            >
                {one_line(text)}
            </button>
        }
    });
    view! {
        <div class="choices" role="group" aria-label="Stored texts" data-testid="stored">
            {buttons.collect_view()}
        </div>
    }
}

#[component]
fn StoredReading(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let example = Memo::new(move |_| place.route.with(|route| route.view.example.unwrap_or(0)));
    let reading = Resource::new(move || {
        let (run, index) = (place.run.get()?, place.index.value()?);
        let number = example.get();
        Some(async move {
            if number >= index.texts.len() {
                return Err(Problem::Absent(format!("There is no stored text {number}.")));
            }
            session::reading(run, number).await
        })
    });
    shown(reading, move |reading| view! { <Read reading index=index.clone() /> }.into_any())
}

#[component]
fn OwnReading(
    /// The run.
    index: Arc<RunIndex>,
    /// The text.
    text: String,
) -> impl IntoView {
    let link = EngineLink::here();
    // An address may hold any text.
    if let Err(refusal) = encode(&text, &index.vocab) {
        let refusal = capital(&refusal.to_string());
        return view! { <p class="card problem" role="alert" data-testid="problem">{refusal} "."</p> }
            .into_any();
    }
    let again = StoredValue::new(text.clone());
    link.read(text);
    let drawn = move || match link.answer.get() {
        Answer::Read(reading, milliseconds) => {
            let seconds = format!("Computed here in {} s.", figure(milliseconds / 1000.0));
            view! {
                <Read reading index=index.clone() />
                <p class="hint" data-testid="seconds">{seconds}</p>
            }
            .into_any()
        }
        Answer::Refused(reason) => {
            view! { <p class="card problem" role="alert">{capital(&reason)} "."</p> }.into_any()
        }
        Answer::Waiting => {
            view! { <p class="card" role="status">"Reading your text …"</p> }.into_any()
        }
        Answer::None => match link.state.get() {
            EngineState::Failed(reason) => view! {
                <div class="card problem" role="alert" data-testid="problem">
                    <h2>"Your text could not be read"</h2>
                    <p>"The engine failed: " {reason} ". The stored texts work without it."</p>
                    <button
                        data-again
                        on:click=move |_| again.with_value(|text| link.read(text.clone()))
                    >
                        "Try again"
                    </button>
                </div>
            }
            .into_any(),
            _ => ().into_any(),
        },
    };
    drawn.into_any()
}

#[component]
fn Read(
    /// What the models make of the text.
    reading: Arc<Reading>,
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let count = reading.positions.len();
    let at = Memo::new(move |_| place.route.with(|route| selected(&route.view, count)));
    let mean = |loss: fn(&shared::reading::Position) -> Option<f32>| {
        let losses: Vec<f32> = reading.positions.iter().filter_map(loss).collect();
        let count = losses.len();
        (count > 0).then(|| f64::from(losses.iter().sum::<f32>()) / count as f64)
    };
    let losses =
        mean(|position| position.clean_loss).zip(mean(|position| position.reconstructed_loss));
    let colouring = move || match place.route.with(|route| Colouring::of(&route.view)) {
        Colouring::Error => view! { "Coloured by the error of the reconstruction." }.into_any(),
        Colouring::Feature(feature) => view! {
            "Coloured by feature " {feature} ". "
            <button class="small" on:click=move |_| place.look(|view| view.feature = None)>
                "Back to the error"
            </button>
        }
        .into_any(),
    };
    view! {
        <div data-testid="reading">
            <Strip reading=reading.clone() />
            <p class="hint">
                {colouring}
                {losses.map(|(clean, rebuilt)| format!(
                    " Loss in nats per character: {} untouched, {} with reconstructions.",
                    figure(clean),
                    figure(rebuilt)
                ))}
            </p>
            {move || view! {
                <PositionPanels reading=reading.clone() index=index.clone() at=at.get() />
            }}
        </div>
    }
}
