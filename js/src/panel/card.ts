/** One instance: its light, what it does, what it uses, its buttons and its log. */
import type { Card, Offer } from "../generated/wire";
import { Buttons } from "./buttons";
import { copyButton, make, quiet, setText } from "./dom";
import { Figure } from "./figure";
import { cores, duration, headline, size } from "./format";
import { LogView } from "./log";

export type Told = (text: string, failed: boolean, ended: boolean) => void;

export interface Actions {
  act(offer: Offer, name: string, told: Told): void;
  openLog(name: string): void;
  closeLog(name: string): void;
  announce(text: string): void;
}

export class CardView {
  readonly element = make("section", "las-card");
  readonly log: LogView;
  private card: Card;
  private readonly actions: Actions;
  private readonly light = make("span", "las-light", "", { "aria-hidden": "true" });
  private readonly word = make("span", "las-word");
  private readonly uptime = make("span", "las-dim");
  private readonly headline = make("span", "");
  private readonly progress = make("progress", "las-progress", "", {
    max: "1",
    "aria-label": "how much of its image is here",
  });
  private readonly model = make("span", "las-model");
  private readonly url = make("span", "las-url");
  private readonly address = make("code", "las-address");
  private readonly middle = make("div", "las-middle");
  private readonly cpu = new Figure("CPU", "processor use over the last minutes");
  private readonly memory = new Figure("Memory", "memory over the last minutes");
  private readonly vram = new Figure("GPU", null);
  private readonly failure = make("div", "las-failure");
  private readonly told = make("div", "las-told");
  private readonly details = make("details", "las-why");
  private readonly reasons = make("dl", "las-reasons");
  private readonly buttons: Buttons;
  private drawnFailure = "";
  private drawnReasons = "";

  constructor(card: Card, actions: Actions) {
    this.card = card;
    this.actions = actions;
    const { name } = card;
    this.element.dataset.testid = `card-${name}`;
    this.element.setAttribute("aria-label", name);
    this.log = new LogView(name, card.alive || card.light === "failed", {
      open: () => actions.openLog(name),
      close: () => actions.closeLog(name),
    });
    this.buttons = new Buttons(card, (offer) => this.carryOut(offer));
    const head = make("div", "las-head");
    const title = make("span", "las-title");
    title.append(this.light, make("span", "las-name", name), make("span", "las-badge", kind(card)));
    const state = make("span", "las-state");
    state.append(this.word, this.uptime);
    head.append(title, state, this.buttons.element);
    this.url.append(
      this.address,
      copyButton("Copy", () => this.card.url ?? "", "copy the address"),
    );
    const uses = make("div", "las-uses");
    uses.append(this.cpu.element, this.memory.element, this.vram.element);
    this.middle.append(this.url, uses);
    this.details.append(quiet(make("summary", "las-summary", "Details")), this.reasons);
    const line = make("div", "las-line");
    line.append(this.model, this.headline);
    this.element.append(
      head,
      line,
      this.progress,
      this.failure,
      this.told,
      this.middle,
      this.details,
      this.log.element,
    );
    this.update(card);
  }

  update(card: Card): void {
    const before = this.card;
    this.card = card;
    this.element.dataset.light = card.light;
    this.element.dataset.state = card.state;
    this.light.dataset.light = card.light;
    setText(this.word, card.word);
    setText(this.model, modelName(card));
    setText(this.address, card.url ?? "");
    this.url.hidden = card.url === null;
    this.middle.hidden = !card.alive;
    this.cpu.show(card.cpu === null ? null : cores(card.cpu), card.cpu_history);
    this.memory.show(card.memory === null ? null : size(card.memory), card.memory_history);
    this.vram.show(card.vram === null ? null : size(card.vram), []);
    this.progress.hidden = card.progress === null;
    if (card.progress !== null) this.progress.value = card.progress;
    this.buttons.update(card);
    this.drawFailure();
    this.drawReasons();
    this.tick();
    if (before.word !== card.word) this.actions.announce(`${card.name}: ${card.word}. ${card.headline}`);
    if (!before.alive && card.alive) this.log.setOpen(true);
  }

  /** What changes with time alone. */
  tick(): void {
    const now = Date.now() / 1000;
    const { started_at, alive } = this.card;
    setText(this.headline, headline(this.card, now));
    setText(this.uptime, alive && started_at !== null ? `for ${duration(now - started_at)}` : "");
  }

  /** A kernel that is gone hears no button. */
  setReachable(reachable: boolean): void {
    this.buttons.setReachable(reachable);
  }

  private carryOut(offer: Offer): void {
    this.buttons.setBusy(true);
    this.actions.act(offer, this.card.name, (text, failed, ended) => {
      setText(this.told, text);
      this.told.dataset.failed = String(failed);
      if (ended) this.buttons.setBusy(false);
    });
  }

  private drawFailure(): void {
    const { cause, remedy, light, reason } = this.card;
    const key = JSON.stringify([cause, remedy, light]);
    if (key === this.drawnFailure) return;
    this.drawnFailure = key;
    this.failure.hidden = light !== "failed" || (cause === null && remedy === null);
    if (this.failure.hidden) return;
    const parts: HTMLElement[] = [];
    if (cause !== null && cause !== reason) parts.push(make("div", "las-cause", cause));
    if (remedy !== null) {
      const line = make("div", "las-remedy");
      line.append(
        make("span", "las-arrow", "→", { "aria-hidden": "true" }),
        make("code", "las-address", remedy),
        copyButton("Copy", () => remedy, "copy the next step"),
      );
      parts.push(line);
    }
    this.failure.replaceChildren(...parts);
  }

  private drawReasons(): void {
    const rows = reasons(this.card);
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

function kind({ module, name, mode, backend }: Card): string {
  const how = mode === "native" ? "native" : backend;
  return module === name ? how : `${module} · ${how}`;
}

/** The model without the folders that it lies in. */
function modelName({ model }: Card): string {
  return model?.split(/[\\/]/).at(-1) ?? "";
}

/** What was decided and how it is kept, as rows. */
function reasons(card: Card): [string, string][] {
  const { decisions, limits, warnings, pid, container, image, lifetime, generation, model } = card;
  const rows: [string, string][] = decisions.map((each) => [each.subject, `${each.choice} – ${each.reason}`]);
  if (model !== null && !decisions.some((each) => each.subject === "model")) rows.push(["model", model]);
  if (limits.length > 0) rows.push(["limits", limits.join(", ")]);
  rows.push(["lifetime", lifetime === "kernel" ? "ends with its kernel" : "outlives the kernel"]);
  if (pid !== null) rows.push(["process", `${pid}, start ${generation}`]);
  if (container !== null) rows.push(["container", container.slice(0, 12)]);
  if (image !== null) rows.push(["runs image", image]);
  for (const each of warnings) rows.push(["warning", each]);
  return rows;
}
