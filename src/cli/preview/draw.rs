//! Draws messages as framed text.

use console::measure_text_width;

use crate::base::domain::text::visible;
use crate::campaigns::campaign::{BrokenLimit, Choice, MessagePreview, Previews, StepPreview};
use crate::cli::out::{Paint, To};
use crate::cli::words::{count, plural};
use crate::rules::template::preview::{
    Bubble, BubbleButton, BubbleCard, BubbleFile, BubbleHeader, BubbleNotice, BubblePlace, BubbleSection, BubbleValue,
    ButtonKind, FileKind, ShownText, Wording,
};

/// The widest text of a bubble: longer lines are hard to read.
const WIDEST: usize = 64;
/// The narrowest, however narrow the terminal is.
const NARROWEST: usize = 20;
/// Lines of one text that are drawn. A page shows all of them.
const LINES_MAX: usize = 40;
/// What stands beside the text: the indent and the frame.
const BESIDE: usize = 8;

/// The previews of a step: the limits that its messages break, and the messages.
pub(in crate::cli) fn step_lines(step: &StepPreview, previews: &Previews, paint: Paint) -> Vec<String> {
    let mut lines = limits(step, paint);
    if step.shown.is_empty() {
        lines.push(format!("  {}", paint.dim("the step applies to none of the recipients to show")));
    }
    for message in &step.shown {
        lines.extend(heading(message, previews, paint));
        lines.extend(message_lines(message, paint));
    }
    lines
}

/// A message in its frame, with its length and the limits that it breaks.
pub(in crate::cli) fn message_lines(message: &MessagePreview, paint: Paint) -> Vec<String> {
    let width = To::Stdout.width().saturating_sub(BESIDE).clamp(NARROWEST, WIDEST);
    let mut lines: Vec<String> = framed(&message.bubble, width).into_iter().map(|line| format!("    {line}")).collect();
    lines.push(format!("    {}", paint.dim(message.measures)));
    lines.extend(
        message.broken.iter().map(|broken| format!("    {} {}", paint.bad("!"), one_line(&broken.to_string()))),
    );
    lines
}

/// `to +6581234510 (first, shortest), by lane line, to U4af4980629a1b2c3d4e5f60718293a4b`.
fn heading(message: &MessagePreview, previews: &Previews, paint: Paint) -> Option<String> {
    let choice = |choice: &Choice| match choice {
        Choice::Random => format!("random, --seed {}", previews.seed),
        choice => choice.as_str().to_owned(),
    };
    let choices: Vec<String> = message.chosen_as.iter().map(choice).collect();
    let lane = message.lane.as_ref().map(|lane| format!(", by lane {lane}")).unwrap_or_default();
    let id = message.bubble.recipient_id.as_ref().map(|id| one_line(&format!(", to {id}"))).unwrap_or_default();
    let why = paint.dim(format!("({}){lane}{id}", choices.join(", ")));
    Some(format!("  to {} {why}", message.to.as_ref()?))
}

/// How many messages of a step break a limit, and which.
fn limits(step: &StepPreview, paint: Paint) -> Vec<String> {
    let recipients = plural(step.recipients, "message", "messages");
    if step.broken.is_empty() {
        return vec![format!("  {}", paint.good(format!("no limit is broken in {recipients}")))];
    }
    let mut lines =
        vec![format!("  {}", paint.so_so(format!("broken limits in {} of {recipients}:", count(step.breaking))))];
    lines.extend(step.broken.iter().map(|limit| format!("    {}", limit_line(limit))));
    lines
}

/// `3 × text: more than 10 parts (+6581234510, +6581234511, …)`.
pub(super) fn limit_line(limit: &BrokenLimit) -> String {
    let mut named: Vec<String> = limit.first_msisdns.iter().map(ToString::to_string).collect();
    if limit.recipients > limit.first_msisdns.len() as u64 {
        named.push("…".to_owned());
    }
    format!("{} × {} ({})", count(limit.recipients), one_line(&limit.broken.to_string()), named.join(", "))
}

/// What a media file is called in front of its address.
pub(super) const fn name_of_media(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Image => "image",
        FileKind::Video => "video",
        FileKind::Gif => "GIF",
        FileKind::Audio => "audio",
        FileKind::Document => "document",
    }
}

/// What a button does.
pub(super) const fn name_of_button(kind: ButtonKind) -> &'static str {
    match kind {
        ButtonKind::Url => "open",
        ButtonKind::QuickReply => "reply",
        ButtonKind::CopyCode => "copy code",
        ButtonKind::Flow => "flow",
        ButtonKind::Call => "call",
        ButtonKind::List => "list",
        ButtonKind::Products => "products",
        ButtonKind::Place => "show place",
        ButtonKind::Search => "search nearby",
        ButtonKind::Event => "add event",
    }
}

