//! Which characters something makes likelier and which less likely.

use leptos::prelude::*;

use crate::charts;
use crate::figures::{signed, visible};

/// Two lists of characters with bars on one scale.
#[component]
pub fn Effects(
    /// Likelier, strongest first.
    raises: Vec<(char, f64)>,
    /// Less likely, strongest first.
    lowers: Vec<(char, f64)>,
) -> impl IntoView {
    let sizes = raises.iter().chain(&lowers).map(|(_, effect)| effect.abs());
    let most = sizes.fold(0.0, f64::max);
    let list = move |title: &'static str, class: &'static str, effects: Vec<(char, f64)>| {
        let lines = effects.into_iter().map(|(character, effect)| {
            view! {
                <tr>
                    <th scope="row"><kbd>{visible(character)}</kbd></th>
                    <td class="wide" inner_html=charts::bar(effect.abs(), most, None)></td>
                    <td class="number">{signed(effect)}</td>
                </tr>
            }
        });
        view! {
            <table class=format!("effects {class}")>
                <caption>{title}</caption>
                <thead class="unseen">
                    <tr>
                        <th scope="col">"Character"</th>
                        <th scope="col">"Bar"</th>
                        <th scope="col">"Logits"</th>
                    </tr>
                </thead>
                <tbody>{lines.collect_view()}</tbody>
            </table>
        }
    };
    view! {
        <div class="pair">
            {list("Raises", "raises", raises)} {list("Lowers", "lowers", lowers)}
        </div>
    }
}
