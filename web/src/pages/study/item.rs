//! One item: five lines, which one does not belong, how clear the idea is, how sure one is.

use leptos::ev::{Event, KeyboardEvent};
use leptos::prelude::*;
use shared::ratings::LONGEST_LABEL;
use shared::report::Example;
use shared::study::StudyLine;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::NotKeptHere;
use super::ends::HalfWay;
use super::scale::Scale;
use crate::shown::Passage;
use crate::study::rating::{Kept, Rating, Stage};

/// The keys of the five lines.
const LINE_KEYS: [&str; 5] = ["q", "w", "e", "r", "t"];
/// Of "cannot tell".
const NO_LINE: &str = "0";

const CLARITY: [(&str, &str); 5] =
    [("1", "none"), ("2", "vague"), ("3", "partly"), ("4", "mostly"), ("5", "fully")];
const CONFIDENCE: [(&str, &str); 3] = [("a", "a guess"), ("s", "fairly"), ("d", "sure")];

/// A line with what is marked in it.
#[component]
pub fn Marked(
    /// The line.
    line: StudyLine,
) -> impl IntoView {
    let values = line.levels().map(f32::from).collect();
    view! { <Passage example=Example { at: line.at, values, text: line.text } /> }
}

/// The item that the rater has come to.
#[component]
pub fn ItemPage(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let missing = RwSignal::new(false);
    let go_on = move || {
        let went = rating.next();
        missing.set(!went);
        if went && rating.stage.get_untracked() == Stage::Items {
            crate::app::focus_heading();
        }
    };
    let back = move || {
        missing.set(false);
        rating.back();
        crate::app::focus_heading();
    };
    let keys = window_event_listener(leptos::ev::keydown, move |event| {
        if press(rating, &event, &go_on, &back) {
            event.prevent_default();
        }
    });
    // Arrows and the space bar choose, too, so only the pointer itself says that it was used.
    let pointer = window_event_listener(leptos::ev::pointerdown, move |_| {
        rating.draft.update(|draft| draft.pointed = true);
    });
    on_cleanup(move || {
        keys.remove();
        pointer.remove();
    });
    let is_half = move || {
        let (at, all) = (rating.at.get(), rating.sequence.with(Vec::len));
        all >= 8 && at == all / 2
    };
    let open = move || match missing.get() {
        true => rating.open_questions().join(", "),
        false => String::new(),
    };
    view! {
        <Progress rating />
        <NotKeptHere rating />
        <Show when=is_half>
            <HalfWay rating />
        </Show>
        <Questions rating />
        <p class="row moves">
            <button data-testid="back" disabled=move || rating.at.get() == 0 on:click=move |_| back()>
                "Back " <kbd aria-hidden="true">"Backspace"</kbd>
            </button>
            <button class="main" data-testid="next" on:click=move |_| go_on()>
                "Next " <kbd aria-hidden="true">"Enter"</kbd>
            </button>
            <span role="status" data-testid="open">
                {move || match open() {
                    none if none.is_empty() => none,
                    open => format!("Still open: {open}."),
                }}
            </span>
            <button class="small stop" on:click=move |_| rating.stage.set(Stage::Finish)>
                "Stop here"
            </button>
        </p>
    }
}

#[component]
fn Progress(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let all = move || rating.sequence.with(Vec::len);
    let minutes = rating.with_study(|study| study.minutes);
    let left = move || (minutes * (all() - rating.at.get())).div_ceil(all().max(1));
    let saved = move || match rating.kept.get() {
        Kept::Memory(_) => "not saved".to_string(),
        Kept::Saved(places) => {
            let given = rating.session.with(|session| session.answers.len());
            match places.len() {
                saved if saved < given => "saving…".to_string(),
                0 => String::new(),
                1 => "1 answer saved".to_string(),
                saved => format!("{saved} answers saved"),
            }
        }
    };
    view! {
        <div class="progress">
            <h1 tabindex="-1">{move || format!("Item {} of {}", rating.at.get() + 1, all())}</h1>
            <progress aria-label="Items answered" max=all value=move || rating.at.get()></progress>
            <span class="hint">
                {move || format!("about {} min left", left().max(1))}
            </span>
            <span class="hint" data-testid="saved">{saved}</span>
        </div>
    }
}

