//! What stands on the page while something loads, when it failed, and when there is nothing.

use std::sync::Arc;

use leptos::prelude::*;
use shared::report::Example;

use crate::figures::{level, visible};
use crate::session::{Loaded, Resource};

/// Draws what a resource has, or what became of it. What was here before stays, dimmed, while the
/// next is loading.
pub fn shown<T: Send + Sync + 'static>(
    resource: Resource<T>,
    draw: impl Fn(Arc<T>) -> AnyView + Send + Sync + 'static,
) -> impl IntoView {
    let before = StoredValue::new(None::<Arc<T>>);
    move || match resource.state.get() {
        Loaded::Ready(value) => {
            before.set_value(Some(value.clone()));
            draw(value)
        }
        Loaded::Loading => match before.get_value() {
            Some(value) => {
                view! { <div class="stale" aria-busy="true">{draw(value)}</div> }.into_any()
            }
            None => waiting().into_any(),
        },
        Loaded::Failed(problem) => {
            before.set_value(None);
            let retry = move |_| resource.retry();
            view! {
                <div class="card problem" role="alert" data-testid="problem">
                    <h2>"This could not be shown"</h2>
                    <p>{problem.to_string()}</p>
                    <button data-again on:click=retry>"Try again"</button>
                </div>
            }
            .into_any()
        }
    }
}

fn waiting() -> impl IntoView {
    view! {
        <div class="skeleton" role="status" data-testid="loading">
            <span class="unseen">"Loading"</span>
            <div></div>
            <div></div>
            <div></div>
        </div>
    }
}

/// A card that says why there is nothing.
pub fn empty(title: &'static str, reason: impl IntoView) -> impl IntoView {
    view! {
        <div class="card empty" data-testid="empty">
            <h2>{title}</h2>
            <p>{reason}</p>
        </div>
    }
}

/// A place in the text: each character as strongly marked as the feature fires there.
#[component]
pub fn Passage(
    /// The text and its values.
    example: Example,
) -> impl IntoView {
    let most = example.values.iter().copied().fold(0.0, f32::max);
    let mut spans = vec![];
    let mut plain = String::new();
    for (place, character) in example.text.chars().enumerate() {
        let level = level(example.values.get(place).copied().unwrap_or(0.0), most);
        let sign = match character {
            ' ' => " ".to_string(),
            other => visible(other),
        };
        if level == 0 && place != example.at {
            plain += &sign;
            continue;
        }
        if !plain.is_empty() {
            spans.push(std::mem::take(&mut plain).into_any());
        }
        spans.push(match place == example.at {
            true => {
                let class = format!("mark lit{level} here");
                // The strongest place shows even a space.
                let sign = if sign == " " { "␣".to_string() } else { sign };
                view! { <mark class=class>{sign}</mark> }.into_any()
            }
            false => view! { <span class=format!("mark lit{level}")>{sign}</span> }.into_any(),
        });
    }
    spans.push(plain.into_any());
    view! { <span class="passage">{spans}</span> }
}
