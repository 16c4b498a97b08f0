/** The buttons of a card. They stay the same elements while the state changes, so that focus is never lost. */
import type { Card } from "../generated/wire";
import { button, make, setText } from "./dom";
import { VERBS, verbs, verbWord, warning } from "./format";
import type { Verb } from "./model";

export class Buttons {
  readonly element = make("div", "las-buttons", "", { role: "group" });
  private card: Card;
  private asked: Verb | null = null;
  private busy = false;
  private reachable = true;
  private readonly made = new Map<Verb, HTMLButtonElement>();
  private readonly question = make("span", "las-asks");
  private readonly yes: HTMLButtonElement;
  private readonly no: HTMLButtonElement;

  constructor(
    card: Card,
    private readonly carryOut: (verb: Verb) => void,
  ) {
    this.card = card;
    this.element.setAttribute("aria-label", `${card.name}: start and stop`);
    for (const verb of VERBS) {
      const made = button("las-button", verbWord(verb), () => this.clicked(verb));
      made.dataset.testid = verb;
      this.made.set(verb, made);
    }
    this.yes = button("las-button las-strong", "", () => this.confirmed());
    this.yes.dataset.testid = "confirm";
    this.no = button("las-button", "Cancel", () => this.ask(null));
    this.no.dataset.testid = "cancel";
    this.element.append(this.question, this.yes, this.no, ...this.made.values());
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.asked !== null) this.ask(null);
    });
    this.draw();
  }

  update(card: Card): void {
    this.card = card;
    if (this.asked !== null && !verbs(card).includes(this.asked)) this.asked = null;
    this.draw();
  }

  setBusy(busy: boolean): void {
    this.busy = busy;
    this.draw();
  }

  setReachable(reachable: boolean): void {
    if (this.reachable === reachable) return;
    this.reachable = reachable;
    this.draw();
  }

  private get able(): boolean {
    return this.reachable && !this.busy;
  }

  private clicked(verb: Verb): void {
    if (!this.able) return;
    if (warning(verb, this.card) === null) this.carryOut(verb);
    else this.ask(verb);
  }

  private ask(verb: Verb | null): void {
    const before = this.asked;
    this.asked = verb;
    this.draw();
    if (verb !== null) this.yes.focus();
    else if (before !== null) this.made.get(before)?.focus();
  }

  private confirmed(): void {
    const verb = this.asked;
    if (verb === null || !this.able) return;
    this.ask(null);
    this.carryOut(verb);
  }

  private draw(): void {
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    const offered = verbs(this.card);
    const asking = this.asked !== null;
    for (const [verb, made] of this.made) {
      made.hidden = asking || !offered.includes(verb);
      // Not `disabled`: that would throw away the focus.
      made.setAttribute("aria-disabled", String(!this.able));
    }
    for (const each of [this.question, this.yes, this.no]) each.hidden = !asking;
    if (this.asked !== null) {
      setText(this.question, warning(this.asked, this.card) ?? "");
      setText(this.yes, verbWord(this.asked));
    }
    if (focused instanceof HTMLElement && focused.hidden) {
      [...this.made.values()].find((each) => !each.hidden)?.focus();
    }
  }
}
