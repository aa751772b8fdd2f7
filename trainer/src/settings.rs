//! What a file and the environment ask for.

use std::ffi::OsString;
use std::path::PathBuf;

use shared::weights::Precision;
use toml::{Table, Value};

use crate::complaint::Complaint;
use crate::data::languages::Language;
use crate::plan::ProfileName;

/// On what to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A graphics card if there is one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A graphics card through Vulkan, Metal or DirectX 12.
    Wgpu,
    /// An NVIDIA card through CUDA.
    Cuda,
    /// A graphics card that the processor imitates; for tests.
    Software,
}

/// The settings of one call: what [`FILE`] says, and over it what the environment says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `data`: the folder with one folder for each data set.
    pub data: Option<PathBuf>,
    /// `text`: the name of the text to explain, `shakespeare_char` if not given.
    pub text: Option<String>,
    /// `language`: a generated language to explain in place of a text.
    pub language: Option<Language>,
    /// `device`.
    pub device: DeviceChoice,
    /// `profile`: how large the experiment is; by the device if not given.
    pub profile: Option<ProfileName>,
    /// `cache`: where trained language models are kept; beside the run folder if not given.
    pub cache: Option<PathBuf>,
    /// `export`: how exactly weights are exported.
    pub export: Precision,
    /// `seeds`: how often each trial is trained; by the profile if not given.
    pub seeds: Option<u64>,
    /// `layer`: after which block activations are explained; by the profile if not given.
    pub layer: Option<usize>,
    /// `steps`: how many an autoencoder learns in; by the profile if not given.
    pub steps: Option<u64>,
    /// `rows`: from how many activations an autoencoder learns; by the profile if not given.
    pub rows: Option<usize>,
    /// `rows_in_memory_mib`: how large activations may be that are kept in memory; by the machine if
    /// not given.
    pub rows_in_memory_mib: Option<u64>,
}

/// The file with settings, in the folder in which the trainer is started.
pub const FILE: &str = "csae.toml";
/// What can be set in [`FILE`]; in the environment as `CSAE_DATA` and so on.
const KEYS: [&str; 12] = [
    "data",
    "text",
    "language",
    "device",
    "profile",
    "cache",
    "export",
    "seeds",
    "layer",
    "steps",
    "rows",
    "rows_in_memory_mib",
];

/// Variables that begin as settings do, and that only builds, tests and scripts read.
const OF_SCRIPTS: [&str; 6] = [
    "CSAE_BUILD_CACHE",
    "CSAE_COMMIT",
    "CSAE_RECORD",
    "CSAE_SMALL",
    "CSAE_TEST_DEVICE",
    "CSAE_WEBGPU",
];

const DEVICES: [(&str, DeviceChoice); 5] = [
    ("auto", DeviceChoice::Auto),
    ("cpu", DeviceChoice::Cpu),
    ("wgpu", DeviceChoice::Wgpu),
    ("cuda", DeviceChoice::Cuda),
    ("software", DeviceChoice::Software),
];
const PROFILES: [(&str, ProfileName); 3] =
    [("smoke", ProfileName::Smoke), ("cpu", ProfileName::Cpu), ("full", ProfileName::Full)];
const PRECISIONS: [(&str, Precision); 2] = [("f32", Precision::F32), ("f16", Precision::F16)];

