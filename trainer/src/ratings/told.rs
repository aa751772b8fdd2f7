//! Tables for other programs, and the summary for a person.

use std::fmt::Write;

use serde_json::{Value, json};
use shared::ratings::Session;

use super::Keyed;
use super::collect::{Collected, Rater};
use super::measures::{Found, Measured, Method};
use crate::analysis::agreement::Agreement;

/// One line per answer, with the key.
pub(super) fn ratings(keyed: &Keyed, raters: &[Rater]) -> String {
    let mut text =
        "rater,publish,excluded,complete,block,pos,repeat,item,condition,unit,intruder,key,correct,\
                    clarity,first_intruder,first_clarity,confidence,seconds,keys,label\n"
            .to_string();
    for rater in raters {
        let session = &rater.session;
        for answer in &session.answers {
            let key = &keyed.key.items[&answer.item];
            let first = |value: Option<u8>| value.map_or(String::new(), |value| value.to_string());
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                rater.name,
                session.header.consent.publish,
                rater.excluded.is_some(),
                session.is_complete(),
                session.header.block,
                answer.pos,
                answer.repeat,
                answer.item,
                key.condition,
                quoted(&key.unit),
                answer.intruder,
                key.intruder,
                answer.intruder == key.intruder,
                answer.clarity,
                first(answer.first_intruder),
                first(answer.first_clarity),
                answer.confidence,
                answer.seconds,
                answer.keys,
                quoted(answer.label.as_deref().unwrap_or_default()),
            );
        }
    }
    text
}

/// One line per rater: what each agreed to and said beside the items.
pub(super) fn raters(raters: &[Rater]) -> String {
    let mut text = "rater,publish,excluded,complete,block,answers,experience,native_english,\
                    colour_vision,screen,difficulty,comment\n"
        .to_string();
    for rater in raters {
        let Session { header, answers, end } = &rater.session;
        let word = |word: &Option<String>| quoted(word.as_deref().unwrap_or_default());
        let difficulty = end.as_ref().and_then(|end| end.difficulty);
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{}",
            rater.name,
            header.consent.publish,
            rater.excluded.is_some(),
            rater.session.is_complete(),
            header.block,
            answers.len(),
            word(&header.background.experience),
            word(&header.background.native_english),
            word(&header.background.colour_vision),
            json!(header.screen),
            difficulty.map_or(String::new(), |step| step.to_string()),
            word(&end.as_ref().and_then(|end| end.comment.clone())),
        );
    }
    text
}

/// A field of a table, as RFC 4180 has it; a spreadsheet must not take it for a formula.
fn quoted(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@']);
    format!("\"{}{}\"", if is_formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// One line per method, without and with exclusions.
pub(super) fn by_method(found: &Found) -> String {
    let mut text = "exclusions,condition,items,ratings,hits,cannot_tell,accuracy,accuracy_low,\
                    accuracy_high,chance,clarity,clarity_low,clarity_high\n"
        .to_string();
    for (applied, measured) in [(false, &found.all), (true, &found.after_exclusions)] {
        for method in &measured.methods {
            let [low, high] = method.wilson;
            let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.4}"));
            let _ = writeln!(
                text,
                "{applied},{},{},{},{},{},{:.4},{low:.4},{high:.4},0.2,{},{},{}",
                method.name,
                method.items,
                method.ratings,
                method.hits,
                method.cannot_tell,
                accuracy(method),
                number(method.clarity),
                number(method.clarity_ci95.map(|[low, _]| low)),
                number(method.clarity_ci95.map(|[_, high]| high)),
            );
        }
    }
    text
}

fn accuracy(method: &Method) -> f64 {
    method.hits as f64 / method.ratings.max(1) as f64
}

/// `agreement.json`.
pub(super) fn agreement(keyed: &Keyed, collected: &Collected, found: &Found) -> Value {
    let complete = |rater: &&Rater| rater.session.is_complete();
    let exclusions = collected
        .raters
        .iter()
        .filter_map(|rater| Some(json!({"rater": rater.name, "reason": rater.excluded.as_ref()?})));
    json!({
        "made_by": crate::version(),
        "study": keyed.study.name,
        "study_sha256": keyed.sha256,
        "files": collected.files,
        "raters": collected.raters.len(),
        "complete": collected.raters.iter().filter(complete).count(),
        "excluded": exclusions.collect::<Vec<_>>(),
        "refused": collected.refused,
        "passed_over": collected.passed_over,
        "left_out": keyed.key.left_out,
        "all": measured(&found.all),
        "after_exclusions": measured(&found.after_exclusions),
    })
}

fn measured(measured: &Measured) -> Value {
    let one = |agreement: &Agreement| match agreement.alpha {
        Some(alpha) => json!({
            "alpha": alpha, "ci95": agreement.ci95, "reading": reading(alpha)
        }),
        None => json!("undefined"),
    };
    let questions = measured.agreement.iter().map(|(question, metrics)| {
        let metrics = metrics.iter().map(|(metric, alpha)| (metric.to_string(), one(alpha)));
        (question.to_string(), Value::Object(metrics.collect()))
    });
    json!({
        "raters": measured.raters,
        "ratings": measured.ratings,
        "krippendorff": Value::Object(questions.collect()),
        "repeats": {
            "pairs": measured.repeats.pairs,
            "same_intruder": measured.repeats.same_intruder,
            "clarity_apart": measured.repeats.clarity_apart,
        },
    })
}

/// How Krippendorff reads an alpha.
fn reading(alpha: f64) -> &'static str {
    match alpha {
        good if good >= 0.8 => "reliable (0.800 or more)",
        fair if fair >= 0.667 => "tentative conclusions only (0.667 to 0.800)",
        _ => "too low to rely on (below 0.667)",
    }
}

