//! What a person reads: the summary on standard output, `notes.txt`, `README.txt`.

use std::fmt::Write;

use shared::report::Quality;

use super::{causal, combinations, comparisons, curves, hidden, interactions, interchange};
use crate::experiment::{Experiment, Run};
use crate::plan::Relation;
use crate::results::{Method, Results};

/// The table at the end of a run.
pub fn summary(results: &Results) -> String {
    let width = longest(results.methods.iter().map(|method| &*method.name), 14);
    let mut text = format!(
        "{:<width$} {:<22} {:>6} {:>18} {:>18} {:>7} {:>7}  {:>16} {:>8} {:>8}",
        "method", "setting", "L0", "MSE", "FVU", "dead", "CE", "CE recovered", "KL", "Spearman"
    );
    for method in &results.methods {
        let _ = write!(
            text,
            "\n{:<width$} {:<22} {:>6.1} {:>18} {:>18} {:>7} {:>7.4}  {:>16} {:>8.5} {:>8}",
            method.name,
            method.setting,
            method.mean(|quality| quality.l0),
            spread(method, |quality| quality.mse),
            spread(method, |quality| quality.fvu),
            dead(method),
            method.mean(|quality| quality.ce_spliced),
            spread(method, |quality| quality.ce_recovered_zero),
            method.mean(|quality| quality.kl),
            of_code(method, |quality| quality.spearman, |it| format!("{it:.4}")),
        );
    }
    text
}

/// How reconstructions lie beside their rows, and how many features fire all the time.
fn shapes(results: &Results) -> String {
    let width = longest(results.methods.iter().map(|method| &*method.name), 14);
    let mut text = format!(
        "{:<width$} {:>8} {:>10} {:>8} {:>7} {:>7}",
        "method", "cosine", "norm ratio", "bias", "L0 max", "dense"
    );
    for method in &results.methods {
        let _ = write!(
            text,
            "\n{:<width$} {:>8.4} {:>10.4} {:>8.4} {:>7.1} {:>7}",
            method.name,
            method.mean(|quality| quality.cosine),
            method.mean(|quality| quality.norm_ratio),
            method.mean(|quality| quality.reconstruction_bias),
            method.mean(|quality| quality.l0_max),
            of_code(method, |quality| quality.dense_share, |it| format!("{:.1}%", 100.0 * it)),
        );
    }
    text
}

/// The share of dead features; baselines have none.
fn dead(method: &Method) -> String {
    match method.is_baseline() {
        true => "-".into(),
        false => format!("{:.1}%", 100.0 * method.mean(|quality| quality.dead_share)),
    }
}

/// The mean over seeds of what only a code has.
fn of_code(
    method: &Method,
    value: fn(&Quality) -> Option<f64>,
    written: fn(f64) -> String,
) -> String {
    let values: Vec<f64> = method.qualities.iter().filter_map(value).collect();
    match values.is_empty() {
        true => "-".into(),
        false => written(values.iter().sum::<f64>() / values.len() as f64),
    }
}

/// The tables at the end of a run, each under the name of its text where there are several.
pub fn summaries(explained: &[(Experiment, Results)]) -> String {
    let named = |(experiment, results): &(Experiment, Results)| {
        [title(experiment), Some(summary(results))].into_iter().flatten().collect::<Vec<_>>()
    };
    explained.iter().flat_map(named).collect::<Vec<_>>().join("\n\n")
}

/// The name of a text above what is said of it, where the run has several.
fn title(experiment: &Experiment) -> Option<String> {
    let name = &experiment.text.corpus.name;
    let line = "=".repeat(name.chars().count());
    (experiment.run.subjects.len() > 1).then(|| format!("{name}\n{line}"))
}

/// How wide a column of these names is, at least `least`.
fn longest<'a>(names: impl Iterator<Item = &'a str>, least: usize) -> usize {
    names.map(str::len).fold(least, usize::max)
}

/// How the numbers of `notes.txt` are meant.
const EXPLANATION: &str = "\
Values are means over seeds, +- is the standard error. MSE is per dimension of the scaled activations,
whose mean square is 1. The explained language model is the one with the lowest validation loss.
Only the second half of each window is replaced by reconstructions; the first half is context. (The
field replaces all of it: compare CE recovered with care.)
KL: how far the language model's predictions with the reconstruction in place are from the untouched
ones, KL(clean | spliced), nats per character. Spearman: whether the finished code orders the rows on
which a feature is active as the encoder does, the mean over features; 1 where the code only chooses.
Cosine and norm ratio: the mean over rows between a scaled row and its reconstruction. Bias: by how much
longer all reconstructions are than would leave least; below 1 they shrink. Dense: features that more
than a tenth of the rows activate.
A method called _silent is the trained model with its units silent: what its features say alone.
NMF splits each number into what is above 0 and what is below, and is fitted on at most 10,000 of the
rows; with more of them it leaves the same. Baselines have no features that could be dead.
Learning rates were chosen by the FVU on rows of the training text, in the column selection, among models
with at most a tenth more active features there than they may have.";

