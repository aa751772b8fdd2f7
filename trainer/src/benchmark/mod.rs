//! The combination benchmark: worlds in which we know what combines, and how well it is found.
//!
//! [`world`] draws the features, the rules and the decoys, [`rows`] lets them fire. [`oracle`]
//! reads the rows with the true dictionary and finds combinations in what is left over;
//! [`rivals`] rank combinations by simpler statistics of the same code; [`score`] says how many
//! of the rules were found. [`learned`] trains a model instead, [`methods`] says which, and
//! [`proposals`] what it then proposes; [`tracks`] puts all methods side by side, [`runs`] several
//! worlds, [`sweep`] several values of a knob; [`feature_scores`] and [`outcomes`] say why;
//! [`figures`] and [`report`] are for people. [`export`] writes a world for others, [`foreign`]
//! scores what they find. [`command`] is `trainer benchmark`.

pub mod and_mining;
pub mod arguments;
pub mod command;
pub mod config;
mod directions;
pub mod effects;
pub mod export;
pub mod feature_scores;
pub mod figures;
pub mod foreign;
pub mod intervals;
pub mod learned;
pub mod mapping;
pub mod methods;
pub mod oracle;
pub mod outcomes;
pub mod proposals;
mod reading;
pub mod report;
pub mod rivals;
pub mod rows;
pub mod rules;
pub mod runs;
pub mod score;
pub mod sweep;
pub mod tracks;
pub mod world;
mod world_rows;
