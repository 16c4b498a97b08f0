/** What buttons have asked of the kernel and not heard back yet. */
import type { Ack, Done, FromPage, Offer, Verb } from "../generated/wire";
import type { Told } from "./card";

/** A kernel that runs a cell may take its time; then the page says so. */
const QUEUED_AFTER = 1_000;

export class Commands {
  private readonly waiting = new Map<string, { told: Told; offer: Offer; heard: boolean }>();
  private number = 0;
  /** Two views of one panel hear the same answers; each knows its own by this. */
  private readonly own = Math.random().toString(36).slice(2, 8);

  constructor(private readonly send: (message: FromPage) => void) {}

  act(offer: Offer, name: string, told: Told): void {
    this.number += 1;
    const id = `${this.own}-${this.number}`;
    this.waiting.set(id, { told, offer, heard: false });
    told(`${offer.doing} queued`, false, false);
    setTimeout(() => {
      if (this.waiting.get(id)?.heard === false)
        told(
          "Queued: the kernel is busy and hears of it when the cell is done. In a terminal, " +
            `las-jupyter ${inTerminal(offer.verb)} ${name} needs no kernel.`,
          false,
          false,
        );
    }, QUEUED_AFTER);
    this.send({ t: "do", id, verb: offer.verb, name });
  }

  hear(item: Ack | Done): void {
    const found = this.waiting.get(item.id);
    if (!found) return;
    switch (item.t) {
      case "ack":
        found.heard = true;
        found.told(found.offer.doing, false, false);
        return;
      case "done":
        this.waiting.delete(item.id);
        found.told(item.error?.join("\n") ?? "", item.error !== null, true);
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