/// `notes.txt`: what was done, with which result.
pub fn notes(run: &Run, explained: &[(Experiment, Results)]) -> String {
    let mut parts = vec![heading(run)];
    for (experiment, results) in explained {
        parts.extend(title(experiment));
        parts.extend(remarks(experiment));
        parts.extend([language_model(experiment, results), activations(experiment, results)]);
        parts.push(summary(results));
        parts.push(shapes(results));
        parts.extend(experiment.apart.is_none().then(|| EXPLANATION.into()));
        parts.extend(comparisons::notes(results));
        parts.extend(curves::notes(results));
        parts.extend(interactions::notes(results));
        parts.extend(combinations::notes(results));
        parts.extend(causal::notes(results));
        parts.extend(hidden::notes(results));
        parts.extend(interchange::notes(results));
        parts.push(trainings(results));
        parts.extend(diverged(results));
        parts.push(format!("What the language model writes:\n\n{}\n", results.lm.sample));
    }
    parts.join("\n\n")
}

fn heading(run: &Run) -> String {
    let mut heading = format!("{}: {}\n\n{}", run.plan.name, run.plan.question, crate::version());
    let _ = write!(heading, " on {}", run.device.name);
    if let Some(first) = run.subjects.first() {
        let _ = write!(heading, ", profile {}.", first.profile.name.as_str());
    }
    if run.subjects.len() > 1 {
        let names: Vec<&str> = run.subjects.iter().map(|one| &*one.text.corpus.name).collect();
        let _ = write!(heading, "\nTexts, one after the other: {}.", names.join(", "));
    }
    heading
}

