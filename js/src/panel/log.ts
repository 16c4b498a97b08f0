/** The log of one card: a window of rows over a bounded run of lines, so that 5,000 cost no more than 30. */
import { spans } from "./ansi";
import { button, make, quiet, setText } from "./dom";
import type { LogMessage } from "./model";
import { Ring } from "./ring";

const ROW = 18;
const SPARE = 6;

export class LogView {
  readonly element = make("div", "las-log");
  readonly ring = new Ring();
  private readonly scroller = quiet(
    make("div", "las-log-scroll", "", {
      tabindex: "0",
      role: "log",
      "aria-live": "off",
      "aria-label": "log",
    }),
  );
  private readonly space = make("div", "las-log-space");
  private readonly rows = make("div", "las-log-rows");
  private readonly filter = quiet(
    make("input", "las-log-filter", "", {
      type: "search",
      placeholder: "Filter",
      "aria-label": "filter the log",
    }),
  );
  private readonly follow: HTMLButtonElement;
  private readonly count = make("span", "las-log-count");
  private shown: readonly string[] = [];
  private following = true;
  private queued = false;

  constructor(private readonly wantBeginning: () => void) {
    this.follow = button("las-button las-small", "Following", () => this.setFollowing(!this.following));
    const copy = button("las-button las-small", "Copy", () => {
      void navigator.clipboard?.writeText(this.shown.join("\n"));
      setText(copy, "Copied");
      setTimeout(() => setText(copy, "Copy"), 1500);
    });
    const bar = make("div", "las-log-bar");
    bar.append(this.filter, this.count, this.follow, copy);
    this.space.append(this.rows);
    this.scroller.append(this.space);
    this.element.append(bar, this.scroller);
    this.scroller.addEventListener("scroll", () => this.scrolled());
    this.filter.addEventListener("input", () => this.changed());
    this.setFollowing(true);
  }

  take(message: LogMessage): void {
    if (!this.ring.take(message)) {
      this.wantBeginning();
      return;
    }
    this.changed();
  }

  private changed(): void {
    const wanted = this.filter.value.toLowerCase();
    const lines = this.ring.lines;
    this.shown = wanted ? lines.filter((each) => each.toLowerCase().includes(wanted)) : lines;
    const all = `${lines.length + this.ring.dropped} lines`;
    setText(this.count, wanted ? `${this.shown.length} of ${all}` : all);
    this.space.style.height = `${this.shown.length * ROW}px`;
    if (this.following) this.scroller.scrollTop = this.shown.length * ROW;
    this.drawSoon();
  }

  private setFollowing(following: boolean): void {
    this.following = following;
    this.follow.setAttribute("aria-pressed", String(following));
    setText(this.follow, following ? "Following" : "Follow");
    if (following) this.scroller.scrollTop = this.scroller.scrollHeight;
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
  draw(): void {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - SPARE);
    const many = Math.ceil((this.scroller.clientHeight || 200) / ROW) + 2 * SPARE;
    this.rows.style.transform = `translateY(${first * ROW}px)`;
    this.rows.replaceChildren(...this.shown.slice(first, first + many).map(row));
  }
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
