//! How large an experiment is: for a test, for two processor cores, for a graphics card.

use serde::{Deserialize, Serialize};
use shared::CharLmConfig;

use crate::data::languages::Language;

/// How large an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// Seconds, for tests.
    Smoke,
    /// Two processor cores.
    Cpu,
    /// A graphics card.
    Full,
}

impl ProfileName {
    /// As in `CSAE_PROFILE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Cpu => "cpu",
            Self::Full => "full",
        }
    }
}

/// The sizes of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// How much of the text is read, in characters; all of it if not given.
    pub text_limit: Option<usize>,
    /// The language model, but for its vocabulary.
    pub lm: CharLmConfig,
    /// How it is trained.
    pub lm_training: LmTraining,
    /// After which block its activations are explained.
    pub layer: usize,
    /// How many features are active on a row at most.
    pub sparsity_k: usize,
    /// How many are where a plan asks for a curve.
    pub curve: Vec<usize>,
    /// At which of them the rivals choose their learning rates.
    pub swept_k: usize,
    /// How many are active at first where they become fewer.
    pub graduated_from: usize,
    /// On how many activations the autoencoders are trained.
    pub rows: usize,
    /// On how many activations of the training text a learning rate is chosen.
    pub selection_rows: usize,
    /// On how many activations of the validation text everything is measured.
    pub held_out_rows: usize,
    /// How the autoencoders are trained.
    pub autoencoder_training: AutoencoderTraining,
    /// How many steps each training has in plans that are costly.
    pub costly_steps: u64,
    /// On how many rows, at most, directions and combinations are then looked for.
    pub costly_rows: usize,
    /// How missing directions are looked for, in trials that do so.
    pub completion: DictionaryCompletion,
    /// The learning rates that every trial is given.
    pub learning_rates: Vec<f64>,
    /// How often each trial is trained at its best learning rate.
    pub seeds: u64,
    /// The same where it has to be said whether a combination is found again.
    pub many_seeds: u64,
}

/// nanoGPT's training of a character-level model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LmTraining {
    /// How many steps.
    pub iterations: u64,
    /// How many windows in a step.
    pub batch_size: usize,
    /// The highest learning rate, reached after `warmup` steps.
    pub learning_rate: f64,
    /// The learning rate at the end of the cosine.
    pub min_learning_rate: f64,
    /// Over how many steps the learning rate rises.
    pub warmup: u64,
    /// AdamW's decay of matrices.
    pub weight_decay: f64,
    /// AdamW's memory of squared gradients; longer than usual, because a step sees few characters.
    pub beta2: f64,
    /// The length to which a longer gradient, all parameters together, is cut.
    pub clip: f64,
    /// After how many steps the losses are measured.
    pub eval_interval: u64,
    /// On how many batches of each split.
    pub eval_batches: u64,
    /// Which characters count more than others in the loss that is learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emphasis: Option<Emphasis>,
}

/// Characters that count more than others in the loss that is learned from. What is measured is the plain
/// loss, in which all count alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emphasis {
    /// The characters that follow this one.
    pub after: char,
    /// How many times as much they count.
    pub times: f32,
}

/// How an autoencoder is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoencoderTraining {
    /// How many steps.
    pub steps: u64,
    /// How many activations in a step.
    pub batch_size: usize,
    /// Over how many steps the learning rate rises; it falls to 0 over the last fifth.
    pub warmup: u64,
    /// The weight of AuxK, which revives dead features.
    pub auxk_weight: f64,
    /// How units, where there are some, look for combinations.
    #[serde(default)]
    pub composition: CompositionTraining,
    /// How missing directions are looked for; not at all if not given.
    #[serde(default)]
    pub completion: Option<DictionaryCompletion>,
    /// The weight of the mean squared cosine between two directions, the source's diversity.
    #[serde(default)]
    pub diversity_weight: f64,
    /// The weight of the entropy of attention over partners and the null slot, the source's.
    #[serde(default)]
    pub entropy_weight: f64,
}

/// How directions that are missing in a dictionary are looked for while an autoencoder trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DictionaryCompletion {
    /// How many times.
    pub times: usize,
    /// The first time, as a share of the steps.
    pub from: f64,
    /// The last time, as a share of the steps.
    pub until: f64,
    /// On how many rows.
    pub rows: usize,
}

impl Default for DictionaryCompletion {
    fn default() -> Self {
        Self { times: 10, from: 0.1, until: 0.55, rows: 32_768 }
    }
}

/// How units look for combinations while an autoencoder trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompositionTraining {
    /// When, as a share of the steps. Late: directions that were learned without units are better
    /// evidence, and little training is needed with them (docs/benchmark.md).
    pub at: f64,
    /// On how many rows.
    pub rows: usize,
    /// How many more features are active then.
    pub extra_features: usize,
    /// Below which share of its mean strength a feature then counts as silent.
    pub cut: f64,
    /// When they look before that, as shares of the steps.
    #[serde(default)]
    pub before: Vec<f64>,
    /// Whether parts are then drawn by chance, as many sets of the same sizes as are found.
    #[serde(default)]
    pub random_parts: bool,
}

impl Default for CompositionTraining {
    fn default() -> Self {
        Self {
            at: 0.9,
            rows: 65_536,
            extra_features: 8,
            cut: 0.4,
            before: vec![],
            random_parts: false,
        }
    }
}

impl Profile {
    /// The sizes called `name`.
    pub fn named(name: ProfileName) -> Self {
        match name {
            ProfileName::Smoke => smoke(),
            ProfileName::Cpu => cpu(),
            ProfileName::Full => full(),
        }
    }

