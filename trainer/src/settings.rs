//! What the environment asks for.

use std::ffi::OsString;
use std::path::PathBuf;

use shared::weights::Precision;

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

/// The settings of one call.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `CSAE_DATA`: the folder with one folder for each data set.
    pub data: Option<PathBuf>,
    /// `CSAE_TEXT`: the name of the text to explain, `shakespeare_char` if not given.
    pub text: Option<String>,
    /// `CSAE_LANGUAGE`: a generated language to explain in place of a text.
    pub language: Option<Language>,
    /// `CSAE_DEVICE`.
    pub device: DeviceChoice,
    /// `CSAE_PROFILE`: how large the experiment is; by the device if not given.
    pub profile: Option<ProfileName>,
    /// `CSAE_CACHE`: where trained language models are kept; beside the run folder if not given.
    pub cache: Option<PathBuf>,
    /// `CSAE_EXPORT`: how exactly weights are exported.
    pub export: Precision,
}

impl Settings {
    /// Reads the settings through `variable`, which gives the value of an environment variable.
    ///
    /// # Errors
    /// A value is none of those that the setting knows.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Complaint> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let value = |name: &str| given(name).map(|value| value.to_string_lossy().into_owned());
        Ok(Self {
            data: given("CSAE_DATA").map(PathBuf::from),
            text: value("CSAE_TEXT"),
            language: one_of(
                "CSAE_LANGUAGE",
                value("CSAE_LANGUAGE"),
                &Language::ALL.map(|language| (language.name(), language)),
            )?,
            device: one_of(
                "CSAE_DEVICE",
                value("CSAE_DEVICE"),
                &[
                    ("auto", DeviceChoice::Auto),
                    ("cpu", DeviceChoice::Cpu),
                    ("wgpu", DeviceChoice::Wgpu),
                    ("cuda", DeviceChoice::Cuda),
                    ("software", DeviceChoice::Software),
                ],
            )?
            .unwrap_or_default(),
            profile: one_of(
                "CSAE_PROFILE",
                value("CSAE_PROFILE"),
                &[
                    ("smoke", ProfileName::Smoke),
                    ("cpu", ProfileName::Cpu),
                    ("full", ProfileName::Full),
                ],
            )?,
            cache: given("CSAE_CACHE").map(PathBuf::from),
            export: one_of(
                "CSAE_EXPORT",
                value("CSAE_EXPORT"),
                &[("f32", Precision::F32), ("f16", Precision::F16)],
            )?
            .unwrap_or_default(),
        })
    }
}

fn one_of<T: Copy>(
    name: &str,
    value: Option<String>,
    known: &[(&str, T)],
) -> Result<Option<T>, Complaint> {
    let Some(value) = value else { return Ok(None) };
    let found = known.iter().find(|(word, _)| *word == value);
    let words = || known.iter().map(|(word, _)| *word);
    found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
        Complaint::usage(format!("{name}={value:?} is not known")).fix(format!(
            "{name} is one of {}{}",
            words().collect::<Vec<_>>().join(", "),
            suggestion(&value, words()),
        ))
    })
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
        Settings::read(|asked| (asked == name).then(|| value.into()))
    }

    #[test]
    fn settings_have_defaults_and_are_read() {
        let none = Settings::read(|_| None).unwrap();
        assert_eq!(none.device, DeviceChoice::Auto);
        assert_eq!(none.profile, None);

        assert_eq!(read("CSAE_DEVICE", "cpu").unwrap().device, DeviceChoice::Cpu);
        assert_eq!(read("CSAE_DEVICE", "").unwrap().device, DeviceChoice::Auto);
        assert_eq!(read("CSAE_EXPORT", "f16").unwrap().export, Precision::F16);
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
