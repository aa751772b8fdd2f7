//! A question whose answers are steps.

use leptos::prelude::*;

/// Steps side by side, each with its key and its meaning. They are radio buttons, so that arrows and
/// screen readers find what they know.
#[component]
pub fn Scale(
    /// The question.
    question: &'static str,
    /// A name for this question alone.
    name: &'static str,
    /// Key and meaning of each step, from 1.
    steps: &'static [(&'static str, &'static str)],
    /// The step that was chosen.
    #[prop(into)]
    chosen: Signal<Option<u8>>,
    /// Hears of a step.
    choose: impl Fn(u8) + Copy + 'static,
) -> impl IntoView {
    let steps = steps.iter().zip(1_u8..).map(|((key, meaning), step)| {
        let is_chosen = move || chosen.get() == Some(step);
        view! {
            <label class="step" class:chosen=is_chosen>
                <input
                    type="radio"
                    name=name
                    data-testid=format!("{name}-{step}")
                    prop:checked=is_chosen
                    on:change=move |_| choose(step)
                />
                {(!key.is_empty()).then(|| view! { <kbd aria-hidden="true">{*key}</kbd> })}
                <span>{*meaning}</span>
            </label>
        }
    });
    view! {
        <fieldset>
            <legend>{question}</legend>
            <div class="steps">{steps.collect_view()}</div>
        </fieldset>
    }
}
