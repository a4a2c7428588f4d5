//! When a rule applies, as it is written.

use super::lower::Reader;
use super::raw::{RawRule, RawWindow, Text};
use access_model::{Times, Weekday, Window};
use chrono::DateTime;

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl Reader<'_> {
    pub(super) fn times(&mut self, raw: &RawRule) -> Option<Times> {
        let from = self.moment(raw.from.as_ref());
        let until = self.moment(raw.until.as_ref());
        let windows: Vec<_> = raw.windows.iter().map(|window| self.window(window)).collect();
        let windows = windows.into_iter().collect::<Option<_>>();
        Some(Times { from: from?, until: until?, windows: windows? })
    }

    fn moment(&mut self, text: Option<&Text>) -> Option<Option<i64>> {
        let Some(text) = text else { return Some(None) };
        if let Ok(moment) = DateTime::parse_from_rfc3339(&text.value) {
            return Some(Some(moment.timestamp()));
        }
        let help = "write a day and a time with its offset, for instance `2026-12-01T08:00:00Z`";
        self.wrong_text(text, format!("`{}` is no moment", text.value), help);
        None
    }

    fn window(&mut self, raw: &RawWindow) -> Option<Window> {
        let day = |word: &str| DAYS.iter().find(|(name, _)| *name == word).map(|(_, day)| *day);
        let days = self.words(&raw.days, day, &DAYS.map(|(name, _)| name));
        let from = self.minute(&raw.from);
        let to = self.minute(&raw.to);
        let offset = match &raw.offset {
            None => Some(0),
            Some(text) => self.offset(text),
        };
        Some(Window { days: days?, from_minute: from?, to_minute: to?, offset_minutes: offset? })
    }

    fn minute(&mut self, text: &Text) -> Option<u16> {
        let minute = clock(&text.value).filter(|minute| *minute <= 24 * 60);
        if minute.is_none() {
            let help = "write hours and minutes, `00:00` to `24:00`";
            self.wrong_text(text, format!("`{}` is no time of the day", text.value), help);
        }
        minute
    }

    fn offset(&mut self, text: &Text) -> Option<i16> {
        let signed = text.value.split_at_checked(1).and_then(|(sign, rest)| {
            let minutes = i16::try_from(clock(rest)?).ok()?;
            match sign {
                "+" => Some(minutes),
                "-" => Some(-minutes),
                _ => None,
            }
        });
        if signed.is_none() {
            let help = "write how far the place's clocks are ahead of UTC, for instance `+01:00`";
            self.wrong_text(text, format!("`{}` is no offset from UTC", text.value), help);
        }
        signed
    }
}

/// `HH:MM` as minutes.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (minutes < 60).then(|| hours * 60 + minutes)
}
