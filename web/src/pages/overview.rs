//! What a run found, in one screen. Every number comes from the run's files.

use std::sync::Arc;

use leptos::prelude::*;
use shared::site::{CompositionKind, Figure, MethodFigures, RunIndex};

use super::combinations::agreement;
use crate::app::with_index;
use crate::figures::{number, one_line, percent, thousands};
use crate::place::Place;
use crate::route::Page;
use crate::take_along::CsvButton;
use crate::{charts, csv};

/// The overview of the shown run.
#[component]
pub fn Overview() -> impl IntoView {
    with_index(|index| view! { <Found index /> }.into_any())
}

#[component]
fn Found(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let texts = index.texts.clone();
    view! {
        <h1>{index.question.clone()}</h1>
        <p class="lead">{answer(&index)}</p>
        {figures(&index)}
        <section aria-labelledby="methods">
            <h2 id="methods">"What each method leaves unexplained"</h2>
            <Methods index=index.clone() />
        </section>
        <Pipeline index=index.clone() />
        <section aria-labelledby="try">
            <h2 id="try">"Look at a text"</h2>
            <Examples texts />
        </section>
        <section aria-labelledby="limits" class="card">
            <h2 id="limits">"Limits of this result"</h2>
            <ul>{limits(&index).into_iter().map(|limit| view! { <li>{limit}</li> }).collect_view()}</ul>
        </section>
    }
}

fn best(index: &RunIndex) -> Option<&MethodFigures> {
    index.methods.iter().find(|method| method.name == index.model)
}

/// The standard autoencoder, the first rival that is worth the comparison.
fn rival(index: &RunIndex) -> Option<&MethodFigures> {
    let others = || index.methods.iter().filter(|method| method.name != index.model);
    others().find(|method| method.name == "topk").or_else(|| others().next_back())
}

/// One paragraph made of the run's figures.
fn answer(index: &RunIndex) -> String {
    // A number, its error and its unit stay on one line.
    let text = |figure: Figure| with_error(figure, percent).replace(' ', "\u{a0}");
    let Some(model) = best(index) else {
        return "The run has no figures for the model that is shown.".into();
    };
    let mut answer = format!(
        "The {} model leaves {} of the variance of block {}'s activations unexplained, with {} of {} \
         features active at a time",
        index.model,
        text(model.fvu),
        index.layer,
        index.sparsity_k,
        index.features.len()
    );
    if let Some(rival) = rival(index) {
        answer += &format!("; {} leaves {}", rival.name, text(rival.fvu));
    }
    answer
        + &format!(
            ". Measured on {} held-out rows of {}.",
            thousands(index.held_out_rows as i64),
            index.dataset
        )
}

/// A mean with its standard error, if there is one.
pub fn with_error(figure: Figure, write: impl Fn(f64) -> String) -> String {
    match (figure.mean, figure.stderr) {
        (Some(mean), Some(error)) => format!("{} ± {}", write(mean), write(error)),
        (Some(mean), None) => write(mean),
        (None, _) => "–".into(),
    }
}

fn figures(index: &RunIndex) -> impl IntoView + use<> {
    let model = best(index).cloned().unwrap_or_default();
    let tile = |name: &'static str, value: String, meaning: &'static str| {
        view! {
            <div class="tile">
                <dt>{name}</dt>
                <dd>{value}</dd>
                <dd class="meaning">{meaning}</dd>
            </div>
        }
    };
    let mean = |figure: Figure, write: fn(f64) -> String| figure.mean.map_or("–".into(), write);
    view! {
        <dl class="tiles">
            {tile("Unexplained", mean(model.fvu, percent), "share of variance, lower is better")}
            {tile("Active", mean(model.l0, number), "features per character")}
            {tile("Dead", mean(model.dead_share, percent), "features that never fire")}
            {tile("Loss kept", mean(model.ce_recovered, percent), "with reconstructions in place")}
        </dl>
    }
}

