//! The last questions, and how the answers are handed over.

use leptos::prelude::*;
use shared::ratings::{LONGEST_COMMENT, code};
use wasm_bindgen_futures::spawn_local;

use super::NotKeptHere;
use super::scale::Scale;
use crate::study::rating::{Rating, Stage};
use crate::take_along;

const DIFFICULTY: [(&str, &str); 5] =
    [("", "very easy"), ("", "easy"), ("", "neither"), ("", "hard"), ("", "very hard")];

/// Two questions that may be skipped.
#[component]
pub fn Closing(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let difficulty = RwSignal::new(None);
    let comment = RwSignal::new(String::new());
    let hear = move |event| {
        // Line breaks are the only control signs that one types.
        let text = event_target_value(&event).replace(char::is_control, " ");
        comment.set(text.chars().take(LONGEST_COMMENT).collect());
    };
    let finish = move |_| rating.finish(difficulty.get_untracked(), &comment.get_untracked());
    view! {
        <h1>"Two last questions"</h1>
        <p class="hint">"Both may be left open."</p>
        <Scale
            question="How difficult was it?"
            name="difficulty"
            steps=&DIFFICULTY
            chosen=difficulty
            choose=move |step| difficulty.set(Some(step))
        />
        <label class="label">
            "Is there anything that we should know?"
            <textarea rows="4" maxlength=LONGEST_COMMENT on:input=hear></textarea>
        </label>
        <p class="hint">"Please write nothing that says who you are."</p>
        <p class="row">
            <button on:click=move |_| rating.back()>"Back to the items"</button>
            <button class="main" data-testid="finish" on:click=finish>"Finish"</button>
        </p>
    }
}

/// The answers are handed over.
#[component]
pub fn Finish(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let is_whole = move || rating.session.with(|session| session.end.is_some());
    let counted = move || {
        let answered = rating.session.with(|session| session.answers.len());
        format!("{answered} of {} answered.", rating.sequence.with(Vec::len))
    };
    let contact = rating.with_study(|study| study.contact.clone());
    let then = match contact {
        Some(contact) => format!("Then send the file or the letters to {contact}."),
        None => "Then send the file or the letters to whoever invited you.".to_string(),
    };
    view! {
        <h1>{move || if is_whole() { "Thank you" } else { "You stopped" }}</h1>
        <p data-testid="counted">
            {counted} " Your id is "
            <code class="id">{move || rating.session.with(|session| session.header.rater.clone())}</code>
            "; quote it if you want your answers erased later."
        </p>
        <NotKeptHere rating />
        <div class="card">
            <h2>"Hand over your answers"</h2>
            <p>"Nothing has left this browser yet. Do one of these:"</p>
            <Download rating name="Download my answers" />
            <CopyCode rating />
            <p>{then}</p>
            <p class="hint">
                "A mail shows who sent it; the answers themselves do not."
            </p>
        </div>
        <p class="row">
            <Show when=move || !is_whole()>
                <button class="main" on:click=move |_| rating.go_on()>"Go on with the items"</button>
            </Show>
            <EraseButton rating name="Erase everything from this browser" after=Stage::Erased />
        </p>
    }
}

/// A button that makes a file.
#[component]
pub fn Download(
    /// The rater.
    rating: Rating,
    /// What the button says.
    name: &'static str,
) -> impl IntoView {
    let told = RwSignal::new(String::new());
    let size = move || {
        rating.session.track();
        rating.file().1.len().div_ceil(1_000)
    };
    let download = move |_| {
        let (file, text) = rating.file();
        told.set(match take_along::download(&file, "application/x-ndjson", &text) {
            Ok(()) => format!("{file} is in your downloads."),
            Err(_) => "This browser makes no file; copy the letters instead.".to_string(),
        });
    };
    view! {
        <p class="row">
            <button data-testid="download" on:click=download>
                {name} {move || format!(" ({} kB)", size())}
            </button>
            <span role="status">{move || told.get()}</span>
        </p>
    }
}

/// The same as letters.
#[component]
pub fn CopyCode(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let letters = RwSignal::new(String::new());
    let told = RwSignal::new("");
    let copy = move |_| {
        let text = code::encode(rating.file().1.as_bytes());
        letters.set(text.clone());
        spawn_local(async move {
            let copied = take_along::copy(&text).await;
            told.set(match copied {
                true => "Copied. Paste all of it, from the first dash to the last.",
                false => "Select the letters below and copy them.",
            });
        });
    };
    view! {
        <p class="row">
            <button data-testid="copy" on:click=copy>"Copy as letters"</button>
            <span role="status">{move || told.get()}</span>
        </p>
        <Show when=move || !letters.with(String::is_empty)>
            <textarea
                class="letters"
                aria-label="Your answers as letters"
                data-testid="letters"
                rows="5"
                readonly
                prop:value=move || letters.get()
            ></textarea>
        </Show>
    }
}

/// A button that erases after it was asked twice.
#[component]
pub fn EraseButton(
    /// The rater.
    rating: Rating,
    /// What the button says.
    name: &'static str,
    /// What is shown then.
    after: Stage,
) -> impl IntoView {
    let asked = RwSignal::new(false);
    view! {
        <Show
            when=move || asked.get()
            fallback=move || view! {
                <button data-testid="erase" on:click=move |_| asked.set(true)>{name}</button>
            }
        >
            <span class="row" role="group" aria-label=name>
                <span role="status">"All answers in this browser will be gone."</span>
                <button data-testid="erase-really" on:click=move |_| rating.erase(after)>
                    "Erase them"
                </button>
                <button on:click=move |_| asked.set(false)>"Keep them"</button>
            </span>
        </Show>
    }
}
