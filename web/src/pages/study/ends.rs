//! Where a rater does not go on at once.

use leptos::prelude::*;

use super::finish::{CopyCode, Download, EraseButton};
use crate::study::rating::{Rating, Stage};

/// Another tab has the study; when it is closed, [`Rating`] goes on by itself.
#[component]
pub fn Elsewhere() -> impl IntoView {
    view! {
        <h1>"Open elsewhere"</h1>
        <p role="status" data-testid="elsewhere">
            "This study is open in another tab of this browser. Go on there, or close that tab: then \
             this one goes on by itself, with every answer that was saved."
        </p>
    }
}

/// A session was begun.
#[component]
pub fn Return(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let all = move || rating.sequence.with(Vec::len);
    let answered = move || rating.session.with(|session| session.answers.len());
    let go_on = move || match answered() < all() {
        true => format!("Continue at {} of {}", rating.at.get() + 1, all()),
        false => "Continue".to_string(),
    };
    view! {
        <h1>"Welcome back"</h1>
        <p data-testid="return">
            {move || format!("This browser has {} of your {} answers.", answered(), all())}
        </p>
        <p class="row">
            <button class="main" data-testid="continue" on:click=move |_| rating.go_on()>
                {go_on}
            </button>
            <EraseButton rating name="Start over" after=Stage::Consent />
        </p>
    }
}

/// The answers are to an earlier version of the study.
#[component]
pub fn Outdated(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    view! {
        <h1>"The study has changed"</h1>
        <p>
            "This browser has answers that do not fit the study as it is now, so they cannot be \
             continued. They are not lost: whoever invited you can use them with the study as it was. \
             You can also start over; what was kept is then erased."
        </p>
        <Download rating name="Download my answers" />
        <CopyCode rating />
        <p class="row"><EraseButton rating name="Start over" after=Stage::Consent /></p>
    }
}

/// The rater did not agree.
#[component]
pub fn Left() -> impl IntoView {
    view! {
        <h1>"Thank you anyway"</h1>
        <p>"You have not taken part, and nothing was stored. You can close this page."</p>
    }
}

/// Everything is erased.
#[component]
pub fn Erased(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let contact = rating.with_study(|study| study.contact.clone());
    view! {
        <h1>"Erased"</h1>
        <p data-testid="erased">"This browser has nothing of your answers any more."</p>
        <p>
            "If you have handed over a copy and want that erased, too, quote the id "
            <code>{move || rating.session.with(|session| session.header.rater.clone())}</code>
            {contact.map(|contact| format!(" to {contact}"))} "."
        </p>
    }
}

/// A half-way mark with a copy to save.
#[component]
pub fn HalfWay(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    view! {
        <div class="card half" data-testid="half">
            <p>"Half way. This is a good moment for a break."</p>
            <Download rating name="Save a copy" />
        </div>
    }
}