/// The questions about the item on the page.
#[component]
pub fn Questions(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let clarity = Signal::derive(move || rating.draft.with(|draft| draft.clarity));
    let confidence = Signal::derive(move || rating.draft.with(|draft| draft.confidence));
    let label = move |event: Event| {
        // A tab can be pasted.
        let text = event_target_value(&event).replace(char::is_control, " ");
        let text = text.chars().take(LONGEST_LABEL).collect();
        rating.draft.update(|draft| draft.label = text);
    };
    view! {
        <div class="questions">
            <fieldset>
                <legend>"Which line does not belong with the other four?"</legend>
                {move || {
                    let lines = rating.item().map(|item| item.lines).unwrap_or_default();
                    let choices = lines.into_iter().zip(LINE_KEYS).zip(1_u8..);
                    choices
                        .map(|((line, key), number)| view! {
                            <LineChoice rating number key>
                                <Marked line=line.clone() />
                            </LineChoice>
                        })
                        .collect_view()
                }}
                <LineChoice rating number=0 key=NO_LINE>"cannot tell"</LineChoice>
            </fieldset>
            <div>
                <Scale
                    question="How clear is a single idea behind the other four?"
                    name="clarity"
                    steps=&CLARITY
                    chosen=clarity
                    choose=move |step| rating.draft.update(|draft| draft.clarity = Some(step))
                />
                <Scale
                    question="How sure are you?"
                    name="confidence"
                    steps=&CONFIDENCE
                    chosen=confidence
                    choose=move |step| rating.draft.update(|draft| draft.confidence = Some(step))
                />
                <label class="label">
                    "In a few words, what is the idea? (optional)"
                    <input
                        type="text"
                        autocomplete="off"
                        maxlength=LONGEST_LABEL
                        data-testid="label"
                        prop:value=move || rating.draft.with(|draft| draft.label.clone())
                        on:input=label
                    />
                </label>
            </div>
        </div>
    }
}

#[component]
fn LineChoice(
    /// The rater.
    rating: Rating,
    /// Which line, from 1; 0 is none.
    number: u8,
    /// Its key.
    key: &'static str,
    /// What is shown of it.
    children: Children,
) -> impl IntoView {
    let is_chosen = move || rating.draft.with(|draft| draft.intruder == Some(number));
    let choose = move |_| rating.draft.update(|draft| draft.intruder = Some(number));
    view! {
        <label class="line" class:chosen=is_chosen>
            <input
                type="radio"
                name="intruder"
                data-testid=format!("line-{number}")
                prop:checked=is_chosen
                on:change=choose
            />
            <kbd aria-hidden="true">{key}</kbd>
            <span>{children()}</span>
        </label>
    }
}

/// Does what a key means; false if it means nothing here.
fn press(rating: Rating, event: &KeyboardEvent, go_on: &dyn Fn(), back: &dyn Fn()) -> bool {
    let is_with_others = event.ctrl_key() || event.meta_key() || event.alt_key();
    // Safari ends a composition first and tells of its key then, as 229.
    let is_composing = event.is_composing() || event.key_code() == 229;
    if is_with_others || is_composing || event.repeat() {
        return false;
    }
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let is = |selector: &str| {
        target.as_ref().is_some_and(|target| target.matches(selector).unwrap_or(false))
    };
    let key = event.key().to_lowercase();
    match key.as_str() {
        // On a button, Enter presses the button.
        "enter" if !is("button, textarea") => go_on(),
        _ if is("input[type=text], textarea, select") => return false,
        "backspace" => back(),
        key => return choose(rating, key),
    }
    true
}

/// Answers the question to which `key` belongs; false if there is none.
fn choose(rating: Rating, key: &str) -> bool {
    let step = |steps: &[(&str, &str)]| {
        steps.iter().position(|(known, _)| *known == key).map(|place| place as u8 + 1)
    };
    let line = LINE_KEYS.iter().position(|known| *known == key).map(|place| place as u8 + 1);
    let line = line.or((key == NO_LINE).then_some(0));
    let (clarity, confidence) = (step(&CLARITY), step(&CONFIDENCE));
    rating.draft.update(|draft| {
        draft.intruder = line.or(draft.intruder);
        draft.clarity = clarity.or(draft.clarity);
        draft.confidence = confidence.or(draft.confidence);
    });
    line.or(clarity).or(confidence).is_some()
}