#[component]
fn Methods(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let values = index.methods.iter().filter_map(|method| method.fvu.mean);
    let most = values.fold(0.0, f64::max) * 1.05;
    let lines = index.methods.iter().map(|method| {
        let Figure { mean, stderr } = method.fvu;
        let interval = mean.zip(stderr).map(|(mean, error)| [mean - 2.0 * error, mean + 2.0 * error]);
        let class = (method.name == index.model).then_some("shown");
        view! {
            <tr class=class>
                <th scope="row">{method.name.replace('_', " ")}</th>
                <td data-name="Setting" class="hint">{method.setting.clone()}</td>
                <td class="wide" inner_html=charts::bar(mean.unwrap_or(f64::NAN), most, interval)></td>
                <td data-name="Unexplained" class="number">{with_error(method.fvu, percent)}</td>
                <td data-name="Active" class="number">{method.l0.mean.map(number)}</td>
                <td data-name="Loss kept" class="number">{method.ce_recovered.mean.map(percent)}</td>
            </tr>
        }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Table of methods">
            <table class="cards methods">
                <thead>
                    <tr>
                        <th scope="col">"Method"</th>
                        <th scope="col">"Setting"</th>
                        <th scope="col">"Variance unexplained"</th>
                        <th scope="col" class="number">"Mean ± standard error"</th>
                        <th scope="col" class="number">"Active"</th>
                        <th scope="col" class="number">"Loss kept"</th>
                    </tr>
                </thead>
                <tbody>{lines.collect_view()}</tbody>
            </table>
        </div>
        <p class="hint">
            "Whiskers: two standard errors over seeds. Loss kept: share of the language model's loss on \
             top of zero ablation that the reconstruction recovers."
        </p>
        <CsvButton name="methods" text=move || csv::methods(&index.methods) />
    }
}

#[component]
fn Pipeline(
    /// The run.
    index: Arc<RunIndex>,
) -> impl IntoView {
    let place = Place::here();
    let combined = match index.composition {
        CompositionKind::None => None,
        CompositionKind::Attention => Some("attention between active features"),
        CompositionKind::Units => Some("units for combinations"),
    };
    view! {
        <section aria-labelledby="pipeline">
            <h2 id="pipeline">"How it works"</h2>
            <ol class="pipeline">
                <li>
                    <a href=move || place.to(Page::Text)>"Text"</a>
                    <span>"character by character"</span>
                </li>
                <li>
                    <strong>"Language model"</strong>
                    <span>
                        {format!("after block {} of {}, {} numbers", index.layer, index.n_layers, index.d_model)}
                    </span>
                </li>
                <li>
                    <a href=move || place.to(Page::Features)>{index.features.len()} " features"</a>
                    <span>{index.sparsity_k} " active at a time"</span>
                </li>
                {combined.map(|combined| view! {
                    <li>
                        <a href=move || place.to(Page::Combinations)>"Composition"</a>
                        <span>{combined}</span>
                    </li>
                })}
                <li>
                    <strong>"Reconstruction"</strong>
                    <span>"compared with the activation"</span>
                </li>
            </ol>
        </section>
    }
}

/// The stored texts as links.
#[component]
fn Examples(
    /// The texts.
    texts: Vec<String>,
) -> impl IntoView {
    let place = Place::here();
    let links = texts.into_iter().enumerate().map(|(number, text)| {
        let address = move || {
            let route = place.route.with(|route| Page::Text.with(&route.view));
            route.change(|view| view.example = (number > 0).then_some(number)).to_string()
        };
        view! { <li><a href=address>{one_line(&text)}</a></li> }
    });
    view! { <ul class="texts">{links.collect_view()}</ul> }
}

fn limits(index: &RunIndex) -> Vec<String> {
    let mut limits = vec![
        format!(
            "One small language model ({} blocks of width {}) on one text, {}; profile {}.",
            index.n_layers, index.d_model, index.dataset, index.profile
        ),
        "A lower error is no proof of better features: whether they mean something is for people to \
         judge."
            .into(),
    ];
    if index.combinations.is_empty() {
        limits.push("This run has not been searched for combinations.".into());
    }
    limits
        .extend(agreement(&index.combinations).map(|said| format!("Of the combinations, {said}")));
    if index.composition == CompositionKind::Attention {
        limits.push(
            "Attention has more parameters than the standard autoencoder; part of its gain may come \
             from that."
                .into(),
        );
    }
    limits
}
