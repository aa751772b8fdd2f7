//! What is measured, and what a peer is asked for the same.

use burn::prelude::Device;
use clap::ValueEnum;
use shared::kernels::on_processor;

/// A piece of work whose time users feel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Task {
    /// A training step of the language model of the profile `cpu`
    LanguageModel,
    /// A character that this language model writes
    Writing,
    /// A training step of the language model of the profile `full`; if not named, on a card only
    LanguageModelLarge,
    /// A training step of TopK, 128 -> 256, k = 32
    Topk,
    /// A training step of TopK, 384 -> 4096, k = 32
    TopkLarge,
    /// A training step with attention between 32 active features
    Attention,
    /// A training step with 128 composition units and refitted features, without a screening
    Units,
    /// Principal components of 100,000 rows of 128 numbers
    Pca,
    /// Principal components of 100,000 rows of 384 numbers
    PcaLarge,
}

/// What a peer runs for a task.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Its file in the peers' folder.
    pub file: &'static str,
    /// What it is told, beside seconds and threads.
    pub arguments: &'static [&'static str],
}

impl Task {
    /// Every task, in the order in which they are shown.
    pub fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// What is measured on a device if nothing is named: on a processor what takes it no minutes, on a
    /// card what does not run on the processor anyway.
    pub fn usual(device: &Device) -> Vec<Self> {
        let is_processor = on_processor(device);
        let usual = |task: &Self| match task {
            Self::LanguageModelLarge => !is_processor,
            Self::Writing | Self::Pca | Self::PcaLarge => is_processor,
            _ => true,
        };
        Self::all().into_iter().filter(usual).collect()
    }

    /// As in `--tasks` and in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::LanguageModel => "language_model",
            Self::LanguageModelLarge => "language_model_large",
            Self::Writing => "writing",
            Self::Topk => "topk",
            Self::TopkLarge => "topk_large",
            Self::Attention => "attention",
            Self::Units => "units",
            Self::Pca => "pca",
            Self::PcaLarge => "pca_large",
        }
    }

    /// What a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::LanguageModel => "language model, 4 layers of 128: a step of 12 x 64 characters",
            Self::LanguageModelLarge => {
                "language model, 6 layers of 384: a step of 64 x 256 characters"
            }
            Self::Writing => "language model, 4 layers of 128, writes: a character",
            Self::Topk => "TopK 128 -> 256, k 32: a step of 512 rows",
            Self::TopkLarge => "TopK 384 -> 4096, k 32: a step of 512 rows",
            Self::Attention => {
                "attention between 32 active features, 128 -> 256: a step of 512 rows"
            }
            Self::Units => "128 units, refitted, 128 -> 256, k 32: a step of 512 rows",
            Self::Pca => "PCA of 100,000 x 128",
            Self::PcaLarge => "PCA of 100,000 x 384",
        }
    }

    /// With what we are content: a share of the peer's time, or a time.
    pub fn goal(self) -> &'static str {
        match self {
            Self::LanguageModel => "0.80",
            Self::LanguageModelLarge => "-",
            Self::Writing => "250 us",
            Self::Topk => "0.40",
            Self::TopkLarge => "0.25",
            Self::Attention => "0.10",
            Self::Units => "0.15",
            Self::Pca | Self::PcaLarge => "1.00",
        }
    }

    /// What a peer runs.
    pub fn script(self) -> Script {
        let script = |file, arguments| Script { file, arguments };
        match self {
            Self::LanguageModel => script("language_model.py", &["--what=step"]),
            Self::LanguageModelLarge => script(
                "language_model.py",
                &["--layers=6", "--heads=6", "--width=384", "--block=256", "--batch=64"],
            ),
            Self::Writing => script("language_model.py", &["--what=write"]),
            Self::Topk => script("topk.py", &[]),
            Self::TopkLarge => script("topk.py", &["--width=384", "--features=4096"]),
            Self::Attention => script("attention.py", &[]),
            Self::Units => script("units.py", &[]),
            Self::Pca => script("pca.py", &[]),
            Self::PcaLarge => script("pca.py", &["--width=384"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_the_name_that_arguments_give_it() {
        for task in Task::all() {
            let value = task.to_possible_value().unwrap();

            assert_eq!(value.get_name(), task.name());
        }
    }
}
