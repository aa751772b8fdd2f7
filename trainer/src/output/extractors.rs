//! What other programs can load and check: each autoencoder's extractor for SAELens and for sparsify,
//! and a sample of held-out rows.

use anyhow::Result;
use serde_json::{Map, Value, json};
use shared::bundle::Files;
use shared::weights::{self, Precision, Weight, Weights};

use super::folded::Folded;
use super::saelens::{self, Site};
use super::{npy, sparsify};
use crate::experiment::Experiment;
use crate::experiment::transcoder::Transcoded;
use crate::results::Results;
use crate::results::sample::Sample;

/// All of these files by name, below the run's folder.
///
/// # Errors
/// A shape does not fit its values, which cannot be.
pub fn files(experiment: &Experiment, results: &Results) -> Result<Files> {
    let site = Site {
        dataset: &experiment.text.corpus.name,
        layer: experiment.profile.layer,
        block_size: experiment.profile.lm.block_size,
    };
    let mut all = Files::new();
    for export in &results.exports {
        let name = &export.name;
        let k = export.config.sparsity_k;
        let folded = Folded::of_csae(&export.model, k, &results.normalization);
        let about = saelens::about(name, &export.config, &crate::version());
        put(name, &folded, about, &site, &mut all)?;
        if let Some(bytes) = saelens::composition(&export.model, &results.normalization)? {
            all.insert(format!("export/saelens/{name}/{}", saelens::COMPOSITION), bytes);
        }
    }
    for (name, dictionary) in &results.dictionaries {
        if let Some(folded) = Folded::of_dictionary(dictionary, &results.normalization) {
            let about = saelens::about_rival(name, &crate::version());
            put(name, &folded, about, &site, &mut all)?;
        }
    }
    if let Some(transcoder) = &results.transcoder {
        put_transcoder(transcoder, site.layer, &mut all)?;
    }
    let sample = &results.sample;
    let shape = [sample.rows.len(), sample.rows.width];
    all.insert("export/held_out_sample.npy".into(), npy::matrix(&sample.rows.values, shape));
    all.insert("export/held_out_sample.json".into(), described(sample)?);
    all.insert("export/pca.safetensors".into(), components(results)?);
    all.insert("export/held_out_text.txt".into(), results.held_out_text.clone().into_bytes());
    Ok(all)
}

/// Puts an extractor's files where SAELens and sparsify look for them.
fn put(name: &str, folded: &Folded, about: Value, site: &Site, all: &mut Files) -> Result<()> {
    let under = |folder: String, files: Files| {
        files.into_iter().map(move |(file, bytes)| (format!("export/{folder}/{file}"), bytes))
    };
    all.extend(under(format!("saelens/{name}"), saelens::files(folded, site, about)?));
    if let Some(files) = sparsify::files(folded, sparsify::Task::Rebuild)? {
        all.extend(under(format!("sparsify/{name}/{}", sparsify::hookpoint(site.layer)), files));
    }
    Ok(())
}

/// Puts a transcoder's extractor where sparsify looks for it, and rows to try it on. SAELens has no
/// transcoder that chooses the largest features.
fn put_transcoder(transcoder: &Transcoded, layer: usize, all: &mut Files) -> Result<()> {
    let Transcoded { finished, normalizations, sample, .. } = transcoder;
    let k = finished.limits.sparsity_k;
    let folded = Folded::of_transcoder(&finished.model, k, normalizations);
    let files = sparsify::files(&folded, sparsify::Task::Transcode)?.unwrap_or_default();
    let folder = format!("export/sparsify/transcoder/{}", sparsify::perceptron(layer));
    all.extend(files.into_iter().map(|(file, bytes)| (format!("{folder}/{file}"), bytes)));
    for (name, rows) in ["inputs", "outputs"].iter().zip(sample) {
        let bytes = npy::matrix(&rows.values, [rows.len(), rows.width]);
        all.insert(format!("export/transcoder_{name}.npy"), bytes);
    }
    Ok(())
}

fn described(sample: &Sample) -> Result<Vec<u8>> {
    let models: Map<String, Value> = sample
        .models
        .iter()
        .map(|one| {
            let files = format!("saelens/{}", one.name);
            let told = json!({
                "fvu": one.fvu,
                "extractor_fvu": one.extractor_fvu,
                "extractor": files,
            });
            (one.name.clone(), told)
        })
        .collect();
    let mut bytes = serde_json::to_vec_pretty(&json!({
        "rows": sample.rows.len(),
        "d_model": sample.rows.width,
        "from": "the first held-out rows, as the language model computes them",
        "formula": "fvu = sum |x - x_hat|^2 / sum |x - mean|^2, with the mean of these rows",
        "pca": { "fvu": sample.pca_fvu, "components": sample.k, "file": "pca.safetensors" },
        "autoencoders": models,
    }))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// `components` `[d_model, d_model]`, one in each row, and the `mean` of the training rows.
fn components(results: &Results) -> Result<Vec<u8>> {
    let (mean, width) = (results.normalization.mean.clone(), results.sample.rows.width);
    let components = results.sample.components.clone();
    let tensors = Weights::from([
        ("components".to_string(), Weight { shape: vec![width, width], values: components }),
        ("mean".to_string(), Weight { shape: vec![width], values: mean }),
    ]);
    Ok(weights::to_bytes(&tensors, Precision::F32, None)?)
}
