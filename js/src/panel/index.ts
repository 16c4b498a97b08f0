/** The panel: cards in step with the kernel, and honest when the kernel is gone. */
import type { Batch, FromPage } from "../generated/wire";
import { Announcer } from "./announcer";
import { type Actions, CardView } from "./card";
import { Commands } from "./commands";
import { make, setText } from "./dom";
import type { Model } from "./model";
import css from "./style.css";

/** The kernel beats every 2 s while somebody looks; three missed beats and what is shown may be old. */
const STALE_AFTER = 7_000;
/** A page that comes back to the front gives the kernel this long to say that it is there. */
const GRACE = 3_000;
const HERE_EVERY = 10_000;

const GONE =
  "The kernel behind this panel is gone or silent; the servers run on. Show a new panel with %las panel.";

interface Props {
  model: Model;
  el: HTMLElement;
}

class Panel {
  readonly root = make("div", "las-panel");
  private readonly banner = make("div", "las-banner", "", { role: "alert" });
  private readonly empty = make("div", "las-empty");
  private readonly list = make("div", "las-cards");
  private readonly announcer = new Announcer();
  private readonly cards = new Map<string, CardView>();
  private readonly commands: Commands;
  private readonly actions: Actions;
  private restarted = false;
  private lastBeat = Date.now();

  constructor(private readonly model: Model) {
    this.commands = new Commands((message) => this.send(message));
    this.actions = {
      act: (offer, name, told) => this.commands.act(offer, name, told),
      openLog: (name) => this.send({ t: "log", name, generation: null, offset: null }),
      closeLog: (name) => this.send({ t: "close", name }),
      announce: (text) => this.announcer.say(text),
    };
    this.empty.append(
      make("span", "", "Nothing runs here. "),
      make("code", "las-address", "%las start llama.cpp"),
      make("span", "", " starts a server."),
    );
    this.root.append(this.banner, this.empty, this.list, this.announcer.element);
  }

  private send(message: FromPage): void {
    this.model.send(message);
  }

  readonly sayHere = (): void => {
    if (document.visibilityState === "hidden") return;
    this.send({ t: "here" });
  };

  readonly cameToFront = (): void => {
    if (document.visibilityState === "hidden") return;
    this.lastBeat = Math.max(this.lastBeat, Date.now() - STALE_AFTER + GRACE);
    this.sayHere();
  };

  readonly drawCards = (): void => {
    const now = this.model.get("cards");
    const names = new Set(now.map((each) => each.name));
    for (const [name, view] of this.cards) {
      if (names.has(name)) continue;
      view.remove();
      this.cards.delete(name);
    }
    let before: Element | null = null;
    for (const each of now) {
      let view = this.cards.get(each.name);
      if (view) view.update(each);
      else {
        view = new CardView(each, this.actions);
        this.cards.set(each.name, view);
        // Cards that are there stay where they are: a place that moves is clicked wrongly.
        if (before) before.after(view.element);
        else this.list.prepend(view.element);
      }
      before = view.element;
    }
    this.empty.hidden = now.length > 0;
  };

  readonly hear = (message: Batch): void => {
    for (const item of message.items) {
      if (item.t === "log") this.cards.get(item.name)?.log.take(item);
      else this.commands.hear(item);
    }
  };

  readonly beat = (): void => {
    this.lastBeat = Date.now();
    this.restarted = false;
    this.drawBanner();
  };

  readonly kernelRestarted = (): void => {
    this.restarted = true;
    this.drawBanner();
  };

  readonly drawBanner = (): void => {
    const stale = this.restarted || Date.now() - this.lastBeat > STALE_AFTER;
    const was = this.root.classList.contains("las-stale");
    this.root.classList.toggle("las-stale", stale);
    const text = stale ? GONE : this.model.get("notice");
    this.banner.hidden = text === "";
    setText(this.banner, text);
    for (const view of this.cards.values()) view.setReachable(!stale);
    if (stale && !was) this.commands.giveUp();
  };

  readonly tick = (): void => {
    this.drawBanner();
    // What is shown is as old as the last beat: then its clock stands still too.
    if (!this.root.classList.contains("las-stale")) for (const view of this.cards.values()) view.tick();
  };
}

function render({ model, el }: Props): () => void {
  const panel = new Panel(model);
  const style = make("style", "", css);
  el.append(style, panel.root);
  const handlers: [string, (...args: never[]) => void][] = [
    ["change:cards", panel.drawCards],
    ["change:beat", panel.beat],
    ["change:notice", panel.drawBanner],
    ["msg:custom", panel.hear as (...args: never[]) => void],
    ["comm_live_update", panel.kernelRestarted],
  ];
  for (const [event, handler] of handlers) model.on(event, handler);
  const here = setInterval(panel.sayHere, HERE_EVERY);
  const clock = setInterval(panel.tick, 1000);
  document.addEventListener("visibilitychange", panel.cameToFront);
  panel.drawCards();
  panel.drawBanner();
  panel.sayHere();

  return () => {
    clearInterval(here);
    clearInterval(clock);
    document.removeEventListener("visibilitychange", panel.cameToFront);
    for (const [event, handler] of handlers) model.off(event, handler);
    style.remove();
    panel.root.remove();
  };
}

export default { render };
