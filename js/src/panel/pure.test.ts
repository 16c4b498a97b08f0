import { expect, test } from "vitest";
import { spans } from "./ansi";
import { duration, size, sparkline } from "./format";
import { MOST_LINES, Ring } from "./ring";

const piece = (text: string, offset: number, reset = false) => ({
  t: "log" as const,
  name: "x",
  generation: 1,
  reset,
  offset,
  next: offset + text.length,
  trimmed: 0,
  text,
});

test("colours of all three kinds are kept, other escapes are not", () => {
  const found = spans(
    "\u001b[1;32mok\u001b[0m \u001b[38;5;196mred\u001b[38;2;1;2;3mrgb\u001b[2K\u001b]0;title\u0007",
  );

  expect(found.map((each) => [each.text, each.colour, each.bold])).toEqual([
    ["ok", "var(--las-ansi-green)", true],
    [" ", null, false],
    ["red", "rgb(255 0 0)", false],
    ["rgb", "rgb(1 2 3)", false],
  ]);
});

test("a progress bar shows its last state", () => {
  expect(spans("10%\r50%\r99%").map((each) => each.text)).toEqual(["99%"]);
});

test("a line that comes in two pieces is one line", () => {
  const ring = new Ring();
  ring.take(piece("one\ntw", 0, true));
  ring.take(piece("o\nthree\n", 6));

  expect(ring.lines).toEqual(["one", "two", "three"]);
});

test("a piece inside a line adds to it", () => {
  const ring = new Ring();
  ring.take(piece("a", 0, true));
  ring.take(piece("b", 1));
  ring.take(piece("c\n", 2));

  expect(ring.lines).toEqual(["abc"]);
});

test("the page keeps a bounded number of lines and counts the rest", () => {
  const ring = new Ring();
  ring.take(piece("x\n".repeat(MOST_LINES + 10), 0, true));

  expect([ring.lines.length, ring.dropped]).toEqual([MOST_LINES, 10]);
});

test("a piece that was seen is no gap", () => {
  const ring = new Ring();
  ring.take(piece("abc\n", 0, true));

  expect(ring.take(piece("abc\n", 0))).toBe(true);
  expect(ring.lines).toEqual(["abc"]);
});

test("figures are told in human units", () => {
  expect([size(512), size(1536), duration(59), duration(3700)]).toEqual([
    "512 B",
    "1.5 KiB",
    "59 s",
    "1 h 1 min",
  ]);
});

test("a sparkline needs two points", () => {
  expect(sparkline([1], 10, 10)).toBe("");
  expect(sparkline([0, 1], 10, 10)).toBe("M0.0 9.0L10.0 1.0");
});
