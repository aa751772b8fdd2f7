//! Taking part in a study: what a rater has said so far, and where it is kept. No view.

pub mod hand_over;
pub mod only_tab;
pub mod rating;
pub mod store;