/// What is printed.
pub(super) fn summary(keyed: &Keyed, collected: &Collected, found: &Found) -> String {
    let mut text = format!(
        "Study {}: {} files, {} raters, {} of them finished.",
        keyed.study.name,
        collected.files,
        collected.raters.len(),
        collected.raters.iter().filter(|rater| rater.session.is_complete()).count()
    );
    for one in &keyed.key.left_out {
        let _ = write!(text, "\nThe study lacks {}: {}.", one.condition, one.reason);
    }
    text += &told(&found.all, "All raters");
    if collected.raters.iter().any(|rater| rater.excluded.is_some()) {
        text += &told(&found.after_exclusions, "After exclusions");
    }
    text
}

fn told(measured: &Measured, title: &str) -> String {
    let Measured { raters, ratings, repeats, .. } = measured;
    let mut text = format!("\n\n{title}: {raters}, {ratings} ratings of items that are no checks.");
    for (question, metric) in [
        ("clarity", "ordinal"),
        ("clarity", "interval"),
        ("clarity", "ratio"),
        ("intruder", "nominal"),
    ] {
        let agreement = measured.agreement[question][metric];
        let _ = write!(text, "\nKrippendorff's alpha, {question} ({metric}): ");
        text += &match (agreement.alpha, agreement.ci95) {
            (None, _) => "undefined: no item with two raters, or all say the same".to_string(),
            (Some(alpha), None) => format!("{alpha:.3}, {}", reading(alpha)),
            (Some(alpha), Some([low, high])) => {
                format!("{alpha:.3} [{low:.3}, {high:.3}], {}", reading(alpha))
            }
        };
    }
    if repeats.pairs > 0 {
        let _ = write!(
            text,
            "\nAsked again: the same line in {} of {}, clarity {:.2} apart on average.",
            repeats.same_intruder, repeats.pairs, repeats.clarity_apart
        );
    }
    text + &methods(measured)
}

/// How well each method did.
fn methods(measured: &Measured) -> String {
    let mut text = format!(
        "\n{:<12} {:>5} {:>7}  {:<26} {:<22}",
        "method", "items", "ratings", "foreign line found (20 %)", "clarity"
    );
    for method in &measured.methods {
        let [low, high] = method.wilson.map(|share| 100.0 * share);
        let found = format!("{:.0} % [{low:.0}, {high:.0}]", 100.0 * accuracy(method));
        let clarity = match (method.clarity, method.clarity_ci95) {
            (Some(mean), Some([low, high])) => format!("{mean:.2} [{low:.2}, {high:.2}]"),
            (Some(mean), None) => format!("{mean:.2}"),
            (None, _) => "-".to_string(),
        };
        let _ = write!(
            text,
            "\n{:<12} {:>5} {:>7}  {found:<26} {clarity:<22}",
            method.name, method.items, method.ratings
        );
    }
    text
}
