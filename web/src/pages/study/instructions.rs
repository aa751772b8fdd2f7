//! What is to be done, and three questions that may be skipped.

use leptos::prelude::*;
use shared::ratings::Background;
use shared::study::StudyLine;

use super::item::Marked;
use crate::study::rating::Rating;

/// Five lines as an item shows them: four of them have a word for a fruit boxed.
const EXAMPLE: [(&str, &str); 5] = [
    ("she bought a ripe ", "apple"),
    ("they picked every ", "plum"),
    ("he walked along the ", "river"),
    ("a basket with one ", "pear"),
    ("the skin of the ", "peach"),
];

fn example((before, word): (&str, &str)) -> StudyLine {
    let text = format!("{before}{word}");
    let at = text.chars().count() - 1;
    let levels = text.chars().enumerate().map(|(place, _)| match place {
        place if place == at => '8',
        place if place + word.len() > at => '3',
        _ => '0',
    });
    StudyLine { at, levels: levels.collect(), text }
}

/// Three questions, each with its answers: as they are kept, and as they are shown.
type Question = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const QUESTIONS: [Question; 3] = [
    (
        "experience",
        "How much have you worked with machine learning?",
        &[("none", "not at all"), ("some", "a little"), ("much", "much")],
    ),
    ("english", "Did you grow up with English?", &[("yes", "yes"), ("no", "no")]),
    ("colour", "Do you see colours as most people do?", &[("yes", "yes"), ("no", "no")]),
];

/// What is to be done.
#[component]
pub fn Instructions(
    /// The rater.
    rating: Rating,
) -> impl IntoView {
    let said = RwSignal::new(Background::default());
    let count = move || rating.sequence.with(Vec::len);
    let put = move |name: &str, value: String| {
        let value = (!value.is_empty()).then_some(value);
        said.update(|said| match name {
            "experience" => said.experience = value,
            "english" => said.native_english = value,
            _ => said.colour_vision = value,
        });
    };
    let questions = QUESTIONS.map(|(name, question, answers)| {
        let options =
            answers.iter().map(|(value, shown)| view! { <option value=*value>{*shown}</option> });
        view! {
            <p>
                <label>
                    {question} " "
                    <select on:change=move |event| put(name, event_target_value(&event))>
                        <option value="">"no answer"</option>
                        {options.collect_view()}
                    </select>
                </label>
            </p>
        }
    });
    let lines = EXAMPLE.map(|line| view! { <li><Marked line=example(line) /></li> });
    view! {
        <h1>"How it works"</h1>
        <div class="prose">
            <p>
                {move || format!("You will see {} items, one at a time. ", count())}
                "Each has five lines of text. In every line one character is boxed, and characters that \
                 count, too, are coloured. Four lines have the same thing in common there; the fifth is \
                 from somewhere else."
            </p>
            <figure class="card">
                <ul class="plain lines">{lines.into_iter().collect_view()}</ul>
                <figcaption>
                    "Here the third line does not belong: the others end in a fruit. The idea is clear, \
                     so this would be a 5."
                </figcaption>
            </figure>
            <p>
                "Often the idea is about single letters: a line break, a capital, the end of a word. "
                <kbd>"⏎"</kbd> " is a line break. Some items have no clear idea at all; then say so. There \
                 is nothing to know, and nobody is tested."
            </p>
            <p>
                "Keys: " <kbd>"q"</kbd> " " <kbd>"w"</kbd> " " <kbd>"e"</kbd> " " <kbd>"r"</kbd> " "
                <kbd>"t"</kbd> " choose a line, " <kbd>"0"</kbd> " means cannot tell, " <kbd>"1"</kbd>
                " to " <kbd>"5"</kbd> " say how clear the idea is, " <kbd>"a"</kbd> " " <kbd>"s"</kbd> " "
                <kbd>"d"</kbd> " how sure you are, " <kbd>"Enter"</kbd> " goes on and "
                <kbd>"Backspace"</kbd> " back. A pointer or a finger will do as well."
            </p>
            <h2>"About you"</h2>
            <p class="hint">"Each of these may be left open."</p>
            {questions.into_iter().collect_view()}
            <p>
                <button
                    class="main"
                    data-testid="begin"
                    on:click=move |_| rating.start(said.get_untracked())
                >
                    "Show the first item"
                </button>
            </p>
        </div>
    }
}