/// A message in a frame with this much room for text.
fn framed(bubble: &Bubble, width: usize) -> Vec<String> {
    let Bubble {
        channel, sender, template, header, values, body, footer, buttons, suggestions, sections, cards, ..
    } = bubble;
    let text = join(vec![
        header.iter().flat_map(|header| top(header, width)).collect(),
        values.iter().flat_map(|each| value(each, width)).collect(),
        worded(body, width),
        footer.iter().flat_map(|text| wrapped(&text.to_string(), width)).collect(),
    ]);
    let below: Vec<String> = buttons.iter().flat_map(|each| button(each, width)).collect();
    let lists: Vec<String> = sections.iter().flat_map(|each| section(each, width)).collect();
    let cards = cards.iter().map(|each| card(each, width));
    let title = match (sender, template) {
        (Some(sender), _) => format!("{channel} from {sender}"),
        (None, Some(template)) => format!("{channel}: {template}"),
        (None, None) => channel.to_string(),
    };
    let mut lines = vec![edge('╭', &title, '╮', width)];
    let blocks = [text, below, lists].into_iter().chain(cards).filter(|block| !block.is_empty());
    for (index, block) in blocks.enumerate() {
        if index > 0 {
            lines.push(edge('├', "", '┤', width));
        }
        lines.extend(block.iter().map(|line| row(line, width)));
    }
    lines.push(edge('╰', "", '╯', width));
    lines.extend(suggestions.iter().flat_map(|each| button(each, width)).map(|line| format!("  {line}")));
    lines
}

fn top(header: &BubbleHeader<ShownText>, width: usize) -> Vec<String> {
    match header {
        BubbleHeader::Text(wording) => worded(wording, width),
        BubbleHeader::Media(file) => media(file, width),
        BubbleHeader::Location(BubblePlace { latitude, longitude, name, address }) => {
            wrapped(&format!("[location] {name}, {address} ({latitude}, {longitude})"), width)
        }
        BubbleHeader::Notice(BubbleNotice { title, company, icon }) => {
            let icon = icon.iter().flat_map(|icon| wrapped(&format!("[icon] {icon}"), width));
            let texts = std::iter::once(title).chain(company);
            icon.chain(texts.flat_map(|text| wrapped(&text.to_string(), width))).collect()
        }
    }
}

fn value(value: &BubbleValue<ShownText>, width: usize) -> Vec<String> {
    let BubbleValue { label, content, is_emphasized } = value;
    let mark = if *is_emphasized { "» " } else { "" };
    wrapped(&format!("{mark}{label}: {content}"), width)
}

/// Blocks with an empty line between them.
fn join(blocks: Vec<Vec<String>>) -> Vec<String> {
    let filled: Vec<Vec<String>> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
    filled.join(&String::new())
}

fn worded(wording: &Wording<ShownText>, width: usize) -> Vec<String> {
    if let Some(text) = &wording.text {
        return wrapped(&text.to_string(), width);
    }
    wording.parameters.iter().flat_map(|text| wrapped(&format!("{}: {text}", text.part), width)).collect()
}

fn media(file: &BubbleFile<ShownText>, width: usize) -> Vec<String> {
    let mut lines = wrapped(&format!("[{}] {}", name_of_media(file.kind), file.address), width);
    lines.extend(file.details.iter().flat_map(|detail| labelled(detail, width)));
    lines
}

fn button(button: &BubbleButton<ShownText>, width: usize) -> Vec<String> {
    let title = button.title.as_ref().map(|title| format!(" {title}")).unwrap_or_default();
    let target = button.target.as_ref().map(|target| format!(" → {target}")).unwrap_or_default();
    let mut lines = wrapped(&format!("[{}{title}]{target}", name_of_button(button.kind)), width);
    lines.extend(button.data.iter().flat_map(|value| labelled(value, width)));
    lines
}

/// A text that the handset does not show, with its place.
fn labelled(text: &ShownText, width: usize) -> Vec<String> {
    wrapped(&format!("  {}: {text}", text.part), width)
}

fn section(section: &BubbleSection<ShownText>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = section.title.iter().flat_map(|title| wrapped(&title.to_string(), width)).collect();
    for option in &section.options {
        lines.extend(wrapped(&format!("• {}", option.title), width));
        lines.extend(option.description.iter().flat_map(|text| wrapped(&format!("  {text}"), width)));
        lines.extend(option.id.iter().flat_map(|id| labelled(id, width)));
    }
    lines
}

fn card(card: &BubbleCard<ShownText>, width: usize) -> Vec<String> {
    let mut lines = wrapped("[card]", width);
    lines.extend(card.media.iter().flat_map(|file| media(file, width)));
    lines.extend(card.title.iter().flat_map(|text| wrapped(&text.to_string(), width)));
    lines.extend(worded(&card.body, width));
    lines.extend(card.buttons.iter().flat_map(|each| button(each, width)));
    lines
}