impl Settings {
    /// Reads the settings from the text of [`FILE`], if there is one, and through `variable`, which
    /// gives the value of an environment variable.
    ///
    /// # Errors
    /// The file is not TOML or has a key that is no setting, or a value is none of those that the
    /// setting knows.
    pub fn read(
        file: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Complaint> {
        let table = file.map_or(Ok(Table::new()), table)?;
        let given = |key: &str| {
            let name = in_environment(key);
            let set = variable(&name).filter(|value| !value.is_empty());
            let set = set.map(|value| Given { value, place: name });
            set.or_else(|| Given::in_table(&table, key))
        };
        Ok(Self {
            data: given("data").map(|given| given.value.into()),
            text: given("text").map(|given| given.value.to_string_lossy().into_owned()),
            language: one_of(
                given("language"),
                &Language::ALL.map(|language| (language.name(), language)),
            )?,
            device: one_of(given("device"), &DEVICES)?.unwrap_or_default(),
            profile: one_of(given("profile"), &PROFILES)?,
            cache: given("cache").map(|given| given.value.into()),
            export: one_of(given("export"), &PRECISIONS)?.unwrap_or_default(),
            seeds: number(given("seeds"))?,
            layer: number(given("layer"))?.map(|layer| layer as usize),
            steps: number(given("steps"))?,
            rows: number(given("rows"))?.map(|rows| rows as usize),
            rows_in_memory_mib: number(given("rows_in_memory_mib"))?,
        })
    }

    /// How many bytes of activations may lie in memory, if that is set.
    pub fn rows_in_memory(&self) -> Option<u64> {
        self.rows_in_memory_mib.map(|mib| mib.saturating_mul(1 << 20))
    }
}

/// Refuses an environment that sets what is no setting.
///
/// # Errors
/// One of the `names` of variables begins as those of settings do, and is none.
pub fn check_names(names: impl Iterator<Item = OsString>) -> Result<(), Complaint> {
    let settings: Vec<String> = KEYS.iter().map(|key| in_environment(key)).collect();
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let known = |name: &String| settings.contains(name) || OF_SCRIPTS.contains(&&**name);
    let mut unknown = names.filter(|name| name.starts_with("CSAE_") && !known(name));
    unknown.next().map_or(Ok(()), |name| {
        Err(Complaint::usage(format!("{name} is no setting")).fix(format!(
            "unset it; settings are {}{}",
            settings.join(", "),
            suggestion(&name, settings.iter().map(String::as_str))
        )))
    })
}

/// The variable that a setting has in the environment.
fn in_environment(key: &str) -> String {
    format!("CSAE_{}", key.to_uppercase())
}

/// What [`FILE`] says.
fn table(text: &str) -> Result<Table, Complaint> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let line = line.map_or(String::new(), |line| format!(", line {line}"));
        Complaint::usage(format!("{FILE}{line}: {}", error.message()))
            .fix("write one setting a line, as in device = \"cpu\"")
    })?;
    match table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        None => Ok(table),
        Some(key) => Err(Complaint::usage(format!("{FILE}: {key:?} is no setting")).fix(format!(
            "settings are {}{}",
            KEYS.join(", "),
            suggestion(key, KEYS.into_iter())
        ))),
    }
}

/// A value, and where it was given.
struct Given {
    value: OsString,
    place: String,
}

impl Given {
    fn in_table(table: &Table, key: &str) -> Option<Self> {
        let value = match table.get(key)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(Self { value: value.into(), place: format!("{key} in {FILE}") })
    }
}

fn one_of<T: Copy>(given: Option<Given>, known: &[(&str, T)]) -> Result<Option<T>, Complaint> {
    let Some(Given { value, place }) = given else { return Ok(None) };
    let value = value.to_string_lossy();
    let found = known.iter().find(|(word, _)| *word == value);
    let words = || known.iter().map(|(word, _)| *word);
    found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
        Complaint::usage(format!("{place}={value:?} is not known")).fix(format!(
            "{place} is one of {}{}",
            words().collect::<Vec<_>>().join(", "),
            suggestion(&value, words()),
        ))
    })
}

fn number(given: Option<Given>) -> Result<Option<u64>, Complaint> {
    let Some(Given { value, place }) = given else { return Ok(None) };
    let value = value.to_string_lossy();
    match value.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(Complaint::usage(format!("{place}={value:?} is no whole number above 0"))
            .fix(format!("{place} is a number such as 3"))),
    }
}

