/** Colours of a terminal as spans; every other escape is gone. Text stays text: nothing here makes HTML. */

export interface Span {
  text: string;
  colour: string | null;
  bold: boolean;
  underline: boolean;
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what this is about
const ESCAPE = /\x1b(?:\[([0-9;:]*)m|\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they would be drawn as boxes
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

interface Pen {
  colour: string | null;
  bold: boolean;
  underline: boolean;
}

/** One line as spans. A carriage return begins the line again, as a progress bar means it. */
export function spans(line: string): Span[] {
  const bare = line.endsWith("\r") ? line.slice(0, -1) : line;
  const shown = bare.slice(bare.lastIndexOf("\r") + 1);
  const found: Span[] = [];
  let pen: Pen = { colour: null, bold: false, underline: false };
  let from = 0;
  const put = (text: string) => {
    const clean = text.replace(CONTROLS, "");
    if (clean) found.push({ text: clean, ...pen });
  };
  for (const match of shown.matchAll(ESCAPE)) {
    put(shown.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[1] !== undefined) pen = next(pen, match[1]);
  }
  put(shown.slice(from));
  return found;
}

function next(pen: Pen, codes: string): Pen {
  const numbers = codes === "" ? [0] : codes.split(/[;:]/).map(Number);
  let now = { ...pen };
  for (let i = 0; i < numbers.length; i++) {
    const code = numbers[i] ?? 0;
    if (code === 0) now = { colour: null, bold: false, underline: false };
    else if (code === 1) now.bold = true;
    else if (code === 4) now.underline = true;
    else if (code === 22) now.bold = false;
    else if (code === 24) now.underline = false;
    else if (code >= 30 && code <= 37) now.colour = `var(--las-ansi-${NAMES[code - 30]})`;
    else if (code >= 90 && code <= 97) now.colour = `var(--las-ansi-${NAMES[code - 90]})`;
    else if (code === 39) now.colour = null;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(numbers.slice(i + 1));
      if (code === 38) now.colour = colour;
      i += used;
    }
  }
  return now;
}

function extended(rest: readonly number[]): [string | null, number] {
  const byte = (value: number | undefined) => Math.min(255, Math.max(0, value ?? 0));
  if (rest[0] === 2) return [`rgb(${byte(rest[1])} ${byte(rest[2])} ${byte(rest[3])})`, 4];
  if (rest[0] !== 5) return [null, 1];
  const index = byte(rest[1]);
  if (index < 16) return [`var(--las-ansi-${NAMES[index % 8]})`, 2];
  if (index > 231) {
    const grey = 8 + (index - 232) * 10;
    return [`rgb(${grey} ${grey} ${grey})`, 2];
  }
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return [`rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`, 2];
}
