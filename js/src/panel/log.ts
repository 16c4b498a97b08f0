/** The log of one card: a window of rows over a bounded run of lines, so that 5,000 cost no more than 30. */

import type { LogPiece } from "../generated/wire";
import { spans } from "./ansi";
import { button, copyButton, make, quiet, setText } from "./dom";
import { Ring } from "./ring";

const ROW = 18;
const SPARE = 6;
const FEWEST_ROWS = 3;
const MOST_ROWS = 11;

interface Wants {
  open(): void;
  close(): void;
}

export class LogView {
  readonly element = make("div", "las-log");
  readonly ring = new Ring();
  private readonly scroller: HTMLElement;
  private readonly space = make("div", "las-log-space");
  private readonly rows = make("div", "las-log-rows");
  private readonly filter = quiet(
    make("input", "las-log-filter", "", { type: "search", placeholder: "Filter" }),
  );
  private readonly toggle: HTMLButtonElement;
  private readonly follow: HTMLButtonElement;
  private readonly copy: HTMLButtonElement;
  private readonly count = make("span", "las-log-count");
  /** Row elements by the number of their line: what a person selects stays selected while lines arrive. */
  private readonly drawn = new Map<number, { line: string; element: HTMLElement }>();
  private shown: readonly string[] = [];
  private open = false;
  private following = true;
  private queued = false;
  private dropped = 0;

  constructor(
    name: string,
    open: boolean,
    private readonly wants: Wants,
  ) {
    this.scroller = quiet(
      make("div", "las-log-scroll", "", { tabindex: "0", role: "log", "aria-live": "off" }),
    );
    this.scroller.setAttribute("aria-label", `log of ${name}`);
    this.filter.setAttribute("aria-label", `filter the log of ${name}`);
    this.toggle = button("las-toggle", "Log", () => this.setOpen(!this.open));
    this.toggle.dataset.testid = "log";
    this.follow = button("las-button las-small", "", () => this.setFollowing(!this.following));
    this.follow.dataset.testid = "follow";
    this.copy = copyButton("Copy", () => this.shown.map(plain).join("\n"), "copy the lines shown");
    const bar = make("div", "las-log-bar");
    bar.append(this.toggle, this.count, this.filter, this.follow, this.copy);
    this.space.append(this.rows);
    this.scroller.append(this.space);
    this.element.append(bar, this.scroller);
    this.scroller.addEventListener("scroll", () => this.scrolled());
    this.filter.addEventListener("input", () => this.changed());
    this.setFollowing(true);
    this.drawOpen();
    if (open) this.setOpen(true);
  }

  /** Unfold or fold it; the kernel reads only logs that are unfolded. */
  setOpen(open: boolean): void {
    if (open === this.open) return;
    this.open = open;
    this.drawOpen();
    if (open) this.wants.open();
    else this.wants.close();
  }

  private drawOpen(): void {
    this.toggle.setAttribute("aria-expanded", String(this.open));
    this.element.dataset.open = String(this.open);
    for (const each of [this.scroller, this.filter, this.follow, this.copy, this.count])
      each.hidden = !this.open;
  }

  take(message: LogPiece): void {
    if (!this.ring.take(message)) {
      this.wants.open();
      return;
    }
    this.changed();
  }

  private changed(): void {
    const wanted = this.filter.value.toLowerCase();
    const lines = this.ring.lines;
    this.shown = wanted ? lines.filter((each) => plain(each).toLowerCase().includes(wanted)) : lines;
    const total = lines.length + this.ring.dropped;
    const all = total === 1 ? "1 line" : `${total.toLocaleString("en")} lines`;
    setText(this.count, wanted ? `${this.shown.length.toLocaleString("en")} of ${all}` : all);
    this.space.style.height = `${this.shown.length * ROW}px`;
    const rows = Math.min(MOST_ROWS, Math.max(FEWEST_ROWS, this.shown.length));
    this.scroller.style.setProperty("--las-rows", String(rows));
    if (!this.following && !wanted) {
      // Lines that fell out above must not move what is being read.
      this.scroller.scrollTop -= Math.max(0, this.ring.dropped - this.dropped) * ROW;
    }
    this.dropped = this.ring.dropped;
    if (this.following) this.toEnd();
    this.drawSoon();
  }

  private toEnd(): void {
    this.scroller.scrollTop = this.shown.length * ROW;
  }

  private setFollowing(following: boolean): void {
    this.following = following;
    this.follow.setAttribute("aria-pressed", String(following));
    setText(this.follow, following ? "Following" : "Follow ↓");
    if (following) this.toEnd();
  }

  private scrolled(): void {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    const atEnd = scrollTop + clientHeight >= scrollHeight - ROW;
    if (atEnd !== this.following) this.setFollowing(atEnd);
    this.drawSoon();
  }

  private drawSoon(): void {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.draw();
    });
  }

  /** Draw the rows that can be seen, and a few more. */
  private draw(): void {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - SPARE);
    const many = Math.ceil((this.scroller.clientHeight || MOST_ROWS * ROW) / ROW) + 2 * SPARE;
    const wanted = new Map<number, string>();
    const shift = this.filter.value ? 0 : this.ring.dropped;
    this.shown.slice(first, first + many).forEach((line, at) => {
      wanted.set(shift + first + at, line);
    });
    for (const [number, { line, element }] of this.drawn) {
      if (wanted.get(number) === line) continue;
      element.remove();
      this.drawn.delete(number);
    }
    let before: Element | null = null;
    for (const [number, line] of wanted) {
      let element = this.drawn.get(number)?.element;
      if (!element) {
        element = row(line);
        this.drawn.set(number, { line, element });
        if (before) before.after(element);
        else this.rows.prepend(element);
      }
      before = element;
    }
    this.rows.style.transform = `translateY(${first * ROW}px)`;
  }
}

function plain(line: string): string {
  return spans(line)
    .map((each) => each.text)
    .join("");
}

function row(line: string): HTMLElement {
  const element = make("div", "las-log-row");
  for (const span of spans(line)) {
    const part = make("span", span.bold ? "las-bold" : "", span.text);
    if (span.colour) part.style.color = span.colour;
    if (span.underline) part.style.textDecoration = "underline";
    element.append(part);
  }
  return element;
}
