//! The run's models as a bundle.

use std::collections::BTreeMap;

use shared::bundle::{AutoencoderInfo, Bundle, Manifest, SCHEMA};
use shared::weights::{self, Weights};

use crate::experiment::Experiment;
use crate::results::Results;

/// The language model and one model of each trial.
pub fn of(experiment: &Experiment, results: &Results) -> Bundle {
    let mut all = Weights::new();
    weights::put(&mut all, "lm.", weights::of(&results.lm.model));
    let mut autoencoders = BTreeMap::new();
    let mut features = BTreeMap::new();
    let mut combinations = BTreeMap::new();
    for export in &results.exports {
        let mut part = weights::of(&export.model);
        results.normalization.put_into(&mut part);
        weights::put(&mut all, &format!("{}.", export.name), part);
        let info = AutoencoderInfo { config: export.config.clone(), quality: export.quality };
        autoencoders.insert(export.name.clone(), info);
        features.insert(export.name.clone(), export.features.clone());
        if !export.combinations.is_empty() {
            combinations.insert(export.name.clone(), export.combinations.clone());
        }
    }
    Bundle {
        manifest: Manifest {
            schema: SCHEMA,
            made_by: crate::version(),
            dataset: experiment.text.corpus.name.clone(),
            vocab: experiment.text.corpus.vocab.clone(),
            lm: experiment.profile.lm.clone(),
            layer: experiment.profile.layer,
            precision: experiment.run.export,
            autoencoders,
            files: BTreeMap::new(),
        },
        weights: all,
        features,
        combinations,
    }
}
