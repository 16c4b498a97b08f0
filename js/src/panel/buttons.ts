/** The buttons of a card. They stay the same elements while the state changes, so that focus is never lost. */
import { type Card, type Offer, VERBS, type Verb } from "../generated/wire";
import { button, make, setText } from "./dom";

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
    private readonly carryOut: (offer: Offer) => void,
  ) {
    this.card = card;
    this.element.setAttribute("aria-label", `${card.name}: start and stop`);
    for (const verb of VERBS) {
      const made = button("las-button", "", () => this.clicked(verb));
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
    if (this.asked !== null && this.offer(this.asked) === null) this.asked = null;
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

  /** What is offered of it now; the kernel decides which, and still whether it may. */
  private offer(verb: Verb): Offer | null {
    return this.card.offers.find((each) => each.verb === verb) ?? null;
  }

  private clicked(verb: Verb): void {
    const offer = this.offer(verb);
    if (!this.able || offer === null) return;
    if (offer.confirm === null) this.carryOut(offer);
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
    const offer = this.asked === null ? null : this.offer(this.asked);
    if (offer === null || !this.able) return;
    this.ask(null);
    this.carryOut(offer);
  }

  private draw(): void {
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    const asked = this.asked === null ? null : this.offer(this.asked);
    const asking = asked !== null;
    for (const [verb, made] of this.made) {
      const offer = this.offer(verb);
      made.hidden = asking || offer === null;
      if (offer !== null) setText(made, offer.label);
      // Not `disabled`: that would throw away the focus.
      made.setAttribute("aria-disabled", String(!this.able));
    }
    for (const each of [this.question, this.yes, this.no]) each.hidden = !asking;
    if (asked !== null) {
      setText(this.question, asked.confirm ?? "");
      setText(this.yes, asked.label);
    }
    if (focused instanceof HTMLElement && focused.hidden) {
      [...this.made.values()].find((each) => !each.hidden)?.focus();
    }
  }
}