/// `; did you mean "cpu"?` if one of the `known` words is close to `word`, else nothing.
pub fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map_or(String::new(), |(_, known)| format!("; did you mean {known:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, Complaint> {
        Settings::read(None, |asked| (asked == name).then(|| value.into()))
    }

    #[test]
    fn settings_have_defaults_and_are_read() {
        let none = Settings::read(None, |_| None).unwrap();
        assert_eq!(none.device, DeviceChoice::Auto);
        assert_eq!((none.profile, none.seeds), (None, None));

        assert_eq!(read("CSAE_DEVICE", "cpu").unwrap().device, DeviceChoice::Cpu);
        assert_eq!(read("CSAE_DEVICE", "").unwrap().device, DeviceChoice::Auto);
        assert_eq!(read("CSAE_EXPORT", "f16").unwrap().export, Precision::F16);
        assert_eq!(read("CSAE_SEEDS", "7").unwrap().seeds, Some(7));
        assert_eq!(read("CSAE_ROWS_IN_MEMORY_MIB", "3").unwrap().rows_in_memory(), Some(3 << 20));
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let file = "device = \"cpu\" # quick\nprofile = 'smoke'\nseeds = 4\ndata = \"texts\"\n";
        let variable = |name: &str| (name == "CSAE_PROFILE").then(|| "cpu".into());

        let settings = Settings::read(Some(file), variable).unwrap();

        assert_eq!(settings.device, DeviceChoice::Cpu);
        assert_eq!(settings.profile, Some(ProfileName::Cpu));
        assert_eq!((settings.seeds, settings.layer), (Some(4), None));
        assert_eq!(settings.data, Some("texts".into()));
    }

    fn refused(file: &str, expected: &[&str]) {
        let error = Settings::read(Some(file), |_| None).unwrap_err();
        assert_eq!(error.code(), 2);
        let text = error.to_string();
        assert!(expected.iter().all(|expected| text.contains(expected)), "{text}");
    }

    #[test]
    fn what_the_file_must_not_say_is_refused_with_a_suggestion() {
        refused("devcie = \"cpu\"", &["csae.toml: \"devcie\" is no setting", "mean \"device\"?"]);
        refused("device = \"cup\"", &["device in csae.toml=\"cup\" is not known", "mean \"cpu\"?"]);
        refused("seeds = 0", &["seeds in csae.toml=\"0\" is no whole number above 0"]);
        refused("rows_in_memory_mib = 0", &["rows_in_memory_mib in csae.toml=\"0\" is no whole"]);
        refused("seeds = 2.5", &["seeds in csae.toml=\"2.5\""]);
        refused("[run]\nseeds = 2", &["\"run\" is no setting"]);
        refused("seeds = 2\ndevice cpu", &["csae.toml, line 2"]);
    }

    #[test]
    fn a_variable_that_is_no_setting_is_refused_with_a_suggestion() {
        let check = |name: &str| check_names([OsString::from(name), "PATH".into()].into_iter());

        let error = check("CSAE_PROFLE").unwrap_err();

        assert_eq!(error.code(), 2);
        let text = error.to_string();
        assert!(text.contains("CSAE_PROFLE is no setting"), "{text}");
        assert!(text.contains("did you mean \"CSAE_PROFILE\"?"), "{text}");
        for known in ["CSAE_PROFILE", "CSAE_ROWS_IN_MEMORY_MIB", "CSAE_WEBGPU", "csae", "HOME"] {
            assert!(check(known).is_ok(), "{known}");
        }
    }

    #[test]
    fn an_unknown_value_is_refused_with_a_suggestion() {
        let error = read("CSAE_DEVICE", "cup").unwrap_err();

        assert_eq!(error.code(), 2);
        let text = error.to_string();
        assert!(text.contains("CSAE_DEVICE=\"cup\" is not known"), "{text}");
        assert!(text.contains("auto, cpu, wgpu, cuda, software"), "{text}");
        assert!(text.contains("did you mean \"cpu\"?"), "{text}");
    }
}
