//! What the user sees while the program works: bars on a terminal, plain lines elsewhere, and all
//! of it in `log.txt`.

use std::cell::RefCell;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a stage says where it stands, off a terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Talks to the user on standard error.
#[derive(Debug)]
pub struct Console {
    terminal: bool,
    log: RefCell<Option<File>>,
}

impl Console {
    /// A console without a log. A terminal that can do nothing (`TERM=dumb`) is none.
    pub fn new() -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self { terminal: std::io::stderr().is_terminal() && !dumb, log: RefCell::new(None) }
    }

    /// Keeps a copy of what is said at the end of this file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn log_to(&self, path: &Path) -> Result<()> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        *self.log.borrow_mut() = Some(file);
        Ok(())
    }

    /// Says a sentence.
    pub fn say(&self, text: &str) {
        if self.terminal {
            eprintln!("{text}");
        } else {
            eprintln!("{}", line(text));
        }
        self.write_log(text);
    }

    /// Begins a stage of `total` steps; `title` as in `[2/5] language model shakespeare_char`.
    pub fn stage(&self, title: &str, total: u64) -> Stage<'_> {
        let bar = self.terminal.then(|| {
            let style = "{prefix:<44} {bar:16.} {pos:>7}/{len:<7} {msg}  {elapsed} left {eta}";
            let style = ProgressStyle::with_template(style)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("##-");
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            bar.with_style(style).with_prefix(title.to_string())
        });
        Stage { console: self, bar, title: title.into(), total, said: Instant::now() }
    }

    fn write_log(&self, text: &str) {
        if let Some(file) = self.log.borrow_mut().as_mut() {
            // A full disk is reported by what needs the disk; the log must not hide that.
            let _ = writeln!(file, "{}", line(text));
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
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
    said: Instant,
}

impl Stage<'_> {
    /// `step` steps are done; `message` is asked for only if it is shown.
    pub fn progress(&mut self, step: u64, message: &dyn Fn() -> String) {
        let often = Duration::from_millis(200);
        let due = self.said.elapsed() >= if self.bar.is_some() { often } else { BETWEEN_LINES };
        if !due {
            return;
        }
        self.said = Instant::now();
        let message = message();
        match &self.bar {
            Some(bar) => {
                bar.set_position(step);
                bar.set_message(message);
            }
            None => {
                let text = format!("{} step={step} of={} {message}", self.title, self.total);
                eprintln!("{}", line(&text));
                self.console.write_log(&text);
            }
        }
    }

    /// The stage is over, with this result.
    pub fn finish(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.console.say(&format!("{:<44} {result}", self.title));
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
