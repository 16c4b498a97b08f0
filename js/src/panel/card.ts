/** One instance: its light, what it does, what it uses, its buttons and its log. */
import type { Card } from "../generated/wire";
import { button, line, make, quiet, setText } from "./dom";
import { cores, duration, headline, lightWord, size, sparkline, verbs, verbWord, warning } from "./format";
import { LogView } from "./log";
import type { Verb } from "./model";

const WIDTH = 84;
const HEIGHT = 18;

export interface Actions {
  act(verb: Verb, name: string, told: (text: string, failed: boolean) => void): void;
  openLog(name: string, generation: number | null, offset: number | null): void;
  closeLog(name: string): void;
  announce(text: string): void;
}

export class CardView {
  readonly element = make("section", "las-card");
  readonly log: LogView;
  private card: Card;
  private readonly light = make("span", "las-light");
  private readonly word = make("span", "las-word");
  private readonly line = make("span", "las-line");
  private readonly uptime = make("span", "las-dim");
  private readonly url = make("span", "las-url");
  private readonly memory = make("span", "las-figure");
  private readonly cpu = make("span", "las-figure");
  private readonly memoryLine = line(WIDTH, HEIGHT, "memory over the last minutes");
  private readonly cpuLine = line(WIDTH, HEIGHT, "processor over the last minutes");
  private readonly uses = make("div", "las-uses");
  private readonly buttons = make("div", "las-buttons");
  private readonly told = make("div", "las-told");
  private readonly why = make("details", "las-why");
  private readonly reasons = make("dl", "las-reasons");
  private drawnButtons = "";
  private drawnReasons = "";
  private busy = false;

  constructor(
    card: Card,
    private readonly actions: Actions,
  ) {
    this.card = card;
    this.element.dataset.testid = `card-${card.name}`;
    this.element.setAttribute("aria-label", card.name);
    this.log = new LogView(() => actions.openLog(card.name, null, null));
    const title = make("span", "las-name", card.name);
    const head = make("div", "las-head");
    head.append(
      this.light,
      title,
      make("span", "las-badge", this.kind()),
      this.word,
      this.uptime,
      this.buttons,
    );
    const copy = button("las-button las-small", "Copy URL", () => {
      void navigator.clipboard?.writeText(this.card.url ?? "");
    });
    this.url.append(make("code", "las-address", card.url ?? ""), copy);
    this.uses.append(
      this.figure("CPU", this.cpu, this.cpuLine.svg),
      this.figure("Memory", this.memory, this.memoryLine.svg),
    );
    const summary = quiet(make("summary", "las-summary", "Why so"));
    this.why.append(summary, this.reasons);
    const middle = make("div", "las-middle");
    middle.append(this.url, this.uses);
    this.element.append(head, this.line, this.told, middle, this.why, this.log.element);
    this.update(card);
    actions.openLog(card.name, null, null);
  }

  private kind(): string {
    const { module, name, mode, backend } = this.card;
    const how = mode === "native" ? "native" : backend;
    return module === name ? how : `${module} · ${how}`;
  }

  private figure(label: string, value: HTMLElement, spark: SVGElement): HTMLElement {
    const box = make("div", "las-use");
    box.append(make("span", "las-dim", label), value, spark);
    return box;
  }

  update(card: Card): void {
    const before = this.card;
    this.card = card;
    const word = lightWord(card.light);
    this.element.dataset.light = card.light;
    this.element.dataset.state = card.state;
    this.light.dataset.light = card.light;
    setText(this.word, word);
    const address = this.url.querySelector("code");
    if (address) setText(address, card.url ?? "");
    this.url.hidden = card.url === null || !card.alive;
    this.uses.hidden = !card.alive;
    setText(this.memory, card.memory === null ? "–" : size(card.memory));
    setText(this.cpu, card.cpu === null ? "–" : cores(card.cpu));
    this.memoryLine.path.setAttribute("d", sparkline(card.memory_history, WIDTH, HEIGHT));
    this.cpuLine.path.setAttribute("d", sparkline(card.cpu_history, WIDTH, HEIGHT));
    this.drawButtons();
    this.drawReasons();
    this.tick();
    if (before.light !== card.light)
      this.actions.announce(`${card.name}: ${word}. ${headline(card, Date.now() / 1000)}`);
  }

  /** What changes with time alone. */
  tick(): void {
    const now = Date.now() / 1000;
    const { started_at, alive } = this.card;
    setText(this.line, headline(this.card, now));
    setText(this.uptime, alive && started_at !== null ? `for ${duration(now - started_at)}` : "");
  }

  private drawButtons(): void {
    const key = `${verbs(this.card).join()}:${this.card.state}:${this.busy}`;
    if (key === this.drawnButtons) return;
    this.drawnButtons = key;
    this.buttons.replaceChildren(
      ...verbs(this.card).map((verb) => {
        const made = button("las-button", verbWord(verb), () => this.clicked(verb));
        made.dataset.testid = verb;
        made.disabled = this.busy;
        return made;
      }),
    );
  }

  private clicked(verb: Verb): void {
    const asks = warning(verb, this.card);
    if (asks === null) {
      this.carryOut(verb);
      return;
    }
    const yes = button("las-button las-strong", verbWord(verb), () => this.carryOut(verb));
    yes.dataset.testid = "confirm";
    const no = button("las-button", "Cancel", () => {
      this.drawnButtons = "";
      this.drawButtons();
    });
    this.drawnButtons = "asking";
    this.buttons.replaceChildren(make("span", "las-asks", asks), yes, no);
    yes.focus();
  }

  private carryOut(verb: Verb): void {
    this.busy = true;
    this.drawButtons();
    this.tell(`${verbWord(verb)} is sent …`, false);
    this.actions.act(verb, this.card.name, (text, failed) => {
      this.tell(text, failed);
      this.busy = text !== "" && !failed;
      this.drawButtons();
    });
  }

  private tell(text: string, failed: boolean): void {
    setText(this.told, text);
    this.told.dataset.failed = String(failed);
  }

  private drawReasons(): void {
    const { decisions, limits, warnings, pid, container, lifetime, generation } = this.card;
    const rows: [string, string][] = decisions.map((each) => [
      each.subject,
      `${each.choice} – ${each.reason}`,
    ]);
    if (limits.length > 0) rows.push(["limits", limits.join(", ")]);
    rows.push(["lifetime", lifetime === "kernel" ? "ends with its kernel" : "outlives the kernel"]);
    if (pid !== null) rows.push(["process", `${pid}, start ${generation}`]);
    if (container !== null) rows.push(["container", container.slice(0, 12)]);
    for (const each of warnings) rows.push(["warning", each]);
    const key = JSON.stringify(rows);
    if (key === this.drawnReasons) return;
    this.drawnReasons = key;
    this.reasons.replaceChildren(
      ...rows.flatMap(([what, why]) => [make("dt", "", what), make("dd", "", why)]),
    );
  }

  remove(): void {
    this.actions.closeLog(this.card.name);
    this.element.remove();
  }
}
