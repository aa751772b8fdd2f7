//! What the user sees while the program works: bars on a terminal, plain lines elsewhere, and all
//! of it in `log.txt`.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::side_by_side::locked;

/// How often a stage says where it stands, off a terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// How often a bar is drawn.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(200);

/// How wide titles are shown, so that what follows them stands in a column.
const TITLES: usize = 44;

/// Whether standard error is a terminal. One that can do nothing (`TERM=dumb`) is none.
static IS_TERMINAL: LazyLock<bool> = LazyLock::new(|| {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb
});

/// On a terminal the bars of all stages that run, below what was said.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));

/// Talks to the user on standard error.
#[derive(Debug, Default)]
pub struct Console {
    log: Mutex<Log>,
}

/// What was said, for the file that it is kept in.
#[derive(Debug, Default)]
struct Log {
    file: Option<File>,
    /// What was said before there was a file.
    before: String,
}

impl Console {
    /// A console without a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a copy of what was and will be said at the end of this file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn log_to(&self, path: &Path) -> Result<()> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let mut log = locked(&self.log);
        let before = std::mem::take(&mut log.before);
        log.file = Some(file);
        log.write(&before);
        Ok(())
    }

    /// Says a sentence.
    pub fn say(&self, text: &str) {
        match *IS_TERMINAL {
            true => print(text),
            false => print(&line(text)),
        }
        self.keep(text);
    }

    /// Says what a stage of this title has led to.
    pub fn result(&self, title: &str, result: &str) {
        self.say(&format!("{title:<TITLES$} {result}"));
    }

    /// Says nothing, but keeps a sentence in the log.
    pub fn keep(&self, text: &str) {
        locked(&self.log).write(&(line(text) + "\n"));
    }

    /// Begins a stage of `total` steps, `done` of them by an earlier call; `title` as in
    /// `[1/5] language model`.
    pub fn stage(&self, title: &str, done: u64, total: u64) -> Stage<'_> {
        let bar = IS_TERMINAL.then(|| {
            let style =
                format!("{{prefix:<{TITLES}}} {{wide_bar}} {{pos}}/{{len}} {{msg}} left {{eta}}");
            let style = ProgressStyle::with_template(&style)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("##-");
            let bar = BARS.add(ProgressBar::new(total));
            bar.with_style(style).with_prefix(title.to_string()).with_position(done)
        });
        Stage {
            console: self,
            bar,
            title: title.into(),
            total,
            drawn: Instant::now(),
            said: Instant::now(),
        }
    }
}

impl Log {
    fn write(&mut self, lines: &str) {
        match &mut self.file {
            // A full disk is reported by what needs the disk; the log must not hide that.
            Some(file) => drop(file.write_all(lines.as_bytes())),
            None => self.before.push_str(lines),
        }
    }
}

/// Prints a line on standard error, above the bars that are there. A reader that has gone away must not end
/// a training.
pub fn print(text: &str) {
    let _ = match *IS_TERMINAL {
        true => BARS.println(text),
        false => writeln!(std::io::stderr(), "{text}"),
    };
}

fn line(text: &str) -> String {
    format!("{} INFO {text}", humantime::format_rfc3339_seconds(SystemTime::now()))
}

/// A part of the work, with a number of steps.
#[derive(Debug)]
pub struct Stage<'a> {
    console: &'a Console,
    bar: Option<ProgressBar>,
    title: String,
    total: u64,
    drawn: Instant,
    said: Instant,
}

impl Stage<'_> {
    /// `step` steps are done; `message` is asked for only if it is shown.
    pub fn progress(&mut self, step: u64, message: &dyn Fn() -> String) {
        if let Some(bar) = &self.bar
            && self.drawn.elapsed() >= BETWEEN_DRAWINGS
        {
            self.drawn = Instant::now();
            bar.set_message(message());
            bar.set_position(step);
        }
        if self.said.elapsed() >= BETWEEN_LINES {
            self.said = Instant::now();
            let text = format!("{} step={step} of={} {}", self.title, self.total, message());
            if self.bar.is_none() {
                print(&line(&text));
            }
            self.console.keep(&text);
        }
    }

    /// The stage is over, with this result.
    pub fn finish(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.console.result(&self.title, result);
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