    /// The sizes for a generated language, whose models are smaller on a processor, but learn longer:
    /// sums are right after some 6,000 steps of 24 windows, and after 1,500 of 12 hardly one is. Fewer
    /// features are active at a time, because a row has fewer dimensions.
    ///
    /// Of an expression of truth values one character in six or seven is an answer and most else is drawn
    /// at random, so that a language model hardly notices what it could gain by being right: answers
    /// count ten times as much.
    pub fn for_language(mut self, language: Language) -> Self {
        if language == Language::Boolean {
            self.lm_training.emphasis = Some(Emphasis { after: '=', times: 10.0 });
        }
        if self.name == ProfileName::Cpu {
            self.lm = self.lm.with_n_layers(2).with_d_model(64);
            self.lm_training.iterations = 6_000;
            self.lm_training.batch_size = 24;
            self.lm_training.learning_rate = 3e-3;
            self.layer = 1;
            self.sparsity_k = 8;
            self.curve = vec![4, 8, 16];
            self.swept_k = 8;
            self.graduated_from = 32;
        }
        self
    }

    /// The sizes for enwik8 and text8, whose language models the source trains longer on smaller batches.
    pub fn for_large_text(mut self) -> Self {
        if self.name == ProfileName::Full {
            self.lm_training.iterations = 100_000;
            self.lm_training.batch_size = 32;
            self.lm_training.eval_interval = 1_000;
        }
        self
    }
}

/// nanoGPT's recipe for a machine without a graphics card.
fn cpu() -> Profile {
    Profile {
        name: ProfileName::Cpu,
        text_limit: None,
        lm: CharLmConfig::new(0),
        lm_training: LmTraining {
            iterations: 2_000,
            batch_size: 12,
            learning_rate: 1e-3,
            min_learning_rate: 1e-4,
            warmup: 100,
            weight_decay: 0.1,
            beta2: 0.99,
            clip: 1.0,
            eval_interval: 250,
            eval_batches: 40,
            emphasis: None,
        },
        layer: 2,
        sparsity_k: 32,
        curve: vec![8, 16, 32, 64],
        swept_k: 16,
        graduated_from: 128,
        rows: 250_000,
        selection_rows: 8_192,
        held_out_rows: 49_152,
        autoencoder_training: AutoencoderTraining {
            steps: 3_000,
            batch_size: 512,
            warmup: 100,
            auxk_weight: 1.0 / 32.0,
            composition: CompositionTraining::default(),
            completion: None,
            diversity_weight: 0.0,
            entropy_weight: 0.0,
        },
        costly_steps: 1_000,
        costly_rows: 16_384,
        completion: DictionaryCompletion {
            times: 5,
            rows: 16_384,
            ..DictionaryCompletion::default()
        },
        // From the source's 3e-4 to where 3,000 steps give worse models again, or none.
        learning_rates: vec![3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
        seeds: 3,
        many_seeds: 5,
    }
}

fn smoke() -> Profile {
    let cpu = cpu();
    Profile {
        name: ProfileName::Smoke,
        text_limit: Some(64_000),
        lm: CharLmConfig::new(0)
            .with_n_layers(1)
            .with_n_heads(2)
            .with_d_model(32)
            .with_block_size(32),
        lm_training: LmTraining {
            iterations: 50,
            warmup: 10,
            eval_interval: 25,
            eval_batches: 4,
            ..cpu.lm_training
        },
        layer: 1,
        sparsity_k: 32,
        curve: vec![16, 32],
        swept_k: 16,
        graduated_from: 40,
        rows: 20_000,
        selection_rows: 1_024,
        held_out_rows: 3_072,
        autoencoder_training: AutoencoderTraining {
            steps: 200,
            batch_size: 128,
            warmup: 20,
            composition: CompositionTraining {
                rows: 4_096,
                ..cpu.autoencoder_training.composition
            },
            ..cpu.autoencoder_training
        },
        costly_steps: 10,
        costly_rows: 256,
        completion: DictionaryCompletion { times: 2, rows: 2_048, ..cpu.completion },
        learning_rates: vec![3e-4, 1e-3],
        seeds: 2,
        many_seeds: 2,
    }
}

/// nanoGPT's shakespeare_char but for its dropout, so that the model with the lowest validation loss
/// counts more than the last one. A text with fewer places gives fewer rows.
fn full() -> Profile {
    let cpu = cpu();
    Profile {
        name: ProfileName::Full,
        lm: CharLmConfig::new(0)
            .with_n_layers(6)
            .with_n_heads(6)
            .with_d_model(384)
            .with_block_size(256),
        lm_training: LmTraining {
            iterations: 5_000,
            batch_size: 64,
            eval_batches: 200,
            ..cpu.lm_training
        },
        layer: 3,
        rows: 4_000_000,
        autoencoder_training: AutoencoderTraining { steps: 30_000, ..cpu.autoencoder_training },
        costly_steps: 30_000,
        costly_rows: 65_536,
        ..cpu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_learning_rate_is_the_sources() {
        for name in [ProfileName::Smoke, ProfileName::Cpu, ProfileName::Full] {
            assert_eq!(Profile::named(name).learning_rates[0], 3e-4);
        }
    }

    #[test]
    fn a_language_model_learns_longer_from_a_large_text_on_a_graphics_card_only() {
        let large = Profile::named(ProfileName::Full).for_large_text().lm_training;
        assert_eq!((large.iterations, large.batch_size), (100_000, 32));
        let small = Profile::named(ProfileName::Cpu);
        assert_eq!(small.clone().for_large_text(), small);
    }
}
