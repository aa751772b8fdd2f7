//! The chip in the header: on what own texts are computed, and the menu in which one chooses.

use leptos::prelude::*;

use crate::engine_link::{EngineKind, EngineLink, EngineState};
use crate::place::Place;

/// The chip with its menu.
#[component]
pub fn EngineChip() -> impl IntoView {
    let link = EngineLink::here();
    let open = RwSignal::new(false);
    let chip = NodeRef::<leptos::html::Button>::new();
    let close = move || {
        open.set(false);
        let _ = chip.get_untracked().map(|chip| chip.focus());
    };
    let close_by_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Escape" && open.get_untracked() {
            close();
        }
    };
    view! {
        <div class="engine" on:keydown=close_by_key>
            <button
                node_ref=chip
                class="chip"
                data-testid="engine"
                aria-controls="engine-menu"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <span class="unseen">"Engine: "</span>
                {move || link.state.get().to_string()}
            </button>
            <span class="unseen" role="status">
                {move || format!("Engine: {}", link.state.get())}
            </span>
            <div
                id="engine-menu"
                class="card menu"
                role="group"
                aria-label="Engine"
                hidden=move || !open.get()
            >
                <Menu close />
            </div>
        </div>
    }
}

#[component]
fn Menu(
    /// Closes it.
    close: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let place = Place::here();
    let link = EngineLink::here();
    let choice = move |kind: EngineKind, test: &'static str, name: &'static str| {
        let choose = move |_| {
            link.choose(kind);
            close();
        };
        view! {
            <button
                data-testid=test
                aria-pressed=move || link.state.with(|state| is_on(state, kind)).to_string()
                disabled=move || place.index.value().is_none()
                on:click=choose
            >
                {name}
            </button>
        }
    };
    view! {
        <p>"What computes your own texts. They stay on this machine either way."</p>
        <div class="row">
            {choice(EngineKind::Cpu, "cpu", "Processor")}
            {choice(EngineKind::Gpu, "gpu", "Graphics card")}
        </div>
        <p class="hint">{move || link.state.with(remark)}</p>
    }
}

fn is_on(state: &EngineState, kind: EngineKind) -> bool {
    match kind {
        EngineKind::Cpu => matches!(state, EngineState::OnCpu { .. }),
        EngineKind::Gpu => matches!(state, EngineState::OnGpu(_)),
    }
}

fn remark(state: &EngineState) -> String {
    match state {
        EngineState::OnCpu { why_not_gpu: Some(reason) } => format!("WebGPU off: {reason}."),
        EngineState::Failed(reason) => format!("The engine failed: {reason}."),
        EngineState::OnGpu(adapter) => format!("WebGPU on {adapter}."),
        _ => "The graphics card needs WebGPU and some megabytes more; the processor is quick \
              enough for the models here."
            .into(),
    }
}
