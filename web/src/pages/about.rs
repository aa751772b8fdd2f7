//! What this is, without any run.

use leptos::prelude::*;
use shared::site::SCHEMA;

use crate::place::Place;

/// What the explorer is, what it does with what is typed, how to bring other runs here.
#[component]
pub fn About() -> impl IntoView {
    let place = Place::here();
    view! {
        <h1>"About"</h1>
        <div class="prose">
            <p class="lead">
                "csae explains what a layer of a small language model computes: in features, one by one, \
                 and in combinations of two, three or four features that say together what none of them \
                 says alone."
            </p>
            <h2>"Words"</h2>
            <dl class="words">
                <dt>"Activation"</dt>
                <dd>"The numbers inside the language model at one character, after one of its blocks."</dd>
                <dt>"Feature"</dt>
                <dd>"A direction in these numbers, and how strongly it is there. A few are active at a time."</dd>
                <dt>"Reconstruction"</dt>
                <dd>"The activation put together again from its active features and their combinations."</dd>
                <dt>"Combination"</dt>
                <dd>"Features that act together. Its interaction is what is left of their joint effect when \
                     the effects of every smaller group of them are taken away."</dd>
                <dt>"Variance unexplained"</dt>
                <dd>"Squared error of the reconstruction over the variance of the activations."</dd>
            </dl>
            <h2>"What is done with what you type"</h2>
            <p>
                "It is computed in your browser and stays there. This page loads nothing from elsewhere, \
                 sets no cookie and counts no visits."
            </p>
            <h2>"Other runs"</h2>
            <p>
                <code>"trainer --out_dir=run_1"</code>
                " makes a run, "
                <code>"trainer site --runs=run_1"</code>
                " brings it here. The data has the form "
                {SCHEMA}
                "; its fields are described in shared/src/site.rs of the source."
            </p>
            <p class="hint" data-testid="versions">
                "Explorer " {env!("CARGO_PKG_VERSION")} " (" {env!("CSAE_COMMIT")} ")"
                {move || place.manifest.value().map(|manifest| format!(", data by {}", manifest.made_by))}
                ". Free software under MIT or Apache-2.0."
            </p>
        </div>
    }
}
