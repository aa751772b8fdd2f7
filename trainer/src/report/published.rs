//! What the source of this work has published of its own language models.

/// A baseline that the source has published. Ours are called the same in `final_info.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The data set.
    pub dataset: &'static str,
    /// The loss on training text after the training, nats per character.
    pub final_train_loss: f64,
    /// The lowest loss on validation text.
    pub best_val_loss: f64,
    /// How long the training took, in seconds.
    pub total_train_time: f64,
    /// How fast it writes.
    pub tokens_per_second: f64,
}

/// The profile that these numbers were made with: the source's own, on a machine that it does not name.
pub const PROFILE: &str = "the source's";

/// The baselines of the AI-Scientist's template for nanoGPT, as the source of this work states them.
pub const ALL: [Published; 3] = [
    Published {
        dataset: "shakespeare_char",
        final_train_loss: 0.8084,
        best_val_loss: 1.4693,
        total_train_time: 301.0,
        tokens_per_second: 477.0,
    },
    Published {
        dataset: "enwik8",
        final_train_loss: 0.9415,
        best_val_loss: 1.0055,
        total_train_time: 2372.0,
        tokens_per_second: 481.0,
    },
    Published {
        dataset: "text8",
        final_train_loss: 0.9940,
        best_val_loss: 0.9802,
        total_train_time: 2351.0,
        tokens_per_second: 477.0,
    },
];

/// The baseline for a data set.
pub fn of(dataset: &str) -> Option<Published> {
    ALL.into_iter().find(|published| published.dataset == dataset)
}
