//! The tables of a report: the runs, their language models, what explains activations, combinations,
//! and every number that was recorded.

use super::published::{self, Published};
use super::recorded::{Of, Recorded};
use super::table::{Cell, Table};

/// All tables, in the order in which they are read.
pub fn all(runs: &[Recorded]) -> Vec<Table> {
    vec![run_table(runs), language_models(runs), methods(runs), combinations(runs), numbers(runs)]
}

/// One row for each run and data set.
fn each(runs: &[Recorded]) -> impl Iterator<Item = (&Recorded, Of<'_>)> {
    runs.iter().flat_map(|run| run.results().map(move |of| (run, of)))
}

fn run_table(runs: &[Recorded]) -> Table {
    let row = |(run, of): (&Recorded, Of)| -> Vec<Cell> {
        let sha256 = of.word("data_sha256");
        let learned = of.learned();
        let number = |number: Option<u64>| number.map(|number| number as f64);
        vec![
            run.name.as_str().into(),
            run.question.as_str().into(),
            of.dataset.into(),
            sha256.get(..12).unwrap_or(sha256).into(),
            of.word("profile").into(),
            of.word("device").into(),
            number(learned.layer).into(),
            number(learned.rows).into(),
            number(learned.sparsity_k).into(),
            number(learned.steps).into(),
            number(learned.held_out_rows).into(),
            of.word("made_by").into(),
            of.word("remark").into(),
        ]
    };
    Table {
        name: "runs",
        title: "What the runs ask, and under which conditions",
        columns: vec![
            "run",
            "question",
            "data set",
            "SHA-256",
            "profile",
            "device",
            "block",
            "rows",
            "k",
            "autoencoder steps",
            "held-out rows",
            "made by",
            "remark",
        ],
        rows: each(runs).map(row).collect(),
    }
}

/// Ours, then the source's, each with the profile that made it.
fn language_models(runs: &[Recorded]) -> Table {
    let ours = |(_, of): (&Recorded, Of)| -> Vec<Cell> {
        vec![
            of.run.into(),
            of.dataset.into(),
            of.word("profile").into(),
            of.mean("final_train_loss").into(),
            of.mean("best_val_loss").into(),
            of.mean("total_train_time").into(),
            of.mean("avg_inference_tokens_per_second").into(),
            of.mean("held_out_ce_clean").into(),
        ]
    };
    let theirs = |one: Published| -> Vec<Cell> {
        vec![
            "published by the source".into(),
            one.dataset.into(),
            published::PROFILE.into(),
            one.final_train_loss.into(),
            one.best_val_loss.into(),
            one.total_train_time.into(),
            one.tokens_per_second.into(),
            None.into(),
        ]
    };
    Table {
        name: "language_models",
        title: "Language models, beside what the source has published of its own",
        columns: vec![
            "run",
            "data set",
            "profile",
            "final train loss",
            "best validation loss",
            "training seconds",
            "tokens per second",
            "held-out loss",
        ],
        rows: each(runs).map(ours).chain(published::ALL.into_iter().map(theirs)).collect(),
    }
}

fn methods(runs: &[Recorded]) -> Table {
    let row = |of: Of, (method, setting, k): (&str, &str, Option<f64>)| -> Vec<Cell> {
        let of_method = |name: &str| format!("{method}_{name}");
        vec![
            of.run.into(),
            of.dataset.into(),
            of.word("profile").into(),
            method.into(),
            setting.into(),
            k.into(),
            (of.values(&of_method("fvu")).len() as f64).into(),
            of.mean(&of_method("l0")).into(),
            of.mean(&of_method("mse")).into(),
            of.mean(&of_method("fvu")).into(),
            of.stderr(&of_method("fvu")).into(),
            of.mean(&of_method("dead_share")).into(),
            of.mean(&of_method("ce_recovered_zero")).into(),
            of.stderr(&of_method("ce_recovered_zero")).into(),
            of.mean(&of_method("kl")).into(),
            of.mean(&of_method("spearman")).into(),
        ]
    };
    Table {
        name: "methods",
        title: "What explains activations, on held-out rows; means over seeds",
        columns: vec![
            "run",
            "data set",
            "profile",
            "method",
            "setting",
            "k",
            "seeds",
            "L0",
            "MSE",
            "FVU",
            "FVU standard error",
            "dead share",
            "CE recovered",
            "CE recovered standard error",
            "KL",
            "Spearman",
        ],
        rows: each(runs)
            .flat_map(|(_, of)| of.all_methods().into_iter().map(move |method| row(of, method)))
            .collect(),
    }
}

fn combinations(runs: &[Recorded]) -> Table {
    let rows = runs.iter().flat_map(|run| {
        run.combinations.iter().map(|counted| -> Vec<Cell> {
            let [pairs, triples, quadruples] = counted.sizes.map(|count| count as f64);
            vec![
                run.name.as_str().into(),
                counted.autoencoder.as_str().into(),
                (pairs + triples + quadruples).into(),
                pairs.into(),
                triples.into(),
                quadruples.into(),
                counted.found_again.map(|count| count as f64).into(),
            ]
        })
    });
    Table {
        name: "combinations",
        title: "Combinations, and how many four of five trainings have",
        columns: vec![
            "run",
            "autoencoder",
            "combinations",
            "pairs",
            "triples",
            "quadruples",
            "found again",
        ],
        rows: rows.collect(),
    }
}

fn numbers(runs: &[Recorded]) -> Table {
    let rows = each(runs).flat_map(|(_, of)| {
        of.info.means.keys().filter_map(|key| key.strip_suffix("_mean")).map(
            move |name| -> Vec<Cell> {
                let seeds = of.values(name).len() as f64;
                vec![
                    of.run.into(),
                    of.dataset.into(),
                    of.word("profile").into(),
                    name.into(),
                    of.mean(name).into(),
                    of.stderr(name).into(),
                    seeds.into(),
                ]
            },
        )
    });
    Table {
        name: "numbers",
        title: "Every number that was recorded",
        columns: vec!["run", "data set", "profile", "number", "mean", "standard error", "seeds"],
        rows: rows.collect(),
    }
}