fn edge(left: char, title: &str, right: char, width: usize) -> String {
    let title = if title.is_empty() { String::new() } else { format!(" {} ", one_line(title)) };
    let title = console::truncate_str(&title, width + 1, "… ");
    let rest = (width + 1).saturating_sub(measure_text_width(&title));
    format!("{left}─{title}{}{right}", "─".repeat(rest))
}

fn row(line: &str, width: usize) -> String {
    format!("│ {line}{} │", " ".repeat(width.saturating_sub(measure_text_width(line))))
}

/// A text in lines of at most `width` columns, broken at spaces where possible. A long text is cut, with a note.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let text = harmless(text);
    let mut lines: Vec<String> = text.split('\n').flat_map(|line| wrapped_line(line, width)).collect();
    if lines.len() > LINES_MAX {
        let more = plural((lines.len() - LINES_MAX) as u64, "more line", "more lines");
        lines.truncate(LINES_MAX);
        lines.push(format!("… {more}"));
    }
    lines
}

fn wrapped_line(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut current, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let length = measure_text_width(word.trim_end());
        if used > 0 && used + length > width {
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let wide = measure_text_width(c.encode_utf8(&mut [0; 4]));
            // A space at the end of a line needs no room.
            if used + wide > width && c != ' ' {
                lines.push(std::mem::take(&mut current).trim_end().to_owned());
                used = 0;
            }
            current.push(c);
            used += wide;
        }
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// A text that cannot move the cursor or reorder the line: control characters and direction marks show as signs.
fn harmless(text: &str) -> String {
    let sign = |c: char| match c {
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}' => {
            format!("‹U+{:04X}›", u32::from(c))
        }
        c => c.to_string(),
    };
    visible(text).chars().map(sign).collect()
}

fn one_line(text: &str) -> String {
    harmless(&text.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Content, Names, Step};
    use crate::rules::template::preview::BoundMessage;

    #[test]
    fn a_text_is_wrapped_at_spaces_and_long_words_are_broken() {
        assert_eq!(wrapped("Hi Ann, your code is here", 10), ["Hi Ann,", "your code", "is here"]);
        assert_eq!(wrapped("0123456789abc", 10), ["0123456789", "abc"]);
        assert_eq!(wrapped("one\n\ntwo", 10), ["one", "", "two"]);
        // A letter of two columns does not fit into the last one.
        assert_eq!(wrapped("日本語日本語", 5), ["日本", "語日", "本語"]);
        let long = wrapped(&"a ".repeat(1_000), 1);
        assert_eq!((long.len(), long.last().unwrap().as_str()), (LINES_MAX + 1, "… 960 more lines"));
    }

    #[test]
    fn a_cell_cannot_move_the_cursor_or_reorder_the_line() {
        assert_eq!(harmless("a\u{1b}[2Jb\tc\u{202e}d"), "a␛[2Jb␉c‹U+202E›d");
        assert_eq!(one_line("a\nb"), "a b");
    }

    #[test]
    fn a_message_is_drawn_as_a_frame_from_top_to_bottom() {
        let content: Content = serde_json::from_str(
            r#"{"template": {"name": "promo", "language": "en", "category": "MARKETING",
                "header": {"image": "https://media.example/{{x}}"}, "body": ["{{x}}", "two\nlines"],
                "buttons": [{"index": 0, "url": "{{x}}"}]}}"#,
        )
        .unwrap();
        let step = Step { content, ..Step::of_text(Channel::WhatsApp, "wa", "") };
        let bound = BoundMessage::new(&step, Names::of_columns(&["x".to_owned()]), None).unwrap();
        let drawn = framed(&bound.fill(&["a"]), 32);
        assert_eq!(
            drawn,
            [
                "╭─ WhatsApp: promo (en, MARKETING) ╮",
                "│ [image] https://media.example/a  │",
                "│                                  │",
                "│ body 1: a                        │",
                "│ body 2: two                      │",
                "│ lines                            │",
                "├──────────────────────────────────┤",
                "│ [open] → a                       │",
                "╰──────────────────────────────────╯",
            ]
        );
    }

    #[test]
    fn every_row_of_a_frame_is_equally_wide() {
        let bubble = Bubble { sender: Some("A very long sender name".repeat(3)), ..Bubble::empty(Channel::Sms) };
        let widths: Vec<usize> = framed(&bubble, 30).iter().map(|line| measure_text_width(line)).collect();
        assert_eq!(widths, [34, 34]);
        let rows = [row("日本", 30), edge('├', "", '┤', 30), edge('╭', "Viber", '╮', 30)];
        assert!(rows.iter().all(|line| measure_text_width(line) == 34), "{rows:?}");
    }
}