/// How a text differs from what its name promises, and which others are left out.
fn remarks(experiment: &Experiment) -> Option<String> {
    let text = experiment.text;
    let remark = text.remark.iter().map(|remark| format!("Remark: {remark}."));
    let left_out =
        text.left_out.iter().map(|(name, reason)| format!("Left out: {name}, because {reason}."));
    let lines: Vec<String> = remark.chain(left_out).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn language_model(experiment: &Experiment, results: &Results) -> String {
    let (profile, corpus) = (experiment.profile, &experiment.text.corpus);
    let last = |split: &str| {
        let last = results.lm.metrics.last().and_then(|metric| metric.values.get(split));
        last.copied().unwrap_or(f64::NAN)
    };
    format!(
        "Language model: {} layers, {} heads, width {}, block {}, trained {} steps on {} ({} \
         characters, SHA-256 {}).\nLoss after training: {:.4} on training text, {:.4} on \
         validation text (nats per character).",
        profile.lm.n_layers,
        profile.lm.n_heads,
        profile.lm.d_model,
        profile.lm.block_size,
        profile.lm_training.iterations,
        corpus.name,
        corpus.train.len() + corpus.validation.len(),
        &corpus.sha256[..12],
        last("train"),
        last("val"),
    )
}

fn activations(experiment: &Experiment, results: &Results) -> String {
    format!(
        "Activations: residual stream after block {}, {} rows to train on, {} to choose learning \
         rates on, {} held out.\nCross-entropy on the held-out text: {:.4} clean, {:.4} with the \
         rows set to 0, {:.4} with their mean; KL with the rows set to 0: {:.4}.",
        experiment.profile.layer,
        results.train_rows,
        results.selection_rows,
        results.held_out_rows,
        results.reference.clean,
        results.reference.zero,
        results.reference.mean,
        results.reference.kl_zero,
    )
}

fn trainings(results: &Results) -> String {
    let width = longest(results.trainings.iter().map(|training| &*training.trial), 12);
    let mut table = format!(
        "{:<width$} {:>8} {:>5} {:>10} {:>10} {:>13}",
        "training", "lr", "seed", "selection", "FVU", "CE recovered"
    );
    for training in &results.trainings {
        let _ = write!(
            table,
            "\n{:<width$} {:>8} {:>5} {:>10.5} {:>10.5} {:>13.5}",
            training.trial,
            training.learning_rate,
            training.seed,
            training.selection_fvu,
            training.quality.fvu,
            training.quality.ce_recovered_zero
        );
    }
    table
}

/// `trainings.csv`: what each training gave, whatever its learning rate.
pub fn every_training(results: &Results) -> (String, String) {
    let mut text =
        "trial,learning_rate,seed,selection_fvu,fvu,mse,l0,dead_share,ce_recovered_zero,kl,cosine,\
                    combinations\n"
            .to_string();
    for one in &results.trainings {
        let Quality { fvu, mse, l0, dead_share, ce_recovered_zero, kl, cosine, .. } = one.quality;
        let numbers = [one.selection_fvu, fvu, mse, l0, dead_share, ce_recovered_zero, kl, cosine];
        let numbers = numbers.map(|number| format!("{number:?}")).join(",");
        let combinations = one.combinations.map_or(String::new(), |count| count.to_string());
        let _ = writeln!(
            text,
            "{},{},{},{numbers},{combinations}",
            one.trial, one.learning_rate, one.seed
        );
    }
    ("trainings.csv".into(), text)
}

/// Trainings without a result.
fn diverged(results: &Results) -> Option<String> {
    let all = results.diverged.join("\n");
    let heading = "Diverged, so that their loss was no number any more, and left out:";
    (!all.is_empty()).then(|| format!("{heading}\n{all}"))
}

/// `README.txt`: what lies in the folder.
pub fn readme(run: &Run) -> String {
    format!(
        "The results of {} ({}).\n\n\
         notes.txt         what was done, with which result: begin here\n\
         plots/            pictures (SVG, PNG) and the numbers behind them (CSV)\n\
         final_info.json   the results by data set, in the form of the AI-Scientist harness\n\
         all_results.npy   the same with losses on the way: np.load(f, allow_pickle=True).item()\n\
         trainings.csv     what each training gave: learning rate, seed, measures, how many combinations\n\
         metrics.jsonl     every loss term on the way, one line each\n\
         config.json       all settings; the same settings on the same machine give the same bytes\n\
         export/           the models as a bundle: bundle.json, weights.safetensors, features.json\n\
         \x20                 and, where features combine, combinations.json\n\
         export/saelens/   each extractor as SAELens loads it; export/sparsify/ the same for sparsify\n\
         export/held_out_sample.npy, .json   held-out rows, and what methods leave of exactly these\n\
         export/held_out_text.txt   the text on which everything was measured\n\
         combinations/     the same combinations as tables, where there are some\n\
         log.txt           what was said, with times\n{}{}\n\
         Trained language models and recorded activations are kept in {} for the next run.\n",
        run.plan.name,
        run.plan.question,
        of_plan(run),
        of_texts(run),
        run.cache.folder.display()
    )
}

/// The tables that only some plans have.
fn of_plan(run: &Run) -> String {
    let mut lines = match run.plan.relation {
        Relation::Steps if run.plan.trials.len() < 2 => String::new(),
        Relation::Steps => {
            "steps.md          what each step changes, with intervals; .csv: the same\n".into()
        }
        Relation::Against(_) => {
            "ablations.md      what each part is good for, with intervals; .csv: the same\n".into()
        }
        Relation::Rivals(_) => {
            "rivals.md         differences to each rival, with intervals; .csv: the same\n".into()
        }
    };
    if run.plan.trials.len() > 1 {
        lines += "interactions.md   which features interact, by method; .csv: by seed\n";
    }
    if run.plan.curve.is_some() {
        lines += "pareto.md         from few active features to many; .csv: the same\n";
    }
    if run.subjects.iter().any(|subject| subject.text.hidden.is_some()) {
        lines += "hidden/           generated languages: what tells their hidden variables, and what the\n\
                  \x20                 language model makes of exchanging it (_interchange.csv)\n";
    }
    lines
}

/// The folders of further texts.
fn of_texts(run: &Run) -> String {
    let apart: Vec<&str> = run.experiments().filter_map(|experiment| experiment.apart).collect();
    match apart.is_empty() {
        true => String::new(),
        false => format!(
            "{}\n                  plots, export and tables of these texts; beside this file: those of \
             the first\n",
            apart.iter().map(|name| format!("{name}/")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Mean and standard error over seeds, or the one value there is.
fn spread(method: &Method, value: fn(&Quality) -> f64) -> String {
    let (mean, count) = (method.mean(value), method.qualities.len() as f64);
    if count < 2.0 {
        return format!("{mean:.5}");
    }
    let squares: f64 = method.qualities.iter().map(|q| (value(q) - mean).powi(2)).sum();
    format!("{mean:.5} +- {:.5}", (squares / (count - 1.0) / count).sqrt())
}
