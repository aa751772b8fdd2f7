//! `final_info.json` as the AI-Scientist harness reads it.

use serde_json::json;
use shared::report::{DatasetInfo, Quality};

use crate::experiment::Experiment;
use crate::results::{Method, Results, TrainingResult};

/// The results on a text in the harness's form, our measures beside its own four.
pub fn of(experiment: &Experiment, results: &Results) -> DatasetInfo {
    let mut info = DatasetInfo::default();
    let losses = |split: &str| -> Vec<f64> {
        results.lm.metrics.iter().filter_map(|metric| metric.values.get(split).copied()).collect()
    };
    let last = |values: Vec<f64>| values.last().copied().unwrap_or(f64::NAN);
    let best = |values: Vec<f64>| values.into_iter().fold(f64::INFINITY, f64::min);
    info.add("final_train_loss", &[last(losses("train"))]);
    info.add("final_val_loss", &[last(losses("val"))]);
    info.add("best_val_loss", &[best(losses("val"))]);
    info.add("total_train_time", &[results.lm.seconds]);
    info.add("avg_inference_tokens_per_second", &[results.lm.tokens_per_second]);
    info.add("held_out_ce_clean", &[results.reference.clean]);
    info.add("held_out_ce_zero_ablation", &[results.reference.zero]);
    info.add("held_out_ce_mean_ablation", &[results.reference.mean]);
    info.add("held_out_kl_zero_ablation", &[results.reference.kl_zero]);
    info.add("autoencoder_steps", &[experiment.profile.autoencoder_training.steps as f64]);
    for method in &results.methods {
        add_quality(&mut info, method);
        // Those with another number of active features are no methods of their own.
        if method.sparsity_k == results.sparsity_k {
            info.final_info_dict.insert(format!("{}_setting", method.name), json!(method.setting));
        }
    }
    info.final_info_dict.insert("methods".into(), json!(results.methods));
    info.final_info_dict.insert("comparisons".into(), json!(results.comparisons));
    info.final_info_dict.insert("interactions".into(), json!(results.interacting));
    add_trainings(&mut info, &results.trainings);
    for export in results.exports.iter().filter(|export| export.config.units.is_some()) {
        info.add(&format!("{}_combinations", export.name), &[export.combinations.len() as f64]);
        info.final_info_dict.insert(format!("{}_reuse", export.name), json!(export.reuse));
        if let Some(told) = &export.consistency {
            info.add(&format!("{}_combinations_found", export.name), &[told.counted() as f64]);
            info.final_info_dict.insert(format!("{}_consistency", export.name), json!(told));
        }
    }
    for export in results.exports.iter().filter(|export| !export.interchange.is_empty()) {
        let name = format!("{}_interchange", export.name);
        info.final_info_dict.insert(name, json!(export.interchange));
    }
    if let Some(transcoder) = &results.transcoder {
        info.add("transcoder_fvu", &[transcoder.fvu]);
        info.add("transcoder_silent_fvu", &[transcoder.fvu_silent]);
        info.final_info_dict.insert("transcoder".into(), json!(transcoder));
    }
    if let Some(task) = &results.task {
        info.add("task_accuracy", &[task.of_answers()]);
        info.add("task_accuracy_of_lines", &[task.of_lines()]);
    }
    let extra = [
        ("layer", json!(experiment.profile.layer)),
        ("train_rows", json!(results.train_rows)),
        ("held_out_rows", json!(results.held_out_rows)),
        ("sparsity_k", json!(results.sparsity_k)),
        ("diverged", json!(results.diverged)),
        ("left_out", json!(experiment.text.left_out)),
        ("remark", json!(experiment.text.remark)),
        ("data_sha256", json!(experiment.text.corpus.sha256)),
        ("profile", json!(experiment.profile.name)),
        ("device", json!(experiment.run.device.name)),
        ("made_by", json!(crate::version())),
    ];
    info.final_info_dict.extend(extra.map(|(name, value)| (name.to_string(), value)));
    info
}

/// Takes one number out of a quality.
type Field = fn(&Quality) -> f64;

fn add_quality(info: &mut DatasetInfo, method: &Method) {
    let Method { name, qualities, .. } = method;
    let fields: [(&str, Field); 11] = [
        ("mse", |quality| quality.mse),
        ("fvu", |quality| quality.fvu),
        ("l0", |quality| quality.l0),
        ("l0_max", |quality| quality.l0_max),
        ("ce_spliced", |quality| quality.ce_spliced),
        ("ce_recovered_zero", |quality| quality.ce_recovered_zero),
        ("ce_recovered_mean", |quality| quality.ce_recovered_mean),
        ("kl", |quality| quality.kl),
        ("cosine", |quality| quality.cosine),
        ("norm_ratio", |quality| quality.norm_ratio),
        ("reconstruction_bias", |quality| quality.reconstruction_bias),
    ];
    for (field, value) in fields {
        let values: Vec<f64> = qualities.iter().map(value).collect();
        info.add(&format!("{name}_{field}"), &values);
    }
    let of_codes = |value: fn(&Quality) -> Option<f64>| -> Vec<f64> {
        qualities.iter().filter_map(value).collect()
    };
    if !method.is_baseline() {
        info.add(&format!("{name}_dead_share"), &of_codes(|quality| Some(quality.dead_share)));
    }
    info.add(&format!("{name}_dense_share"), &of_codes(|quality| quality.dense_share));
    info.add(&format!("{name}_spearman"), &of_codes(|quality| quality.spearman));
}

/// Every learning rate by its own name, with the time of all trainings.
fn add_trainings(info: &mut DatasetInfo, trainings: &[TrainingResult]) {
    for training in trainings.iter().filter(|training| training.seed == 0) {
        let name = format!("{}_lr_{}", training.trial, training.learning_rate);
        info.add(&format!("{name}_fvu"), &[training.quality.fvu]);
        info.add(&format!("{name}_selection_fvu"), &[training.selection_fvu]);
        info.add(&format!("{name}_ce_recovered_zero"), &[training.quality.ce_recovered_zero]);
    }
    let seconds = trainings.iter().map(|training| training.seconds).sum();
    info.add("autoencoders_train_time", &[seconds]);
}
