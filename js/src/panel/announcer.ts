/** Tells a screen reader what changed, never faster than it can be said. */
import { make, setText } from "./dom";

const PAUSE = 2_000;

export class Announcer {
  readonly element = make("div", "las-hidden", "", { role: "status", "aria-live": "polite" });
  private waiting: string[] = [];
  private resting = false;

  say(text: string): void {
    this.waiting.push(text);
    if (!this.resting) this.speak();
  }

  private speak(): void {
    if (this.waiting.length === 0) {
      this.resting = false;
      return;
    }
    setText(this.element, this.waiting.join(" "));
    this.waiting = [];
    this.resting = true;
    setTimeout(() => this.speak(), PAUSE);
  }
}
