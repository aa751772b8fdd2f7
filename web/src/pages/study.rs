//! A study as a rater meets it, from consent to handing over. Nothing here knows which method an item
//! comes from, and no page but this one can be reached from it.

mod ends;
mod finish;
mod instructions;
mod item;
mod scale;

use std::sync::Arc;

use leptos::prelude::*;
use shared::digest::sha256;

use crate::place::Place;
use crate::session::{self, LoadedStudy, Problem, Resource};
use crate::shown::shown;
use crate::study::rating::{Kept, Rating, Stage};
use finish::Finish;
use instructions::Instructions;
use item::ItemPage;

/// The study that the address names.
#[component]
pub fn Study() -> impl IntoView {
    let place = Place::here();
    let named = Memo::new(move |_| (place.view().study, place.view().block));
    let loaded = Resource::new(move || {
        let (name, block) = named.get();
        Some(async move {
            let unnamed =
                "This address names no study; an invitation has one like #/study?s=pilot.";
            let loaded =
                session::study(&name.ok_or_else(|| Problem::Absent(unnamed.into()))?).await?;
            match block {
                Some(block) if block >= loaded.study.blocks.len() => {
                    let told =
                        format!("This study has no block {block}; please look at the invitation.");
                    Err(Problem::Absent(told))
                }
                _ => Ok(loaded),
            }
        })
    });
    view! {
        <div class="study">
            {shown(loaded, move |study| {
                let block = place.route.with_untracked(|route| route.view.block);
                view! { <Way rating=Rating::open(study, block) /> }.into_any()
            })}
        </div>
    }
}

/// Shows the stage that the rater has come to.
#[component]
pub fn Way(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    Effect::new(move |before: Option<Stage>| {
        let stage = rating.stage.get();
        if before.is_some_and(|before| before != stage) {
            crate::app::focus_heading();
        }
        stage
    });
    move || match rating.stage.get() {
        Stage::Opening => view! { <p role="status">"One moment."</p> }.into_any(),
        Stage::Elsewhere => view! { <ends::Elsewhere /> }.into_any(),
        Stage::Outdated => view! { <ends::Outdated rating /> }.into_any(),
        Stage::Return => view! { <ends::Return rating /> }.into_any(),
        Stage::Consent => view! { <Consent rating /> }.into_any(),
        Stage::Left => view! { <ends::Left /> }.into_any(),
        Stage::Instructions => view! { <Instructions rating /> }.into_any(),
        Stage::Items => view! { <ItemPage rating /> }.into_any(),
        Stage::Closing => view! { <finish::Closing rating /> }.into_any(),
        Stage::Finish => view! { <Finish rating /> }.into_any(),
        Stage::Erased => view! { <ends::Erased rating /> }.into_any(),
    }
}

/// What the rater agrees to.
#[component]
fn Consent(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let LoadedStudy { study, .. } = (*rating.study.get_value()).clone();
    let agreed = RwSignal::new(false);
    let publish = RwSignal::new(false);
    let text = Arc::new(study.consent.clone());
    let start = move |_| rating.agree(publish.get_untracked(), sha256(text.as_bytes()));
    let paragraphs = study.consent.split("\n\n").map(|text| view! { <p>{text.to_string()}</p> });
    view! {
        <h1>"Taking part"</h1>
        <div class="prose">
            {paragraphs.collect_view()}
            <NotKeptHere rating />
            <p class="check">
                <label>
                    <input
                        type="checkbox"
                        data-testid="agree"
                        on:change=move |event| agreed.set(event_target_checked(&event))
                    />
                    " I am 18 or older and agree to take part."
                </label>
            </p>
            <p class="check">
                <label>
                    <input
                        type="checkbox"
                        data-testid="publish"
                        on:change=move |event| publish.set(event_target_checked(&event))
                    />
                    " My answers may be published without my id. (This is not needed to take part.)"
                </label>
            </p>
            <p class="row">
                <button
                    class="main"
                    data-testid="start"
                    disabled=move || !agreed.get()
                    on:click=start
                >
                    "Start"
                </button>
                <button on:click=move |_| rating.stage.set(Stage::Left)>"No, leave"</button>
            </p>
        </div>
    }
}

/// Says that answers are not kept, before anybody gives one.
#[component]
pub(super) fn NotKeptHere(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    move || {
        let Kept::Memory(reason) = rating.kept.get() else { return None };
        Some(view! {
            <p class="card notice" role="alert" data-testid="memory">
                "This browser does not keep your answers (" {reason} "). They are lost when this tab is \
                 closed or reloaded: save a copy before you leave, half way and at the end."
            </p>
        })
    }
}
