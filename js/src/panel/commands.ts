/** What buttons have asked of the kernel and not heard back yet. */
import type { Told } from "./card";
import { doing } from "./format";
import type { Item, ToKernel, Verb } from "./model";

/** A kernel that runs a cell may take its time; then the page says so. */
const QUEUED_AFTER = 1_000;

export class Commands {
  private readonly waiting = new Map<string, { told: Told; verb: Verb; heard: boolean }>();
  private number = 0;
  /** Two views of one panel hear the same answers; each knows its own by this. */
  private readonly own = Math.random().toString(36).slice(2, 8);

  constructor(private readonly send: (message: ToKernel) => void) {}

  act(verb: Verb, name: string, told: Told): void {
    this.number += 1;
    const id = `${this.own}-${this.number}`;
    this.waiting.set(id, { told, verb, heard: false });
    told(`${doing(verb)} queued`, false, false);
    setTimeout(() => {
      if (this.waiting.get(id)?.heard === false)
        told(
          "Queued: the kernel is busy and hears of it when the cell is done. In a terminal, " +
            `las-jupyter ${inTerminal(verb)} ${name} needs no kernel.`,
          false,
          false,
        );
    }, QUEUED_AFTER);
    this.send({ t: "do", id, verb, name });
  }

  hear(item: Exclude<Item, { t: "log" }>): void {
    const found = this.waiting.get(item.id);
    if (!found) return;
    switch (item.t) {
      case "ack":
        found.heard = true;
        found.told(doing(found.verb), false, false);
        return;
      case "done":
        this.waiting.delete(item.id);
        found.told(item.error?.join("\n") ?? "", item.error !== undefined, true);
        return;
    }
  }

  /** Nobody will answer any more. */
  giveUp(): void {
    for (const { told } of this.waiting.values()) told("", false, true);
    this.waiting.clear();
  }
}

/** `start` takes a module there, and what is here is an instance that ended. */
function inTerminal(verb: Verb): string {
  return verb === "start" ? "restart" : verb;
}
