/** The lines of one log that the page keeps: a bounded run without gaps, resumed by offset. Pure. */
import type { LogPiece } from "../generated/wire";

export const MOST_LINES = 5000;

export class Ring {
  lines: string[] = [];
  generation: number | null = null;
  next: number | null = null;
  dropped = 0;
  private open = false;

  /** Take a piece. False when it does not continue what is here: then the page asks for a fresh beginning. */
  take(message: LogPiece): boolean {
    if (message.reset) {
      this.lines = [];
      this.dropped = 0;
      this.open = false;
    } else if (message.generation !== this.generation || message.offset !== this.next) {
      // What another view of this panel asked for may come by twice.
      return message.generation === this.generation && this.next !== null && message.next <= this.next;
    }
    this.generation = message.generation;
    this.next = message.next;
    if (message.trimmed > 0) this.add(`… ${message.trimmed} bytes of the log were trimmed …\n`);
    this.add(message.text);
    return true;
  }

  private add(text: string): void {
    if (text === "") return;
    const parts = text.split("\n");
    const last = parts.pop() ?? "";
    if (this.open && this.lines.length > 0) {
      this.lines[this.lines.length - 1] += parts.length > 0 ? (parts.shift() ?? "") : last;
      if (parts.length === 0 && !text.includes("\n")) return;
    }
    this.lines.push(...parts);
    this.open = last !== "";
    if (this.open) this.lines.push(last);
    const over = this.lines.length - MOST_LINES;
    if (over > 0) {
      this.lines.splice(0, over);
      this.dropped += over;
    }
  }
}
