/** The panel: cards in step with the kernel, and honest when the kernel is gone. */
import { CardView } from "./card";
import { make, setText } from "./dom";
import type { FromKernel, Model, ToKernel, Verb } from "./model";
import css from "./style.css";

/** The kernel beats every 2 s while somebody looks; three missed beats and what is shown may be old. */
const STALE_AFTER = 7;
const HERE_EVERY = 10_000;
/** A kernel that runs a cell may take its time; then the page says so. */
const QUEUED_AFTER = 1_000;

interface Props {
  model: Model;
  el: HTMLElement;
}

function render({ model, el }: Props): () => void {
  const style = make("style", "", css);
  const root = make("div", "las-panel");
  const banner = make("div", "las-banner", "", { role: "alert" });
  const empty = make("div", "las-empty", "Nothing runs here. %las start llama.cpp starts a server.");
  const list = make("div", "las-cards");
  const live = make("div", "las-hidden", "", { role: "status", "aria-live": "polite" });
  root.append(banner, empty, list, live);
  el.append(style, root);

  const cards = new Map<string, CardView>();
  const waiting = new Map<number, (text: string, failed: boolean) => void>();
  let number = 0;
  let restarted = false;
  let lastBeat = Date.now();

  const send = (message: ToKernel) => model.send(message);

  function act(verb: Verb, name: string, told: (text: string, failed: boolean) => void): void {
    number += 1;
    const id = number;
    waiting.set(id, told);
    setTimeout(() => {
      if (waiting.get(id) === told && !acknowledged.has(id))
        told("Queued: the kernel is busy and hears of it when the cell is done.", false);
    }, QUEUED_AFTER);
    send({ t: "do", id, verb, name });
  }
  const acknowledged = new Set<number>();

  const actions = {
    act,
    openLog: (name: string, generation: number | null, offset: number | null) =>
      send({ t: "log", name, generation, offset }),
    closeLog: (name: string) => send({ t: "close", name }),
    announce: (text: string) => setText(live, text),
  };

  function drawCards(): void {
    const now = model.get("cards");
    const names = new Set(now.map((each) => each.name));
    for (const [name, view] of cards) {
      if (!names.has(name)) {
        view.remove();
        cards.delete(name);
      }
    }
    for (const each of now) {
      const view = cards.get(each.name);
      if (view) view.update(each);
      else {
        const made = new CardView(each, actions);
        cards.set(each.name, made);
        list.append(made.element);
      }
    }
    empty.hidden = now.length > 0;
  }

  function heard(message: FromKernel): void {
    switch (message.t) {
      case "log":
        cards.get(message.name)?.log.take(message);
        return;
      case "ack":
        acknowledged.add(message.id);
        return;
      case "done": {
        const told = waiting.get(message.id);
        waiting.delete(message.id);
        acknowledged.delete(message.id);
        told?.(message.error ? message.error.join("\n") : "", message.error !== undefined);
        return;
      }
    }
  }

  function beat(): void {
    lastBeat = Date.now();
    restarted = false;
    drawBanner();
  }

  function drawBanner(): void {
    const stale = restarted || (Date.now() - lastBeat) / 1000 > STALE_AFTER;
    root.classList.toggle("las-stale", stale);
    const gone =
      "The kernel behind this panel is gone or silent; the servers run on. Show a new panel with %las panel.";
    const text = stale ? gone : model.get("notice");
    banner.hidden = text === "";
    setText(banner, text);
  }

  function onRestart(): void {
    restarted = true;
    drawBanner();
  }

  const handlers: [string, (...args: never[]) => void][] = [
    ["change:cards", drawCards],
    ["change:beat", beat],
    ["change:notice", drawBanner],
    ["msg:custom", heard as (...args: never[]) => void],
    ["comm_live_update", onRestart],
  ];
  for (const [event, handler] of handlers) model.on(event, handler);
  const here = setInterval(() => {
    if (document.visibilityState !== "hidden") send({ t: "here" });
  }, HERE_EVERY);
  const clock = setInterval(() => {
    drawBanner();
    for (const view of cards.values()) view.tick();
  }, 1000);
  const seen = () => {
    if (document.visibilityState !== "hidden") send({ t: "here" });
  };
  document.addEventListener("visibilitychange", seen);

  drawCards();
  drawBanner();
  send({ t: "here" });

  return () => {
    clearInterval(here);
    clearInterval(clock);
    document.removeEventListener("visibilitychange", seen);
    for (const [event, handler] of handlers) model.off(event, handler);
    style.remove();
    root.remove();
  };
}

export default { render };
